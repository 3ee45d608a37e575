//! What the document cache counts.
//!
//! `set` is what the keys name: document, chunk, snapshot or blob. No label ever holds a key, and the number of namespaces
//! told apart is bounded.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use layer_service::metrics::{Bounded, LABEL_VALUES_MAX, Metric, Metrics, OTHER, Series};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use crate::backend::{self, Filled, Kind, Lookup, Usage, aerospike, embedded};

/// From 50 µs, as a lookup should be, to 10 s.
const SECONDS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 10.0];
const BYTES: &[f64] = &[100.0, 1e3, 1e4, 1e5, 1e6, 1e7];
const KINDS: usize = 4;

layer_service::metrics! {
    /// The metrics of the service itself.
    OWN:

    /// Keys looked up: hit, miss, bypass (no canary went through lately, so nothing is served), error.
    LOOKUPS = Counter "layer_cache_lookups_total" by ["set", "namespace", "result"];
    /// Lookups of one or many keys, at the backend; `partial`: some keys of a batch were hits.
    LOOKUP_DURATION = Histogram(SECONDS) "layer_cache_lookup_duration_seconds" by ["set", "result"];
    /// Values to store: ok, lease_ended (a write came between), too_large, stop_writes, over_quota, error.
    BACKFILLS = Counter "layer_cache_backfills_total" by ["set", "status"];
    /// Calls that store values, at the backend.
    BACKFILL_DURATION = Histogram(SECONDS) "layer_cache_backfill_duration_seconds" by ["set", "status"];
    /// Sizes of values as they are stored: hit (served), fill (stored).
    PAYLOAD = Histogram(BYTES) "layer_cache_payload_bytes" by ["set", "result"];
    /// Calls of writers: hold, release, clear, hold_namespace, release_namespace, purge_namespace; ok or error.
    WRITES = Counter "layer_cache_writes_total" by ["operation", "status"];
    /// Calls refused because too many were in flight.
    SHED = Counter "layer_cache_shed_total";
    /// Values stored.
    ENTRIES = Gauge "layer_cache_entries";
    /// Bytes taken, in memory and on disk, with all that they cost there.
    SIZE = Gauge "layer_cache_bytes";
    /// Bytes that may be taken.
    CAPACITY = Gauge "layer_cache_capacity_bytes";
    /// Values that went to make room, since the start.
    EVICTIONS = Gauge "layer_cache_evictions";
    /// 1 while hits are served: a canary went through lately.
    PROVEN = Gauge "layer_cache_proven";
    /// Age of the last canary that went through; -1: none yet.
    CANARY_AGE = Gauge "layer_cache_canary_age_milliseconds";
    /// New epochs, each of which voids everything cached before.
    EPOCHS = Counter "layer_cache_epoch_changes_total";
}

/// Every metric of doc-cache, for the inventory.
pub fn metrics() -> Vec<&'static Metric> {
    [OWN, embedded::METRICS, aerospike::METRICS].concat()
}

/// How a key's lookup ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookupResult {
    Hit,
    Miss,
    Bypass,
    Error,
    /// Of a batch only.
    Partial,
}

const RESULTS: usize = 5;
const RESULT_NAMES: [&str; RESULTS] = ["hit", "miss", "bypass", "error", "partial"];
const FILL_STATUSES: [(Filled, &str); 6] = [
    (Filled::Stored, "ok"),
    (Filled::LeaseEnded, "lease_ended"),
    (Filled::TooLarge, "too_large"),
    (Filled::StopWrites, "stop_writes"),
    (Filled::OverQuota, "over_quota"),
    (Filled::Failed, "error"),
];

/// What a kind is called in labels.
fn set(kind: Kind) -> &'static str {
    match kind {
        Kind::Document => "document",
        Kind::Chunk => "chunk",
        Kind::Snapshot => "snapshot",
        Kind::Blob => "blob",
    }
}

/// Counters of one namespace by kind and result, made when first needed.
struct NamespaceSeries {
    name: String,
    lookups: IntCounterVec,
    made: [[OnceLock<IntCounter>; RESULTS]; KINDS],
}

impl NamespaceSeries {
    fn new(name: &str, lookups: &IntCounterVec) -> Self {
        Self { name: name.to_owned(), lookups: lookups.clone(), made: Default::default() }
    }

    fn count(&self, kind: Kind, result: LookupResult, keys: u64) {
        let made = &self.made[kind as usize][result as usize];
        let labels = [set(kind), &self.name, RESULT_NAMES[result as usize]];
        made.get_or_init(|| self.lookups.with_label_values(&labels)).inc_by(keys);
    }
}

/// The metrics; made once, shared by all workers.
pub(crate) struct Observe {
    namespaces: Bounded<NamespaceSeries>,
    lookup_duration: [[Histogram; RESULTS]; KINDS],
    payload: [[Histogram; 2]; KINDS],
    backfills: [[IntCounter; FILL_STATUSES.len()]; KINDS],
    backfill_duration: [[Histogram; 2]; KINDS],
    writes: IntCounterVec,
    /// Calls that the bound on those in flight refused.
    pub(crate) shed: IntCounter,
    entries: IntGauge,
    size: IntGauge,
    capacity: IntGauge,
    evictions: IntGauge,
    proven: IntGauge,
    canary_age: IntGauge,
    epochs: IntCounter,
    hits: AtomicU64,
    misses: AtomicU64,
    fills: AtomicU64,
}

const ALL_KINDS: [Kind; KINDS] = [Kind::Document, Kind::Chunk, Kind::Snapshot, Kind::Blob];

impl Observe {
    /// Registers the metrics.
    pub(crate) fn new(metrics: &Metrics) -> Arc<Self> {
        let lookups = metrics.counter(&LOOKUPS);
        let lookup_duration = metrics.histogram(&LOOKUP_DURATION);
        let payload = metrics.histogram(&PAYLOAD);
        let backfills = metrics.counter(&BACKFILLS);
        let backfill_duration = metrics.histogram(&BACKFILL_DURATION);
        let gauge = |metric| metrics.gauge(metric).only();
        Arc::new(Self {
            namespaces: Bounded::new(LABEL_VALUES_MAX, NamespaceSeries::new(OTHER, &lookups), |other, name| {
                NamespaceSeries::new(name, &other.lookups)
            }),
            lookup_duration: ALL_KINDS
                .map(|kind| RESULT_NAMES.map(|result| lookup_duration.with_label_values(&[set(kind), result]))),
            payload: ALL_KINDS
                .map(|kind| ["hit", "fill"].map(|result| payload.with_label_values(&[set(kind), result]))),
            backfills: ALL_KINDS
                .map(|kind| FILL_STATUSES.map(|(_, status)| backfills.with_label_values(&[set(kind), status]))),
            backfill_duration: ALL_KINDS
                .map(|kind| ["ok", "error"].map(|status| backfill_duration.with_label_values(&[set(kind), status]))),
            writes: metrics.counter(&WRITES),
            shed: metrics.counter(&SHED).only(),
            entries: gauge(&ENTRIES),
            size: gauge(&SIZE),
            capacity: gauge(&CAPACITY),
            evictions: gauge(&EVICTIONS),
            proven: gauge(&PROVEN),
            canary_age: gauge(&CANARY_AGE),
            epochs: metrics.counter(&EPOCHS).only(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            fills: AtomicU64::new(0),
        })
    }

    /// What the backend found of some keys.
    pub(crate) fn looked_up(&self, scope: &backend::Scope, lookups: &[Lookup], began: Instant) {
        let mut hits = 0;
        for lookup in lookups {
            if let Lookup::Hit(body) = lookup {
                hits += 1;
                self.payload[scope.kind as usize][0].observe(as_f64(body.data.len()));
            }
        }
        let misses = lookups.len() as u64 - hits;
        let series = self.namespaces.get(&scope.namespace);
        if hits > 0 {
            series.count(scope.kind, LookupResult::Hit, hits);
            self.hits.fetch_add(hits, Relaxed);
        }
        if misses > 0 {
            series.count(scope.kind, LookupResult::Miss, misses);
            self.misses.fetch_add(misses, Relaxed);
        }
        let result = match (hits, misses) {
            (_, 0) => LookupResult::Hit,
            (0, _) => LookupResult::Miss,
            _ => LookupResult::Partial,
        };
        self.timed(scope.kind, result, began);
    }

    /// Keys that were not served, for want of a proof or because the backend failed.
    pub(crate) fn not_served(&self, scope: &backend::Scope, result: LookupResult, keys: usize, began: Instant) {
        self.namespaces.get(&scope.namespace).count(scope.kind, result, keys as u64);
        self.misses.fetch_add(keys as u64, Relaxed);
        self.timed(scope.kind, result, began);
    }

    fn timed(&self, kind: Kind, result: LookupResult, began: Instant) {
        self.lookup_duration[kind as usize][result as usize].observe(began.elapsed().as_secs_f64());
    }

    /// What became of values of `sizes`.
    pub(crate) fn filled(&self, kind: Kind, sizes: &[usize], filled: &[Filled], began: Instant) {
        for (size, filled) in sizes.iter().zip(filled) {
            if let Some(at) = FILL_STATUSES.iter().position(|(status, _)| status == filled) {
                self.backfills[kind as usize][at].inc();
            }
            if *filled == Filled::Stored {
                self.fills.fetch_add(1, Relaxed);
                self.payload[kind as usize][1].observe(as_f64(*size));
            }
        }
        self.backfill_duration[kind as usize][0].observe(began.elapsed().as_secs_f64());
    }

    /// The backend failed to store `values`.
    pub(crate) fn fill_failed(&self, kind: Kind, values: usize, began: Instant) {
        self.backfills[kind as usize][FILL_STATUSES.len() - 1].inc_by(values as u64);
        self.backfill_duration[kind as usize][1].observe(began.elapsed().as_secs_f64());
    }

    /// A writer's call ended.
    pub(crate) fn wrote(&self, operation: &str, ok: bool) {
        self.writes.with_label_values(&[operation, if ok { "ok" } else { "error" }]).inc();
    }

    /// A new epoch began.
    pub(crate) fn epoch_changed(&self) {
        self.epochs.inc();
    }

    /// The state of the canary and of the backend, looked at now and then.
    pub(crate) fn proof(&self, age: Option<Duration>, fresh: bool, usage: &Usage) {
        let set = |gauge: &IntGauge, value: Option<u64>| gauge.set(value.map_or(0, as_i64));
        set(&self.entries, usage.entries);
        set(&self.size, usage.bytes);
        set(&self.capacity, usage.capacity_bytes);
        set(&self.evictions, usage.evictions);
        self.proven.set(i64::from(fresh));
        self.canary_age.set(age.map_or(-1, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX)));
    }

    /// Hits, misses and fills of this replica since it started.
    pub(crate) fn totals(&self) -> [u64; 3] {
        [&self.hits, &self.misses, &self.fills].map(|total| total.load(Relaxed))
    }
}

fn as_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Sizes are far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn as_f64(bytes: usize) -> f64 {
    bytes as f64
}
