//! Writes keep the document cache coherent (docs/adr/0004-cache-coherence.md).
//!
//! A write is held before its first byte goes to the origin, and what it changed is cleared before its answer's first
//! byte goes to the caller; in between the cache may serve the old row, which nobody has been told is old. What is held
//! depends on what the body tells ([`plan`]): a few ids by their keys, all else by the namespace. What the answer says
//! decides what is cleared ([`verdict`]); without a definite answer the hold is left to run out. A caller that goes away
//! ends nothing ([`detach`]), and a router that stood still sends nothing old ([`gate`]).
//!
//! It must never acknowledge a write whose changes the cache does not know of, and never let a failing cache fail a write
//! (but where `cache.coherence` is `strict`, before anything was sent).

mod detach;
mod gate;
mod hold;
mod lists;
mod observe;
mod operations;
mod plan;
mod send;
mod verdict;

use layer_service::{metrics::Metrics, shed::InFlight};

pub use gate::{Gate, Stopped};
pub use observe::METRICS;
pub use plan::Written;

use observe::Counts;

/// What all writes of this process share.
pub struct Coherence {
    counts: Counts,
    /// Writes whose callers have gone away, and that wait for the origin's answer all the same.
    detached: InFlight,
}

impl Coherence {
    /// `detached_max`: how many writes may go on without their callers.
    pub fn new(metrics: &Metrics, detached_max: usize) -> Self {
        Self { counts: Counts::new(metrics), detached: InFlight::new(detached_max) }
    }
}
