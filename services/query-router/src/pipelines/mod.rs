//! Pipelines and functions: the HTTP routes `/v2/pipelines…` and `/v2/udfs…`, and the gRPC services behind them.
//!
//! pipeline-worker does the work and keeps all state; the router admits callers, turns bodies of the published clients into
//! `layer.pipeline.v1` and `layer.function.v1` and the answers back, and hands gRPC calls over byte for byte. It must
//! never wait for a pipeline-worker that is away: such a call fails at once with 503 and its name. It repeats nothing that
//! may have arrived: a claim that is made twice leaves documents with nobody until their lease is over.

mod admit;
mod asked;
mod content;
mod documents;
mod handover;
mod json;
mod methods;
mod pipeline;
mod refused;
mod route;
mod rows;
mod serve;
mod settings;

use layer_replicas::{Part, PartService};
use layer_service::{config::ConfigError, metrics::Metrics};

use crate::body::Budget;

pub(crate) use asked::{Asked, Reply, answered, promised, time};
pub(crate) use documents::{lease_ms, wait};
pub(crate) use handover::{NotHandedOver, is_handed_over};
pub(crate) use json::{Kind, Number, decoded, present, refuse};
pub use route::PipelineRoute;
pub(crate) use rows::Attributes;
pub use settings::PipelineSettings;

/// What does the work.
pub(crate) const PART: &str = "pipeline-worker";
/// The services that are handed over, for health.
pub const SERVICES: [&str; 2] = ["layer.pipeline.v1.PipelineService", "layer.function.v1.FunctionService"];

/// What all workers share of it.
pub struct Common {
    part: Option<PartService>,
    bodies: Budget,
}

impl Common {
    /// Starts what runs in the background, where pipeline-worker is configured.
    ///
    /// # Errors
    /// [`ConfigError`] where a file of `pipelines.tls` cannot be used.
    pub fn new(settings: &PipelineSettings, metrics: &Metrics) -> Result<Self, ConfigError> {
        let part = settings.part().map(|options| PartService::start(options, metrics)).transpose()?;
        Ok(Self { part, bodies: Budget::new(settings.bodies_bytes_max) })
    }

    /// A handle for one worker.
    pub fn handle(&self) -> Option<Part> {
        self.part.as_ref().map(PartService::handle)
    }
}
