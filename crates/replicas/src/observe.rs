//! What is counted of calls to other parts, as their callers see them.

use std::time::Duration;

use layer_service::metrics::Metrics;
use prometheus::{HistogramVec, IntGauge};

use crate::failure::Failure;

/// A look-up of a state takes a millisecond; a claim may wait for half a minute.
const CALL_SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

layer_service::metrics! {
    /// Every metric of this crate, for the inventory of a service that uses it.
    pub METRICS:

    /// Calls to another part until its answer began, as the caller waited for them. Status: ok (it answered, well or not),
    /// deadline, failed (it broke off), away (no replica answers), overloaded (too many calls of this process).
    CALLS = Histogram(CALL_SECONDS) "layer_part_call_duration_seconds" by ["part", "method", "status"];
    /// 1 while no replica of that part answers: calls to it fail at once.
    BREAKER = Gauge "layer_part_breaker_open" by ["part"];
    /// Replicas of that part: known by name, connected.
    REPLICAS = Gauge "layer_part_replicas" by ["part", "state"];
}

/// The series of one part.
#[derive(Debug)]
pub(crate) struct Observe {
    part: &'static str,
    calls: HistogramVec,
    breaker: IntGauge,
    known: IntGauge,
    connected: IntGauge,
}

impl Observe {
    pub(crate) fn new(part: &'static str, metrics: &Metrics) -> Self {
        let replicas = metrics.gauge(&REPLICAS);
        Self {
            part,
            calls: metrics.histogram(&CALLS),
            breaker: metrics.gauge(&BREAKER).with_label_values(&[part]),
            known: replicas.with_label_values(&[part, "known"]),
            connected: replicas.with_label_values(&[part, "connected"]),
        }
    }

    /// `failed`: why the call has no answer; none where it has.
    pub(crate) fn called(&self, method: &str, failed: Option<Failure>, took: Duration) {
        let status = match failed {
            None => "ok",
            Some(Failure::Deadline) => "deadline",
            Some(Failure::Overloaded { .. }) => "overloaded",
            Some(Failure::Away) => "away",
            Some(Failure::BrokenOff) => "failed",
        };
        self.calls.with_label_values(&[self.part, method, status]).observe(took.as_secs_f64());
    }

    pub(crate) fn state(&self, known: usize, connected: usize) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.known.set(number(known));
        self.connected.set(number(connected));
        self.breaker.set(i64::from(connected == 0));
    }
}
