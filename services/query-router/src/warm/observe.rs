//! What warming counts.

use layer_service::metrics::{Metrics, Series};
use prometheus::{IntCounter, IntCounterVec, IntGauge};

layer_service::metrics! {
    /// Every metric of warming, for the inventory.
    pub METRICS:

    /// Warm jobs: started, taken_over (from a router that is gone), and how they ended: completed, failed, cancelled,
    /// handed_on (this router stopped, or lost the job to another).
    JOBS = Counter "layer_warm_jobs_total" by ["status"];
    /// Documents of warm jobs: scanned (gone through), warmed (read from the origin and handed to the cache).
    DOCUMENTS = Counter "layer_warm_documents_total" by ["result"];
    /// Warm jobs that this router runs.
    ACTIVE = Gauge "layer_warm_jobs_active";
}

/// The series.
#[derive(Debug, Clone)]
pub struct WarmObserve {
    jobs: IntCounterVec,
    /// Ids listed.
    pub scanned: IntCounter,
    /// Rows handed to the cache.
    pub warmed: IntCounter,
    active: IntGauge,
}

impl WarmObserve {
    /// Registers the metrics.
    pub fn new(metrics: &Metrics) -> Self {
        let [scanned, warmed] = metrics.counter(&DOCUMENTS).of(["scanned", "warmed"]);
        Self { jobs: metrics.counter(&JOBS), scanned, warmed, active: metrics.gauge(&ACTIVE).only() }
    }

    /// A job started or ended.
    pub fn job(&self, status: &str) {
        self.jobs.with_label_values(&[status]).inc();
    }

    /// A job runs as long as this is held.
    pub fn active(&self) -> Active {
        self.active.inc();
        Active(self.active.clone())
    }
}

/// A job that runs.
#[derive(Debug)]
pub struct Active(IntGauge);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}
