//! The object store: S3 in production, a local directory embedded.
//!
//! Services keep in it what must outlive every process: blobs, snapshots, jobs, history. Both backends promise the same,
//! and one conformance suite holds them to it: an object appears whole or not at all, a write is durable when its call
//! returns, conditional writes of one key are ordered, a listing comes in the order of the keys' bytes. Every call has a
//! deadline, repetitions have a budget, and memory does not grow with an object's size.

mod directory;
mod error;
mod key;
mod object;
mod observe;
mod s3;
mod settings;
mod store;

pub use error::Error;
pub use object::{ByteRange, Condition, Listed, Meta, Object, ObjectBody, Page};
pub use observe::METRICS;
pub use settings::{Backend, ObjectStoreSettings};
pub use store::{ObjectStore, Upload};
