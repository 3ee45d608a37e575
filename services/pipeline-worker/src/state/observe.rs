//! What the state store counts.

use std::time::{Duration, Instant};

use layer_service::metrics::{Metrics, SECONDS, Series};
use prometheus::{HistogramVec, IntCounterVec, IntGauge};
use sqlx::AnyPool;

use super::{
    error::{Attempt, Error},
    model::{Queue, Standing},
};

layer_service::metrics! {
    /// Every metric of the state store, for the inventory.
    pub METRICS:

    /// Calls to the state store, with their repetitions, whichever database it is.
    DURATION = Histogram(SECONDS) "layer_pg_query_duration_seconds" by ["query_name", "status"];
    /// Connections to the state store: idle, used.
    CONNECTIONS = Gauge "layer_pg_pool_connections" by ["state"];
    /// Documents that went from one stage to another; status is ok, or error for those that go to `failed`.
    TRANSITIONS = Counter "layer_stage_transitions_total" by ["pipeline_id", "from_stage", "to_stage", "status"];
    /// How long documents had been in a stage, from the moment when they were ready there, as they left it.
    IN_STAGE = Histogram(STAGE_SECONDS) "layer_stage_duration_seconds" by ["pipeline_id", "from_stage", "to_stage"];
    /// Documents that are done.
    INDEXED = Counter "layer_pipeline_indexed_total" by ["pipeline_id"];
    /// Documents that became dead letters: permanent, attempts, leases, requested.
    FAILED = Counter "layer_pipeline_failed_total" by ["pipeline_id", "reason"];
}

/// Buckets of times in a stage: 10 ms to an hour.
const STAGE_SECONDS: &[f64] = &[0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// Attempts of a call that loses races.
const ATTEMPTS_MAX: u32 = 4;

/// The series.
#[derive(Debug, Clone)]
pub(crate) struct Observe {
    duration: HistogramVec,
    connections: [IntGauge; 2],
    transitions: IntCounterVec,
    in_stage: HistogramVec,
    indexed: IntCounterVec,
    failed: IntCounterVec,
}

impl Observe {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let connections = metrics.gauge(&CONNECTIONS).of(["idle", "used"]);
        Self {
            duration: metrics.histogram(&DURATION),
            connections,
            transitions: metrics.counter(&TRANSITIONS),
            in_stage: metrics.histogram(&IN_STAGE),
            indexed: metrics.counter(&INDEXED),
            failed: metrics.counter(&FAILED),
        }
    }

    /// A document of `queue` went from one stage to another, and had stood there for so many milliseconds.
    pub(crate) fn passed(&self, queue: &Queue, (from, to, standing, stood_ms): &(i64, i64, Standing, i64)) {
        let (name, from, to) = (queue.name.as_str(), queue.spec.name(*from), queue.spec.name(*to));
        let status = if matches!(standing, Standing::Dead(_)) { "error" } else { "ok" };
        self.transitions.with_label_values(&[name, from, to, status]).inc();
        #[allow(clippy::cast_precision_loss, reason = "a time")]
        self.in_stage.with_label_values(&[name, from, to]).observe(*stood_ms as f64 / 1000.0);
        match standing {
            Standing::Done => self.indexed.with_label_values(&[name]).inc(),
            Standing::Dead(reason) => self.failed.with_label_values(&[name, reason.label()]).inc(),
            _ => {}
        }
    }

    /// Begins to count a call.
    pub(crate) fn call(&self, name: &'static str, pool: &AnyPool) -> Call {
        let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
        self.connections[0].set(idle);
        self.connections[1].set((i64::from(pool.size()) - idle).max(0));
        Call { name, duration: self.duration.clone(), started: Instant::now(), attempts: 0 }
    }
}

/// A call in the course of its attempts.
pub(crate) struct Call {
    name: &'static str,
    duration: HistogramVec,
    started: Instant,
    attempts: u32,
}

impl Call {
    /// The call's outcome, if this attempt was the last; else waits a moment, in which whoever came first may finish.
    pub(crate) async fn settle<T>(&mut self, attempt: Result<T, Attempt>) -> Option<Result<T, Error>> {
        let outcome = match attempt {
            Ok(value) => Ok(value),
            Err(Attempt::Failed(error)) => Err(error),
            Err(Attempt::Raced(_)) if self.attempts + 1 < ATTEMPTS_MAX => {
                self.attempts += 1;
                let longest = 10 << self.attempts;
                tokio::time::sleep(Duration::from_millis(fastrand::u64(1..longest))).await;
                return None;
            }
            Err(Attempt::Raced(reason)) => Err(Error::Unavailable(reason)),
        };
        let status = outcome.as_ref().err().map_or("ok", Error::label);
        self.duration.with_label_values(&[self.name, status]).observe(self.started.elapsed().as_secs_f64());
        Some(outcome)
    }
}

/// Carries out `$attempt` until it neither loses a race nor has used its attempts up.
macro_rules! call {
    ($state:expr, $name:literal, $attempt:expr) => {{
        let mut call = $state.observe.call($name, &$state.pool);
        loop {
            if let Some(outcome) = call.settle($state.bounded(crate::points::call($name, $attempt)).await).await {
                break outcome;
            }
        }
    }};
}
pub(crate) use call;
