//! What functions count.

use std::{sync::Arc, time::Instant};

use layer_service::metrics::{Bounded, LABEL_VALUES_MAX, Metrics, OTHER, SECONDS};
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};

use crate::state::Status;

layer_service::metrics! {
    /// Every metric of functions, for the inventory.
    pub METRICS:

    /// Rows that wait to be claimed, now or after a backoff.
    DEPTH = Gauge "layer_udf_queue_depth" by ["udf"];
    /// Rows by what they do: pending, delayed, running, failed.
    STAGES = Gauge "layer_udf_stage_count" by ["udf", "stage"];
    /// Rows that entered the queue, by what found them: discovery, discover (a caller's), write, invalidated.
    ENQUEUED = Counter "layer_udf_enqueued_total" by ["udf", "trigger"];
    /// Rows that were handed out.
    CLAIMED = Counter "layer_udf_claimed_total" by ["udf"];
    /// Results, by what became of them: done, obsolete, refused (by the origin), late (not held any more).
    COMPLETED = Counter "layer_udf_completed_total" by ["udf", "outcome"];
    /// Rows that workers said had failed, by kind: transient, permanent.
    FAILED = Counter "layer_udf_failed_total" by ["udf", "kind"];
    /// Pages of searches for rows, by status: ok, no_namespace, refused, unavailable.
    PAGES = Histogram(SECONDS) "layer_udf_page_duration_seconds" by ["udf", "status"];
    /// Rounds that have looked through all namespaces of a function.
    ROUNDS = Gauge "layer_udf_sweeps_completed" by ["udf"];
}

/// The series. A function's id is a label: there are as many as there are functions, and beyond a bound they share one.
#[derive(Debug)]
pub(crate) struct Observe {
    names: Bounded<String>,
    depth: IntGaugeVec,
    stages: IntGaugeVec,
    enqueued: IntCounterVec,
    claimed: IntCounterVec,
    completed: IntCounterVec,
    failed: IntCounterVec,
    pages: HistogramVec,
    rounds: IntGaugeVec,
}

impl Observe {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            names: Bounded::new(LABEL_VALUES_MAX, OTHER.to_owned(), |_, name| name.to_owned()),
            depth: metrics.gauge(&DEPTH),
            stages: metrics.gauge(&STAGES),
            enqueued: metrics.counter(&ENQUEUED),
            claimed: metrics.counter(&CLAIMED),
            completed: metrics.counter(&COMPLETED),
            failed: metrics.counter(&FAILED),
            pages: metrics.histogram(&PAGES),
            rounds: metrics.gauge(&ROUNDS),
        }
    }

    fn name(&self, function: &str) -> Arc<String> {
        self.names.get(function)
    }

    /// How far a function is.
    pub(crate) fn status(&self, function: &str, status: &Status, rounds: i64) {
        let name = self.name(function);
        let sum = |of: fn(&crate::state::StageCount) -> i64| status.stages.iter().map(of).sum::<i64>();
        let (ready, delayed, leased) = (sum(|s| s.ready), sum(|s| s.delayed), sum(|s| s.leased));
        self.depth.with_label_values(&[name.as_str()]).set(ready + delayed);
        let dead = status.failures.iter().map(|(_, n)| n).sum();
        for (stage, n) in [("pending", ready), ("delayed", delayed), ("running", leased), ("failed", dead)] {
            self.stages.with_label_values(&[name.as_str(), stage]).set(n);
        }
        self.rounds.with_label_values(&[name.as_str()]).set(rounds);
    }

    /// A function is no more.
    pub(crate) fn forget(&self, function: &str) {
        let name = self.name(function);
        // Series that were never made need not be taken away.
        drop(self.depth.remove_label_values(&[name.as_str()]));
        drop(self.rounds.remove_label_values(&[name.as_str()]));
        for stage in ["pending", "delayed", "running", "failed"] {
            drop(self.stages.remove_label_values(&[name.as_str(), stage]));
        }
    }

    pub(crate) fn enqueued(&self, function: &str, trigger: &str, n: usize) {
        self.enqueued.with_label_values(&[self.name(function).as_str(), trigger]).inc_by(n as u64);
    }

    pub(crate) fn claimed(&self, function: &str, n: usize) {
        self.claimed.with_label_values(&[self.name(function).as_str()]).inc_by(n as u64);
    }

    pub(crate) fn completed(&self, function: &str, outcome: &str, n: usize) {
        self.completed.with_label_values(&[self.name(function).as_str(), outcome]).inc_by(n as u64);
    }

    pub(crate) fn failed(&self, function: &str, kind: &str) {
        self.failed.with_label_values(&[self.name(function).as_str(), kind]).inc();
    }

    pub(crate) fn page(&self, function: &str, status: &str, began: Instant) {
        let series = self.pages.with_label_values(&[self.name(function).as_str(), status]);
        series.observe(began.elapsed().as_secs_f64());
    }
}
