//! The bare tonic server: one unary call without any work in it, as tonic serves it when nothing is tuned.
//!
//! It answers as many bytes as a fetch does. No cache over gRPC can be faster than this.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response as Answer};
use layer_proto::cache::v1::{Body, GetRequest, GetResponse, Lookup, lookup};
use tonic::body::Body as Wire;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Response, Status};
use tonic_prost::ProstCodec;

use super::documents::{BATCH, BYTES};

/// The method that answers as much as one document.
pub const ONE: &str = "/bench.Bare/One";
/// The method that answers as much as a batch.
pub const BATCH_OF_100: &str = "/bench.Bare/Batch";

/// What it answers: `bytes` bytes.
pub fn answer(bytes: usize) -> GetResponse {
    answer_of(payload(bytes))
}

fn payload(bytes: usize) -> Bytes {
    Bytes::from(vec![b'x'; bytes])
}

fn answer_of(data: Bytes) -> GetResponse {
    let body = Body { data, content_type: String::new(), compression: 0 };
    GetResponse { lookup: Some(Lookup { outcome: Some(lookup::Outcome::Hit(body)) }) }
}

/// Serves until the process ends, on a runtime of tonic's usual kind.
///
/// # Errors
/// When the address cannot be bound.
pub fn serve(address: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime")?;
    let bare = Bare { one: payload(BYTES), batch: payload(batch_bytes()) };
    let server = tonic::transport::Server::builder().add_service(bare).serve(address);
    runtime.block_on(server).with_context(|| format!("--listen {address}"))
}

/// Bytes of a batch of documents.
pub fn batch_bytes() -> usize {
    usize::try_from(BATCH).unwrap_or(1) * BYTES
}

#[derive(Clone)]
struct Bare {
    one: Bytes,
    batch: Bytes,
}

impl NamedService for Bare {
    const NAME: &'static str = "bench.Bare";
}

impl tower::Service<Request<Wire>> for Bare {
    type Response = Answer<Wire>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Poller<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Wire>) -> Self::Future {
        let data = if request.uri().path() == BATCH_OF_100 { &self.batch } else { &self.one };
        let call = Call(data.clone());
        Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(call, request).await) })
    }
}

struct Call(Bytes);

impl UnaryService<GetRequest> for Call {
    type Response = GetResponse;
    type Future = Ready<Result<Response<GetResponse>, Status>>;

    fn call(&mut self, _: tonic::Request<GetRequest>) -> Self::Future {
        ready(Ok(Response::new(answer_of(self.0.clone()))))
    }
}
