//! What KEDA learns of pipelines and functions, so that workers come when there is work and go when there is none.
//!
//! A ScaledObject's metadata names a `pipeline` and may name a `stage` (the first) and a `claimStage` (as a claim would
//! take it): documents that are ready in the one or leased in the other need workers, `documentsPerReplica` (100) to each. Or it
//! names a `function`, with `itemsPerReplica` (100). What waits for its next attempt needs nobody yet.

use std::time::Duration;

use layer_proto::externalscaler::{ScaledObjectRef, external_scaler_server::ExternalScalerServer};
use layer_scaler::{Scaler, Source, positive};
use layer_service::lifecycle::Lifecycle;
use tonic::Status;

use crate::{
    failure::Failure,
    pipelines::working,
    state::{Kind, State},
};

/// How often a stream looks: other replicas bring work too.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PER_REPLICA: f64 = 100.0;
/// Beyond, a number says nothing.
const PER_REPLICA_MAX: f64 = 1e9;

/// The service over `state`.
pub(crate) fn service(state: State, lifecycle: Lifecycle) -> ExternalScalerServer<Scaler<Backlog>> {
    layer_scaler::service(Backlog(state), lifecycle)
}

/// What waits to be done.
#[derive(Clone)]
pub(crate) struct Backlog(State);

/// What a ScaledObject asks about.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    kind: Kind,
    queue: String,
    stage: Option<String>,
    claim_stage: Option<String>,
    per_replica: f64,
}

impl Source for Backlog {
    type Asked = Asked;

    fn read(&self, object: &ScaledObjectRef) -> Result<Asked, Status> {
        let named = |name: &str| object.scaler_metadata.get(name).filter(|value| !value.is_empty()).cloned();
        let (kind, queue, per) = match (named("pipeline"), named("function")) {
            (Some(pipeline), None) => (Kind::Pipeline, pipeline, "documentsPerReplica"),
            (None, Some(function)) => (Kind::Function, function, "itemsPerReplica"),
            _ => return Err(Status::invalid_argument("scalerMetadata must name a `pipeline` or a `function`")),
        };
        let per_replica = positive(object, per, PER_REPLICA, PER_REPLICA_MAX)?;
        Ok(Asked { kind, queue, stage: named("stage"), claim_stage: named("claimStage"), per_replica })
    }

    fn target(&self, asked: &Asked) -> (String, f64) {
        let of = match asked.kind {
            Kind::Pipeline => "pipeline",
            Kind::Function => "function",
        };
        (format!("layer_{of}_backlog"), asked.per_replica)
    }

    async fn active(&self, asked: &Asked) -> Result<bool, Status> {
        Ok(self.value(asked).await? > 0.0)
    }

    async fn value(&self, asked: &Asked) -> Result<f64, Status> {
        let status = self.0.status(asked.kind, &asked.queue).await.map_err(Failure::from)?;
        let names: Vec<String> = status.stages.iter().map(|stage| stage.stage.clone()).collect();
        // The last but one is the last of the list: `failed` comes behind it.
        let stages = &names[..names.len().saturating_sub(1)];
        let stage = asked.stage.clone().or_else(|| stages.first().cloned()).unwrap_or_default();
        let claim_stage = asked.claim_stage.clone().unwrap_or_else(|| working(stages, &stage));
        for (field, name) in [("stage", &stage), ("claimStage", &claim_stage)] {
            if !stages.contains(name) {
                let known = stages.join(", ");
                return Err(Status::invalid_argument(format!("scalerMetadata.{field} `{name}`: there are {known}")));
            }
        }
        let sum = status.stages.iter().map(|counted| {
            let ready = if counted.stage == stage { counted.ready } else { 0 };
            let leased = if counted.stage == claim_stage { counted.leased } else { 0 };
            ready + leased
        });
        #[allow(clippy::cast_precision_loss, reason = "a number of documents")]
        let sum = sum.sum::<i64>().max(0) as f64;
        Ok(sum)
    }

    async fn changed(&self, _asked: &Asked, _last: bool) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
