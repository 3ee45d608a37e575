//! One cold start: from the first fetch that found the cache away to the first that it served.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use layer_service::metrics::{Metrics, Series};
use prometheus::{Histogram, IntCounter, IntGauge};

use super::{COLD_START_ACTIVE, COLD_START_SECONDS, COLD_STARTS};

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
            starts: metrics.counter(&COLD_STARTS).only(),
            seconds: metrics.histogram(&COLD_START_SECONDS).only(),
            active_gauge: metrics.gauge(&COLD_START_ACTIVE).only(),
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
