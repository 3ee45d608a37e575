//! Documents by id: from the cache, and what it does not have from the origin.
//!
//! A fetch begins with a look-up in the cache, which gives hits, and leases for misses. Misses join into queries of the
//! origin ([`coalesce`]); what those answer goes to the callers at once and into the cache in the background, under the
//! leases. With the cache away a fetch is a query of the origin and nothing more.
//!
//! What must always hold: a fetch that begins after a write was acknowledged never answers an older row. The cache's own
//! protocol keeps that for hits; for misses it follows from the coalescer's one rule. Rows are read strongly, whole, and
//! kept as the origin wrote them; what one caller's key may not read never reaches it.

mod batch;
mod bulk;
mod coalesce;
mod common;
mod failure;
mod held;
pub(crate) mod id;
mod json;
mod observe;
mod origin;
mod place;
mod read;
mod request;
mod row;
mod serve;
mod settings;
mod sizes;
mod verify;
mod window;

pub use batch::{Batch, Carried};
pub use common::Common;
pub use failure::Failure;
#[cfg(test)]
pub use failure::Told;
pub use id::{Asked, DocId};
pub use json::JsonBatch;
pub use observe::{METRICS, Operation};
pub use origin::OriginReader;
pub use place::Place;
pub use request::{BODY_BYTES_MAX, Fetch, IDS_MAX, Include, NAMES_MAX};
pub use serve::{Typed, absent};
pub use settings::FetchSettings;
pub use window::Window;
