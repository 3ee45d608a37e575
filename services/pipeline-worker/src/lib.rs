//! Pipelines and functions: what is to be done, who does it, and what became of it.
//!
//! What they must do, and in which order, is in `docs/adr/0005-pipelines.md`.

mod bodies;
mod failure;
pub mod functions;
mod pipelines;
mod points;
mod program;
mod router;
mod scale;
mod settings;
pub mod sources;
pub mod state;
mod upkeep;
mod work;

pub use program::PipelineWorker;
pub use router::{RouterError, RouterSettings};
pub use settings::{PipelineWorkerSettings, UpkeepSettings};
pub use work::{ChunkSettings, EmbedSettings, Work, WorkKind, WorkSettings};

/// Every metric of this service, for the inventory.
pub fn metrics() -> Vec<&'static layer_service::metrics::Metric> {
    let own = [
        state::METRICS,
        bodies::METRICS,
        router::METRICS,
        upkeep::METRICS,
        upkeep::GAUGES,
        program::METRICS,
        functions::METRICS,
    ];
    own.into_iter().chain([layer_object_store::METRICS, layer_cache::METRICS]).flatten().copied().collect()
}

/// Every metric of a built-in worker, for the inventory.
pub fn work_metrics() -> Vec<&'static layer_service::metrics::Metric> {
    [work::METRICS, layer_object_store::METRICS].into_iter().flatten().copied().collect()
}
