//! What is measured of Aerospike.

use std::time::Duration;

use layer_service::metrics::{Metrics, Series};
use prometheus::{HistogramVec, IntGauge, IntGaugeVec};

use super::connection::State;
use crate::backend::BackendError;

/// Buckets of a backend call: 50 µs to 1 s.
const SECONDS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];

layer_service::metrics! {
    /// Every metric of this backend.
    pub METRICS:

    /// Duration of calls to Aerospike; status is ok, aerospike_stop_writes, aerospike_error or timeout.
    OPERATIONS = Histogram(SECONDS) "layer_aerospike_op_duration_seconds" by ["operation", "set", "status"];
    /// Calls to Aerospike that wait for their answer.
    IN_FLIGHT = Gauge "layer_aerospike_inflight";
    /// 1 for the present state of the connection: connecting, connected or lost.
    CONNECTION = Gauge "layer_aerospike_connection_state" by ["state"];
}

/// The series.
#[derive(Debug)]
pub struct Observe {
    operations: HistogramVec,
    in_flight: IntGauge,
    connection: IntGaugeVec,
}

/// One call in flight.
pub struct Flying<'a>(&'a IntGauge);

impl Observe {
    /// Registers the series.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            operations: metrics.histogram(&OPERATIONS),
            in_flight: metrics.gauge(&IN_FLIGHT).only(),
            connection: metrics.gauge(&CONNECTION),
        }
    }

    /// Counts a call until the guard goes, whichever way it ends.
    pub fn begin(&self) -> Flying<'_> {
        self.in_flight.inc();
        Flying(&self.in_flight)
    }

    /// Records a call that ended.
    pub fn ended(&self, operation: &str, set: &str, status: &str, took: Duration) {
        self.operations.with_label_values(&[operation, set, status]).observe(took.as_secs_f64());
    }

    /// Shows the connection's state.
    pub fn connection(&self, state: State) {
        for each in [State::Connecting, State::Connected, State::Lost] {
            self.connection.with_label_values(&[each.name()]).set(i64::from(each == state));
        }
    }
}

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A status as the metric names it.
pub fn status(error: Option<&BackendError>) -> &'static str {
    match error {
        None => "ok",
        Some(BackendError::StopWrites) => "aerospike_stop_writes",
        Some(BackendError::Timeout) => "timeout",
        Some(BackendError::Unavailable(_) | BackendError::Failed(_)) => "aerospike_error",
    }
}
