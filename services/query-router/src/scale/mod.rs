//! Scale to zero: what wakes the document cache, and how long waking took.
//!
//! Every fetch is demand, whoever answers it. KEDA learns of demand by a call that it makes now and then and by a stream
//! that tells it at once (`external_scaler`), and any Prometheus by `hevlayer_cache_demand_total`. Nothing here ever
//! waits for the cache: a fetch is answered from the origin while it wakes.

mod cold_start;
mod demand;
mod external_scaler;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU8, Ordering::Relaxed},
};

use layer_service::metrics::{Bounded, LABEL_VALUES_MAX, Metrics, OTHER};
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

use self::cold_start::ColdStart;
pub use self::{demand::Demand, external_scaler::service};
pub use layer_scaler::SERVICE;

const STORE: &str = "turbopuffer";
/// A pod that is there, to a node that is not.
const WAKING_SECONDS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];

layer_service::metrics! {
    /// Every metric of this module.
    pub METRICS:

    /// Fetches that wanted the document cache, whether it was there or not.
    DEMAND = Counter "hevlayer_cache_demand_total" by ["namespace", "store_kind"];
    /// Fetches that the origin answered because the document cache was away.
    COLD_RESPONSES = Counter "hevlayer_cache_cold_responses_total" by ["namespace", "store_kind"];
    /// 1 for the state in which the last fetch of a namespace met the document cache: cold (away) or warm.
    STATE = Gauge "hevlayer_cache_state" by ["namespace", "store_kind", "state"];
    /// Times that a fetch found the document cache away which had served, or never served before.
    COLD_STARTS = Counter "hevlayer_document_cache_cold_starts_total";
    /// From the first fetch that found the document cache away to the first that it served.
    COLD_START_SECONDS = Histogram(WAKING_SECONDS) "hevlayer_document_cache_cold_start_seconds";
    /// 1 while fetches wait for the document cache to wake.
    COLD_START_ACTIVE = Gauge "hevlayer_document_cache_cold_start_active";
}

/// How a fetch met the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It was away.
    Away,
    /// It answered, and had not everything.
    Missed,
    /// It answered all.
    Served,
}

/// What all workers tell of their fetches.
pub struct Scale {
    demand: Arc<Demand>,
    cold_start: ColdStart,
    namespaces: Bounded<PerNamespace>,
}

struct PerNamespace {
    name: String,
    series: Arc<Series>,
    demand: IntCounter,
    cold_responses: IntCounter,
    /// How the last fetch met it: 0 before the first, 1 away, 2 there. Read by every fetch, so that the lock is taken only
    /// where it changes.
    met: AtomicU8,
    change: Mutex<()>,
}

struct Series {
    demand: IntCounterVec,
    cold_responses: IntCounterVec,
    state: IntGaugeVec,
}

impl Scale {
    /// Registers the series.
    pub fn new(metrics: &Metrics) -> Self {
        let series = Series {
            demand: metrics.counter(&DEMAND),
            cold_responses: metrics.counter(&COLD_RESPONSES),
            state: metrics.gauge(&STATE),
        };
        let other = PerNamespace::new(Arc::new(series), OTHER);
        Self {
            demand: Arc::default(),
            cold_start: ColdStart::new(metrics),
            namespaces: Bounded::new(LABEL_VALUES_MAX, other, |other, name| {
                PerNamespace::new(Arc::clone(&other.series), name)
            }),
        }
    }

    /// What KEDA is told of.
    pub fn demand(&self) -> Arc<Demand> {
        Arc::clone(&self.demand)
    }

    /// A fetch is about to ask the cache.
    pub fn wanted(&self, namespace: &str) {
        self.namespaces.known(namespace).demand.inc();
        self.demand.wanted();
    }

    /// How that fetch met it. `known`: the origin or the cache has the namespace, so it may have series of its own.
    pub fn met(&self, namespace: &str, known: bool, met: Met) {
        let of = if known { self.namespaces.get(namespace) } else { self.namespaces.known(namespace) };
        of.met(met == Met::Away);
        match met {
            Met::Away => self.cold_start.demanded(),
            Met::Served => self.cold_start.served(),
            Met::Missed => {}
        }
    }
}

impl PerNamespace {
    fn new(series: Arc<Series>, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            demand: series.demand.with_label_values(&[name, STORE]),
            cold_responses: series.cold_responses.with_label_values(&[name, STORE]),
            series,
            met: AtomicU8::new(0),
            change: Mutex::default(),
        }
    }

    fn met(&self, away: bool) {
        if away {
            self.cold_responses.inc();
        }
        let now = if away { 1 } else { 2 };
        if self.met.load(Relaxed) == now {
            return;
        }
        let _change = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        self.met.store(now, Relaxed);
        for (state, now) in [("cold", away), ("warm", !away)] {
            self.series.state.with_label_values(&[self.name.as_str(), STORE, state]).set(i64::from(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_is_demand_whoever_answers() {
        let metrics = Metrics::default();
        let scale = Scale::new(&metrics);
        scale.wanted("ns");
        scale.met("ns", true, Met::Away);
        scale.wanted("ns");
        scale.met("ns", true, Met::Served);
        let page = metrics.text();
        let has = |line: &str| assert!(page.contains(line), "{line} is missing in\n{page}");
        has("hevlayer_cache_cold_responses_total{namespace=\"ns\",store_kind=\"turbopuffer\"} 1");
        has("hevlayer_cache_state{namespace=\"ns\",state=\"warm\",store_kind=\"turbopuffer\"} 1");
        has("hevlayer_cache_state{namespace=\"ns\",state=\"cold\",store_kind=\"turbopuffer\"} 0");
        has("hevlayer_document_cache_cold_starts_total 1");
        has("hevlayer_document_cache_cold_start_active 0");
        has("hevlayer_document_cache_cold_start_seconds_count 1");
    }

    #[test]
    fn a_namespace_that_nobody_knows_gets_no_series() {
        let metrics = Metrics::default();
        let scale = Scale::new(&metrics);
        scale.wanted("made-up");
        scale.met("made-up", false, Met::Missed);
        assert!(!metrics.text().contains("made-up"));
    }
}
