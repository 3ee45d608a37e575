//! What is counted of the cache, as its callers see it.
//!
//! doc-cache counts its own side; these series show what that side cannot: calls that never arrived. No label ever holds
//! a key or a namespace.

use std::{sync::OnceLock, time::Duration};

use layer_service::metrics::{Metrics, Series};
use prometheus::{Histogram, HistogramVec, IntCounter, IntGauge};

use crate::state::State;

/// A hit takes a fraction of a millisecond; a hold may take a second.
const CALL_SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

layer_service::metrics! {
    /// Every metric of this crate, for the inventory of a service that uses it.
    pub METRICS:

    /// Calls to doc-cache as the caller waited for them. Status: ok, deadline, stop_writes, failed.
    CALLS = Histogram(CALL_SECONDS) "layer_cache_call_duration_seconds" by ["operation", "status"];
    /// Values given to be stored, by what became of them: stored, lease_ended, too_large, stop_writes, over_quota,
    /// failed; dropped (queue full), away (no cache), bypassed (a write is undelivered).
    FILLS = Counter "layer_cache_fills_total" by ["status"];
    /// 1 while the breaker of that path (read, write) is open.
    BREAKER = Gauge "layer_cache_breaker_open" by ["path"];
    /// Replicas of doc-cache: known by name, connected.
    REPLICAS = Gauge "layer_cache_replicas" by ["state"];
    /// What writes have to tell the cache yet and could not: keys, and namespaces to purge. The cache is bypassed for
    /// them.
    BACKLOG = Gauge "hevlayer_cache_release_backlog" by ["of"];
    /// Messages of writes that came to the backlog or worse: hold (the write went on without), release, unknown (its
    /// outcome is: it is held anew), overflow (keys given up for a purge), lost (the cache is not used for its time to
    /// live).
    UNDELIVERED = Counter "layer_cache_undelivered_total" by ["what"];
    /// Keys looked up while a write of theirs was undelivered: answered from the origin.
    BYPASSED = Counter "layer_cache_bypassed_total";
    /// Values that were found and could not be unpacked: answered from the origin.
    UNREADABLE = Counter "layer_cache_unreadable_total";
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Get,
    BatchGet,
    Fill,
    Hold,
    Release,
    HoldNamespace,
    Clear,
    ReleaseNamespace,
    Purge,
    Inspect,
    Stats,
    Probe,
}

impl Operation {
    /// What it is called in labels and spans.
    pub(crate) fn name(self) -> &'static str {
        OPERATIONS[self as usize]
    }
}

const OPERATIONS: [&str; 12] = [
    "get",
    "batch_get",
    "fill",
    "hold",
    "release",
    "hold_namespace",
    "clear",
    "release_namespace",
    "purge",
    "inspect",
    "stats",
    "probe",
];

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Deadline,
    StopWrites,
    Failed,
}

const STATUSES: [&str; 4] = ["ok", "deadline", "stop_writes", "failed"];

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FillEnd {
    Stored,
    LeaseEnded,
    TooLarge,
    StopWrites,
    OverQuota,
    Failed,
    Dropped,
    Away,
    Bypassed,
}

const FILL_ENDS: [&str; 9] =
    ["stored", "lease_ended", "too_large", "stop_writes", "over_quota", "failed", "dropped", "away", "bypassed"];

/// What writes could not tell the cache at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undelivered {
    Hold,
    Release,
    Unknown,
    Overflow,
    Lost,
}

const UNDELIVERED_NAMES: [&str; 5] = ["hold", "release", "unknown", "overflow", "lost"];

/// The series; made once, shared by all workers.
#[derive(Debug)]
pub(crate) struct Observe {
    calls: HistogramVec,
    by_call: [[OnceLock<Histogram>; STATUSES.len()]; OPERATIONS.len()],
    fills: [IntCounter; FILL_ENDS.len()],
    undelivered: [IntCounter; UNDELIVERED_NAMES.len()],
    bypassed: IntCounter,
    unreadable: IntCounter,
    breakers: [IntGauge; 2],
    replicas: [IntGauge; 2],
    backlog: [IntGauge; 2],
}

impl Observe {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            calls: metrics.histogram(&CALLS),
            by_call: Default::default(),
            fills: metrics.counter(&FILLS).of(FILL_ENDS),
            undelivered: metrics.counter(&UNDELIVERED).of(UNDELIVERED_NAMES),
            bypassed: metrics.counter(&BYPASSED).only(),
            unreadable: metrics.counter(&UNREADABLE).only(),
            breakers: metrics.gauge(&BREAKER).of(["read", "write"]),
            replicas: metrics.gauge(&REPLICAS).of(["known", "connected"]),
            backlog: metrics.gauge(&BACKLOG).of(["keys", "namespaces"]),
        }
    }

    pub(crate) fn called(&self, operation: Operation, status: Status, took: Duration) {
        let names = [OPERATIONS[operation as usize], STATUSES[status as usize]];
        let series = &self.by_call[operation as usize][status as usize];
        series.get_or_init(|| self.calls.with_label_values(&names)).observe(took.as_secs_f64());
    }

    pub(crate) fn filled(&self, end: FillEnd, count: usize) {
        self.fills[end as usize].inc_by(count as u64);
    }

    pub(crate) fn undelivered(&self, what: Undelivered) {
        self.undelivered[what as usize].inc();
    }

    pub(crate) fn bypassed(&self, keys: usize) {
        self.bypassed.inc_by(keys as u64);
    }

    pub(crate) fn unreadable(&self) {
        self.unreadable.inc();
    }

    /// Brings the gauges to `state`.
    pub(crate) fn state(&self, state: &State) {
        let set = |gauges: &[IntGauge; 2], values: [usize; 2]| {
            for (gauge, value) in gauges.iter().zip(values) {
                gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            }
        };
        set(&self.breakers, [usize::from(state.breaker.is_open()), usize::from(state.write_breaker.is_open())]);
        set(&self.replicas, [state.replicas, state.connected]);
        set(&self.backlog, [state.backlog_keys, state.backlog_namespaces]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_is_the_one_of_its_variant() {
        let metrics = Metrics::default();
        let observe = Observe::new(&metrics);
        observe.called(Operation::Probe, Status::Failed, Duration::from_millis(1));
        observe.filled(FillEnd::Bypassed, 2);
        observe.undelivered(Undelivered::Lost);
        let page = metrics.text();
        for line in [
            "layer_cache_call_duration_seconds_count{operation=\"probe\",status=\"failed\"} 1",
            "layer_cache_fills_total{status=\"bypassed\"} 2",
            "layer_cache_undelivered_total{what=\"lost\"} 1",
            "hevlayer_cache_release_backlog{of=\"keys\"} 0",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }
}
