//! The pooled HTTP client to the origin.
//!
//! A proxy's client has other needs than an application's: it must not retry, redirect, decompress or re-encode; it must
//! stream both ways; and it must cost little. So this is hyper's connection itself with a small pool around it. On
//! HTTP/1.1 a connection is driven by the task of the request that uses it (no second task, no waking): its state lives
//! in the answer's body and returns to the pool when that ends. On HTTP/2 one connection is shared.
//!
//! One [`Client`] belongs to one worker of the data port; clones share its pool. The only thing ever sent twice is a
//! request of which not one byte was sent: the pooled connection it was meant for had been closed by the origin.

mod body;
mod client;
mod connect;
mod error;
mod h1;
mod h2;
mod look;
mod pool;
mod target;

pub use body::OriginBody;
pub use client::{Client, Options, Protocol};
pub use error::Error;
pub use look::LastLook;
pub use target::{InvalidTarget, Target};

/// An error of a body.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
