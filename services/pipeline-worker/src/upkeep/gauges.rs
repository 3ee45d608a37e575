//! How far pipelines are, as series: for dashboards, alerts and scaling.

use layer_service::metrics::Metrics;
use prometheus::IntGaugeVec;

use super::queues;
use crate::{
    failure::Failure,
    state::{Kind, Queue, State, Status},
};

layer_service::metrics! {
    /// Every metric of how far pipelines are.
    pub METRICS:

    /// Documents of a pipeline in a stage, whatever they do there.
    STAGE_COUNT = Gauge "layer_pipeline_stage_count" by ["pipeline_id", "stage"];
    /// Documents of a pipeline in a stage by what they do: ready, delayed, leased, ended.
    STAGE_STATE = Gauge "layer_stage_documents" by ["pipeline_id", "stage", "state"];
    /// Dead letters of a pipeline, by reason.
    DEAD = Gauge "layer_pipeline_dead_letters" by ["pipeline_id", "reason"];
}

/// Pipelines that have series at the most.
const PIPELINES_MAX: usize = 1000;

/// The series.
pub(super) struct Gauges {
    stage_count: IntGaugeVec,
    stage_state: IntGaugeVec,
    dead: IntGaugeVec,
}

impl Gauges {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            stage_count: metrics.gauge(&STAGE_COUNT),
            stage_state: metrics.gauge(&STAGE_STATE),
            dead: metrics.gauge(&DEAD),
        }
    }

    /// Reads and sets all of them; series of pipelines that are gone go.
    pub(super) async fn set(&self, state: &State) -> Result<(), Failure> {
        let queues = queues(state, Kind::Pipeline).await?;
        let mut counted = Vec::with_capacity(queues.len().min(PIPELINES_MAX));
        for queue in queues.into_iter().take(PIPELINES_MAX) {
            match state.status(Kind::Pipeline, &queue.name).await {
                Ok(status) => counted.push((queue, status)),
                Err(crate::state::Error::QueueNotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for gauge in [&self.stage_count, &self.stage_state, &self.dead] {
            gauge.reset();
        }
        counted.iter().for_each(|(queue, status)| self.set_one(queue, status));
        Ok(())
    }

    fn set_one(&self, queue: &Queue, status: &Status) {
        let name = queue.name.as_str();
        for stage in &status.stages {
            self.stage_count.with_label_values(&[name, &stage.stage]).set(stage.total());
            let states =
                [("ready", stage.ready), ("delayed", stage.delayed), ("leased", stage.leased), ("ended", stage.ended)];
            for (state, count) in states {
                self.stage_state.with_label_values(&[name, &stage.stage, state]).set(count);
            }
        }
        for (reason, count) in &status.failures {
            self.dead.with_label_values(&[name, reason.label()]).set(*count);
        }
    }
}
