//! One cold start: from the first fetch that found the cache away to the first that it served.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use layer_service::metrics::{Kind, Metric, Metrics};
use prometheus::{Histogram, IntCounter, IntGauge};

pub const COLD_STARTS: Metric = Metric {
    name: "hevlayer_document_cache_cold_starts_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Times that a fetch found the document cache away which had served, or never served before.",
};
pub const COLD_START_SECONDS: Metric = Metric {
    name: "hevlayer_document_cache_cold_start_seconds",
    kind: Kind::Histogram(&[1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0]),
    labels: &[],
    help: "From the first fetch that found the document cache away to the first that it served.",
};
pub const COLD_START_ACTIVE: Metric = Metric {
    name: "hevlayer_document_cache_cold_start_active",
    kind: Kind::Gauge,
    labels: &[],
    help: "1 while fetches wait for the document cache to wake.",
};

/// The cold start that is under way, if one is.
pub struct ColdStart {
    /// Read by every fetch, so that the lock is taken only where something begins or ends.
    active: AtomicBool,
    since: Mutex<Option<Instant>>,
    starts: IntCounter,
    seconds: Histogram,
    active_gauge: IntGauge,
}

impl ColdStart {
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            active: AtomicBool::new(false),
            since: Mutex::default(),
            starts: metrics.counter(&COLD_STARTS).with_label_values::<&str>(&[]),
            seconds: metrics.histogram(&COLD_START_SECONDS).with_label_values::<&str>(&[]),
            active_gauge: metrics.gauge(&COLD_START_ACTIVE).with_label_values::<&str>(&[]),
        }
    }

    /// A fetch found the cache away.
    pub fn demanded(&self) {
        if self.active.load(Ordering::Relaxed) {
            return;
        }
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.is_none() {
            *since = Some(Instant::now());
            self.starts.inc();
            self.active_gauge.set(1);
            self.active.store(true, Ordering::Relaxed);
        }
    }

    /// A fetch was served by the cache.
    pub fn served(&self) {
        if !self.active.load(Ordering::Relaxed) {
            return;
        }
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(began) = since.take() {
            self.seconds.observe(began.elapsed().as_secs_f64());
            self.active_gauge.set(0);
            self.active.store(false, Ordering::Relaxed);
        }
    }
}
