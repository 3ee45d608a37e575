//! The front door: one port, HTTP and gRPC.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use layer_service::server::{Application, MakeApplication, Peer};
use tonic::service::Routes;
use tower::ServiceExt;

use crate::{
    body::{BoxError, ResponseBody, Source},
    core::{Core, Shared},
    grpc::WireCall,
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

    async fn call(&self, peer: &Peer, mut request: Request<Incoming>) -> Response<ResponseBody> {
        if is_grpc(&request) {
            request.extensions_mut().insert(Caller { internal: peer.internal });
            let answer = self.grpc.clone().oneshot(request.map(tonic::body::Body::new)).await;
            let Ok(answer) = answer;
            return answer.map(ResponseBody::Grpc);
        }
        let limits = &self.core.shared.settings.limits;
        let request = request.map(|body| Source::incoming(body, limits.body_bytes, self.core.stall_limit()));
        self.core.answer(peer.internal, request).await
    }
}

/// What the connection says of a gRPC caller; it travels with the call as an extension.
#[derive(Debug, Clone, Copy)]
struct Caller {
    internal: bool,
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

impl WireCall for Core {
    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let internal = request.extensions().get::<Caller>().is_some_and(|caller| caller.internal);
        let limit = self.shared.settings.limits.body_bytes;
        let request = request.map(|body| Source::whole(body, limit, self.stall_limit()));
        let (head, body) = self.answer(internal, request).await.into_parts();
        match Limited::new(body, GRPC_ANSWER_BYTES_MAX).collect().await {
            Ok(read) => Response::from_parts(head, read.to_bytes()),
            Err(error) => cut_off(&error).await,
        }
    }
}

async fn cut_off(error: &BoxError) -> Response<Bytes> {
    let response = Refusal::Upstream(format!("the origin's answer broke off: {error}")).into_response();
    let (head, body) = response.into_parts();
    match body.collect().await {
        Ok(read) => Response::from_parts(head, read.to_bytes()),
        Err(_) => Response::builder().status(StatusCode::BAD_GATEWAY).body(Bytes::new()).unwrap_or_default(),
    }
}

/// Makes each worker's [`Front`].
pub struct MakeFront {
    pub(crate) shared: Arc<Shared>,
    pub(crate) origin: Arc<layer_origin::Options>,
    /// Health and reflection, which all workers share.
    pub(crate) common: Routes,
}

impl MakeApplication for MakeFront {
    type Application = Front;

    fn make(&self, _worker: usize, _workers: usize) -> Front {
        let core = Core::new(Arc::clone(&self.shared), Arc::clone(&self.origin));
        let grpc = self.common.clone().add_service(crate::grpc::service(core.clone()));
        Front { core, grpc }
    }
}
