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
mod invalidate;
mod lists;
mod observe;
mod operations;
mod plan;
mod send;
mod verdict;
mod warm;

use layer_cache::{CacheSettings, Policies, Policy};
use layer_service::{config::ConfigError, metrics::Metrics, shed::InFlight};

pub use gate::{Gate, Stopped};
pub use observe::METRICS;
pub use plan::Written;

use observe::Counts;

/// What all writes of this process share.
pub struct Coherence {
    counts: Counts,
    /// Writes whose callers have gone away, and that wait for the origin's answer all the same.
    detached: InFlight,
    /// Writes whose documents are being read back.
    warming: InFlight,
    policies: Policies,
}

/// How many writes' documents are read back at once; those of further ones are left to the next reader.
const WARMING_MAX: usize = 64;

impl Coherence {
    /// `detached_max`: how many writes may go on without their callers.
    ///
    /// # Errors
    /// [`ConfigError`] where a rule of `cache.namespaces` is none.
    pub fn new(settings: &CacheSettings, metrics: &Metrics, detached_max: usize) -> Result<Self, ConfigError> {
        Ok(Self {
            counts: Counts::new(metrics),
            detached: InFlight::new(detached_max),
            warming: InFlight::new(WARMING_MAX),
            policies: Policies::new(settings)?,
        })
    }

    /// What holds for a namespace.
    pub fn policy(&self, namespace: &str) -> Policy {
        self.policies.of(namespace)
    }
}
