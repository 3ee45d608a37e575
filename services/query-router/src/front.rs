//! The front door: one port, HTTP and gRPC.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Collected, Limited};
use hyper::body::Incoming;
use layer_cache::CacheService;
use layer_service::{
    deadline::deadline,
    server::{Application, MakeApplication, Peer},
    shed::Permit,
};
use tonic::service::Routes;
use tower::ServiceExt;

use crate::{
    body::{ResponseBody, Source},
    core::{Core, Shared},
    grpc::{self, WireCall},
    headers::served_by_layer,
    pipelines::{NotHandedOver, is_handed_over},
    refusal::Refusal,
};

/// Largest answer that a gRPC call takes whole: 10,000 rows with a vector of 1,536 floats each are 60 MB.
const GRPC_ANSWER_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Answers both protocols on one worker.
#[derive(Clone)]
pub struct Front {
    core: Core,
    grpc: Routes,
}

impl Application for Front {
    type Body = ResponseBody;

    async fn call(&self, peer: &Peer, arrived: Instant, mut request: Request<Incoming>) -> Response<ResponseBody> {
        if is_grpc(&request) {
            let _held = match self.admit_grpc(&request) {
                Ok(permit) => permit,
                Err(refusal) => return refuse_grpc(refusal).await,
            };
            if is_handed_over(request.uri().path()) {
                return Box::pin(self.hand_over(arrived, request)).await;
            }
            request.extensions_mut().insert(Caller { internal: peer.internal, arrived });
            return Box::pin(self.grpc_call(arrived, request)).await;
        }
        let limits = &self.core.shared.settings.limits;
        // On HTTP/2 the connection is driven by another task than the one that reads.
        let gate = (request.version() < Version::HTTP_2).then(|| peer.gate.clone());
        let request =
            request.map(|body| Source::incoming(body, arrived, gate, limits.body_bytes, self.core.stall_limit()));
        self.core.answer(peer.internal, request).await
    }
}

impl Front {
    /// A gRPC call that another part answers.
    async fn hand_over(&self, arrived: Instant, request: Request<Incoming>) -> Response<ResponseBody> {
        let limit = self.core.shared.settings.limits.body_bytes;
        let request = request.map(|body| Source::incoming(body, arrived, None, limit, self.core.stall_limit()));
        match self.core.hand_over(request).await {
            Ok(answer) => answer.map(ResponseBody::Grpc),
            Err(NotHandedOver::Refused(refusal)) => refuse_grpc(refusal).await,
            Err(NotHandedOver::Failed(status)) => grpc_status(status),
        }
    }

    /// A gRPC call. Its message comes under the same limits as any body, and within the call's own deadline.
    async fn grpc_call(&self, arrived: Instant, request: Request<Incoming>) -> Response<ResponseBody> {
        let deadline = deadline(request.headers(), arrived).ok().flatten();
        let limit = self.core.shared.settings.limits.body_bytes;
        let request = request
            .map(|body| tonic::body::Body::new(Source::incoming(body, arrived, None, limit, self.core.stall_limit())));
        let call = self.grpc.clone().oneshot(request);
        let answered = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), call).await,
            None => Ok(call.await),
        };
        match answered {
            Ok(Ok(answer)) => answer.map(ResponseBody::Grpc),
            Err(_) => refuse_grpc(Refusal::Timeout).await,
        }
    }

    /// Checks a gRPC call before its message is read: a message is held whole, and strangers may not fill the memory.
    /// Health and reflection are open, and small.
    fn admit_grpc<B>(&self, request: &Request<B>) -> Result<Option<Permit>, Refusal> {
        if !request.uri().path().starts_with("/layer.") {
            return Ok(None);
        }
        self.core.shared.auth.check(request.headers())?;
        let messages = &self.core.shared.messages;
        messages.enter().map(Some).ok_or(Refusal::Overloaded { limit: messages.limit() })
    }
}

async fn refuse_grpc(refusal: Refusal) -> Response<ResponseBody> {
    grpc_status(grpc::refused(&whole(refusal).await))
}

fn grpc_status(status: tonic::Status) -> Response<ResponseBody> {
    let mut answer = status.into_http().map(ResponseBody::Grpc);
    served_by_layer(answer.headers_mut());
    answer
}

/// Layer's own answer with its body read: it is there already.
async fn whole(refusal: Refusal) -> Response<Bytes> {
    let (head, body) = refusal.into_response().into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    Response::from_parts(head, body)
}

/// What the connection says of a gRPC caller; it travels with the call as an extension.
#[derive(Debug, Clone, Copy)]
struct Caller {
    internal: bool,
    /// When the call came.
    arrived: Instant,
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

impl WireCall for Core {
    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let caller = request.extensions().get::<Caller>().copied();
        let (internal, arrived) = caller.map_or((false, Instant::now()), |caller| (caller.internal, caller.arrived));
        let limit = self.shared.settings.limits.body_bytes;
        let request = request.map(|body| Source::whole(body, arrived, limit, self.stall_limit()));
        let (head, body) = self.answer(internal, request).await.into_parts();
        match Limited::new(body, GRPC_ANSWER_BYTES_MAX).collect().await {
            Ok(read) => Response::from_parts(head, read.to_bytes()),
            Err(error) => whole(Refusal::Upstream(format!("the origin's answer cannot be read: {error}"))).await,
        }
    }
}

/// Makes each worker's [`Front`].
pub struct MakeFront {
    pub(crate) shared: Arc<Shared>,
    pub(crate) origin: Arc<layer_origin::Options>,
    pub(crate) cache: Arc<CacheService>,
    /// Health and reflection, which all workers share.
    pub(crate) common: Routes,
}

impl MakeApplication for MakeFront {
    type Application = Front;

    fn make(&self, _worker: usize, _workers: usize) -> Front {
        let core = Core::new(Arc::clone(&self.shared), Arc::clone(&self.origin), self.cache.handle());
        let grpc = self.common.clone().add_service(grpc::service(core.clone()));
        Front { core, grpc }
    }
}
