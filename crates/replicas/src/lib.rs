//! Replicas of another part of the mesh: found by name, probed, picked, and called.
//!
//! What every client of another part needs is here once. Names are looked up again and again, so that replicas are
//! followed as they come and go; each is probed while it does not answer, so that no caller pays for finding out; and a
//! pick is ours, since tonic's own balancing picks endpoints that are dead. The document cache's handle has rules of its
//! own and takes the pieces; everybody else calls through [`Part`], which fails fast: while no replica answers, a call
//! costs nothing and fails at once with the name of the part.
//!
//! It must never repeat a call that may have reached a replica, and never wait longer than its caller says.

mod address;
mod body;
mod call;
mod channel;
mod failure;
mod names;
mod observe;
mod part;
mod probe;
mod replicas;
mod resolve;
mod tls;

#[cfg(test)]
mod tests;

pub use address::host_and_port;
pub use call::{Calling, Wait};
pub use channel::{Dialer, PerReplica, shaped};
pub use failure::Failure;
pub use names::Names;
pub use observe::METRICS;
pub use part::{Part, PartOptions, PartService};
pub use probe::{Probed, innermost, watch};
pub use replicas::{Backoff, Health, InFlight, Replica, Replicas};
pub use resolve::{Resolve, SystemResolver};
pub use tls::ClientTlsSettings;
