//! What is counted of bodies. The object store's own series are its crate's.

use layer_service::metrics::{Metrics, Series as _};
use prometheus::IntCounterVec;

layer_service::metrics! {
    /// Every metric of bodies.
    pub METRICS:

    /// Bodies that were looked up in the document cache: hit, miss, error (the cache was away).
    READS = Counter "layer_chunk_cache_reads_total" by ["result"];
    /// Copies of bodies given to the document cache: ok, error (it was away, or refuses writes).
    WRITES = Counter "layer_chunk_cache_writes_total" by ["status"];
    /// Bodies taken away from the object store because nothing named them any more.
    SWEPT = Counter "layer_bodies_swept_total";
}

/// The series.
#[derive(Debug, Clone)]
pub(crate) struct Observe {
    reads: IntCounterVec,
    writes: IntCounterVec,
    swept: prometheus::IntCounter,
}

impl Observe {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let (reads, writes) = (metrics.counter(&READS), metrics.counter(&WRITES));
        Self { reads, writes, swept: metrics.counter(&SWEPT).only() }
    }

    pub(super) fn read(&self, result: &str) {
        self.reads.with_label_values(&[result]).inc();
    }

    pub(super) fn written(&self, status: &str) {
        self.writes.with_label_values(&[status]).inc();
    }

    pub(crate) fn swept(&self, bodies: usize) {
        self.swept.inc_by(bodies as u64);
    }
}
