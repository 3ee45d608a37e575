//! The fake origin: answers at once, with fixed bodies, for as little CPU as possible.
//!
//! It stands where Turbopuffer would, so that what is measured is the proxy. One thread, one poller, answers made
//! before the first request. It must never answer before a request was read to its end: a proxy that drops part of a
//! body would then look fast.

mod connection;
mod server;
mod site;
mod tally;

pub use server::Server;
pub use tally::Tally;
