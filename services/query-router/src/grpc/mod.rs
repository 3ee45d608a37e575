//! The gRPC front of the router: `layer.router.v1` in front of the core that HTTP uses.
//!
//! Both protocols must do the same: authorization, stamping, hiding of reserved attributes, metrics, relaying. So this
//! module does none of it. It turns a typed request into the request of the origin's wire that it stands for, hands
//! that to the core by [`WireCall`], and turns the answer into the typed one. It never speaks to the origin itself,
//! adds no retries, and refuses a request that is wrong before anything is sent.

mod attribute_type;
mod call;
mod decode;
mod encode;
mod errors;
mod pieces;
mod service;
pub(crate) mod typed;

#[cfg(test)]
mod tests;

use std::future::Future;

use bytes::Bytes;
use layer_proto::router::v1::query_router_service_server::QueryRouterServiceServer;

pub use service::QueryRouterFront;

/// Largest message that a client may send unless the server is told otherwise. A message is held whole together with
/// its JSON form; larger writes go over HTTP, where bodies stream.
pub const DEFAULT_MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// One wire-level call into the core that both protocols share: a request of Turbopuffer's wire with its whole body,
/// answered whole (bounded).
pub trait WireCall: Clone + Send + Sync + 'static {
    /// Serves `request` as if it had come over HTTP. The target has a path and a query string, no scheme or authority;
    /// the extensions are those of the gRPC request. Failures are answers too.
    fn call(&self, request: http::Request<Bytes>) -> impl Future<Output = http::Response<Bytes>> + Send;
}

/// Layer's own answer to a call that was not even read, as that call's status.
pub fn refused(answer: &http::Response<Bytes>) -> tonic::Status {
    let metadata = call::answer_metadata(answer.headers());
    errors::from_answer(answer.status(), answer.headers(), answer.body(), metadata)
}

/// The tonic service over a core. The caller may change its message limits.
pub fn service<C: WireCall>(core: C) -> QueryRouterServiceServer<QueryRouterFront<C>> {
    QueryRouterServiceServer::new(QueryRouterFront::new(core)).max_decoding_message_size(DEFAULT_MAX_MESSAGE_BYTES)
}
