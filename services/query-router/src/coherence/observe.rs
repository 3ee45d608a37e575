//! What is counted of the writes' side of the cache.

use std::time::{Duration, Instant};

use layer_service::metrics::{Metrics, Series};
use prometheus::{HistogramVec, IntCounter, IntCounterVec};

/// From what a hold next door takes, to its deadline.
const WAIT_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

layer_service::metrics! {
    /// All of them, for the inventory.
    pub METRICS:

    /// Holds of writes, of keys or of the namespace: held, unheld (the write went on without), refused (coherence is
    /// strict).
    HOLDS = Counter "layer_write_holds_total" by ["of", "result"];
    /// How long writes waited for the cache: hold (before they were sent), release (before they were acknowledged).
    WAITS = Histogram(WAIT_SECONDS) "layer_write_cache_wait_seconds" by ["phase"];
    /// What became of writes that were held: nothing, changed (by key), purged (what changed is not known), unknown (no
    /// definite answer of the origin: the hold runs out).
    OUTCOMES = Counter "layer_write_outcomes_total" by ["outcome"];
    /// Writes by filter to which Layer added return_affected_ids.
    ASKED = Counter "layer_write_ids_asked_total";
}

/// The series.
#[derive(Debug, Clone)]
pub struct Counts {
    holds: IntCounterVec,
    waits: HistogramVec,
    outcomes: IntCounterVec,
    asked: IntCounter,
}

impl Counts {
    /// Registers them.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            holds: metrics.counter(&HOLDS),
            waits: metrics.histogram(&WAITS),
            outcomes: metrics.counter(&OUTCOMES),
            asked: metrics.counter(&ASKED).only(),
        }
    }

    /// A hold was asked for at `started`.
    pub fn held(&self, of: &str, result: &str, started: Instant) {
        self.holds.with_label_values(&[of, result]).inc();
        self.waited("hold", started.elapsed());
    }

    /// A write waited for the cache.
    pub fn waited(&self, phase: &str, time: Duration) {
        self.waits.with_label_values(&[phase]).observe(time.as_secs_f64());
    }

    /// A held write has come to its end.
    pub fn ended(&self, outcome: &str) {
        self.outcomes.with_label_values(&[outcome]).inc();
    }

    /// Layer asked for ids.
    pub fn asked(&self) {
        self.asked.inc();
    }
}
