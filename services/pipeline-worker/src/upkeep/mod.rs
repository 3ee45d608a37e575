//! What runs in the background, in every replica: leases that are over are moved on, what is owed at the origin is carried
//! out, what nobody needs is taken away, and gauges are set.
//!
//! Every step is bounded, may be done by several replicas at once, and may be repeated. A part that is away is tried again in
//! the next round; nothing that callers ask for waits for any of this.

mod gauges;
mod outdated;
mod sweep;

use std::time::Duration;

use layer_service::{
    lifecycle::{Lifecycle, Stage},
    metrics::{Metrics, SECONDS},
};
use prometheus::HistogramVec;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    bodies::Bodies,
    failure::Failure,
    router::Router,
    settings::UpkeepSettings,
    state::{Kind, Queue, State},
};

use gauges::Gauges;

layer_service::metrics! {
    /// Every metric of work in the background.
    pub METRICS:

    /// Steps of work in the background, by step (purge, outdated, gauges, sweep) and status (ok, error).
    STEPS = Histogram(SECONDS) "layer_pipeline_upkeep_duration_seconds" by ["step", "status"];
}

pub use gauges::METRICS as GAUGES;

/// Queues of one page of a listing.
const PAGE: u32 = 1000;

/// Work in the background.
pub(crate) struct Upkeep {
    state: State,
    bodies: Bodies,
    router: Router,
    settings: UpkeepSettings,
    gauges: Gauges,
    steps: HistogramVec,
    swept: Option<Instant>,
}

impl Upkeep {
    pub(crate) fn new(
        state: State,
        bodies: Bodies,
        router: Router,
        settings: UpkeepSettings,
        metrics: &Metrics,
    ) -> Self {
        let steps = metrics.histogram(&STEPS);
        Self { state, bodies, router, settings, gauges: Gauges::new(metrics), steps, swept: None }
    }

    /// Goes round until the service is told to stop. A round that is under way then is left where it is: every step is
    /// repeated by whoever comes next.
    pub(crate) async fn run(mut self, lifecycle: Lifecycle) {
        let mut every = interval(Duration::from_millis(self.settings.interval_ms));
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let rounds = async {
            loop {
                every.tick().await;
                self.round().await;
            }
        };
        tokio::select! {
            () = rounds => {}
            () = lifecycle.reached(Stage::Noticing) => {}
        }
    }

    async fn round(&mut self) {
        let purged = self.purge();
        self.timed("purge", purged).await;
        self.timed("outdated", self.delete_outdated()).await;
        self.timed("gauges", self.gauges.set(&self.state)).await;
        let every = Duration::from_millis(self.settings.sweep_interval_ms);
        if self.swept.is_none_or(|at| at.elapsed() >= every) {
            self.timed("sweep", self.sweep()).await;
            self.swept = Some(Instant::now());
        }
    }

    async fn timed(&self, step: &'static str, work: impl Future<Output = Result<(), Failure>>) {
        let began = Instant::now();
        let outcome = work.await;
        if let Err(error) = &outcome {
            tracing::warn!(step, %error, "work in the background goes on later");
        }
        let status = if outcome.is_ok() { "ok" } else { "error" };
        self.steps.with_label_values(&[step, status]).observe(began.elapsed().as_secs_f64());
    }

    /// Moves on what is over, and takes away what has ended for long enough.
    async fn purge(&self) -> Result<(), Failure> {
        let batch = self.settings.batch;
        for kind in [Kind::Pipeline, Kind::Function] {
            for queue in queues(&self.state, kind).await? {
                while self.state.purge(&queue, batch).await?.more(batch) {}
            }
        }
        while self.state.purge_deleted(batch).await?.more(batch) {}
        Ok(())
    }
}

/// All queues of a kind.
async fn queues(state: &State, kind: Kind) -> Result<Vec<Queue>, Failure> {
    let mut all: Vec<Queue> = Vec::new();
    loop {
        let after = all.last().map(|queue| queue.name.clone()).unwrap_or_default();
        let page = state.list(kind, &after, PAGE).await?;
        let full = page.len() == PAGE as usize;
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}
