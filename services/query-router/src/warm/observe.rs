//! What warming counts.

use layer_service::metrics::{Kind, Metric, Metrics};
use prometheus::{IntCounter, IntCounterVec, IntGauge};

const JOBS: Metric = Metric {
    name: "layer_warm_jobs_total",
    kind: Kind::Counter,
    labels: &["status"],
    help: "Warm jobs: started, taken_over (from a router that is gone), and how they ended: completed, failed, cancelled, handed_on (this router stopped, or lost the job to another).",
};
const DOCUMENTS: Metric = Metric {
    name: "layer_warm_documents_total",
    kind: Kind::Counter,
    labels: &["result"],
    help: "Documents of warm jobs: scanned (gone through), warmed (read from the origin and handed to the cache).",
};
const ACTIVE: Metric =
    Metric { name: "layer_warm_jobs_active", kind: Kind::Gauge, labels: &[], help: "Warm jobs that this router runs." };

/// Every metric of warming, for the inventory.
pub const METRICS: &[&Metric] = &[&JOBS, &DOCUMENTS, &ACTIVE];

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
        let documents = metrics.counter(&DOCUMENTS);
        Self {
            jobs: metrics.counter(&JOBS),
            scanned: documents.with_label_values(&["scanned"]),
            warmed: documents.with_label_values(&["warmed"]),
            active: metrics.gauge(&ACTIVE).with_label_values::<&str>(&[]),
        }
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
