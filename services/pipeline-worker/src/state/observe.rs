//! What the state store counts.

use std::time::{Duration, Instant};

use layer_service::metrics::{Metrics, SECONDS, Series};
use prometheus::{HistogramVec, IntGauge};
use sqlx::AnyPool;

use super::error::{Attempt, Error};

layer_service::metrics! {
    /// Every metric of the state store, for the inventory.
    pub METRICS:

    /// Calls to the state store, with their repetitions, whichever database it is.
    DURATION = Histogram(SECONDS) "layer_pg_query_duration_seconds" by ["query_name", "status"];
    /// Connections to the state store: idle, used.
    CONNECTIONS = Gauge "layer_pg_pool_connections" by ["state"];
}

/// Attempts of a call that loses races.
const ATTEMPTS_MAX: u32 = 4;

/// The series.
#[derive(Debug, Clone)]
pub(crate) struct Observe {
    duration: HistogramVec,
    connections: [IntGauge; 2],
}

impl Observe {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let connections = metrics.gauge(&CONNECTIONS).of(["idle", "used"]);
        Self { duration: metrics.histogram(&DURATION), connections }
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
            if let Some(outcome) = call.settle($attempt.await).await {
                break outcome;
            }
        }
    }};
}
pub(crate) use call;
