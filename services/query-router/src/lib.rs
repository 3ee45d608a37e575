//! The query-router: the front door of the mesh.
//!
//! It serves Turbopuffer's wire over HTTP and the typed contract `layer.router.v1` over gRPC, on one port, with one core.
//! What Layer does not change it relays byte for byte; it keeps no state, so any number of routers may run side by side.
//! It never answers from anything but the origin's answer, and never retries what a caller's SDK retries.

mod accepted;
mod answer;
mod auth;
mod blobs;
mod body;
mod clock;
mod coherence;
mod core;
mod fetch;
mod foreign;
mod front;
mod functions;
mod grpc;
mod headers;
mod known;
mod observe;
mod pipelines;
mod program;
mod refusal;
mod request;
mod reserved;
mod route;
mod scale;
mod settings;
mod triggers;
mod wait;
mod warm;

pub use blobs::BlobSettings;
pub use fetch::FetchSettings;
pub use pipelines::PipelineSettings;
pub use program::QueryRouter;
pub use settings::{AuthMode, AuthSettings, OriginProtocol, OriginSettings, RouterSettings, WriteSettings};
pub use warm::WarmSettings;

/// Every metric of the router, for the inventory.
pub fn metrics() -> Vec<&'static layer_service::metrics::Metric> {
    [
        observe::METRICS,
        fetch::METRICS,
        coherence::METRICS,
        scale::METRICS,
        blobs::METRICS,
        warm::METRICS,
        triggers::METRICS,
        layer_cache::METRICS,
        layer_object_store::METRICS,
        layer_replicas::METRICS,
    ]
    .concat()
}
