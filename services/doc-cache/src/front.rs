//! The data port: gRPC calls, their deadlines and how many may be in flight.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use layer_proto::cache::v1::doc_cache_service_server::DocCacheServiceServer;
use layer_service::{
    deadline::deadline,
    server::{Application, MakeApplication, Peer},
    shed::{InFlight, Permit},
    telemetry::{record_rpc_status, rpc_server_span},
};
use tonic::{Status, body::Body, service::Routes};
use tower::{Service as _, ServiceExt as _};
use tracing::{Instrument as _, Span};

use crate::{
    observe::Observe,
    service::{Deadline, Service, invalid_timeout, overloaded, too_late},
};

/// Where the service's own calls are; anything else is health or reflection.
const OWN_CALLS: &str = "/layer.cache.v1.DocCacheService/";

/// Answers calls on one worker.
#[derive(Clone)]
pub struct Front {
    cache: DocCacheServiceServer<Service>,
    /// Health and reflection, and the answer to what does not exist.
    common: Routes,
    flights: InFlight,
    observe: Arc<Observe>,
    longest: Duration,
    traces: bool,
}

impl Application for Front {
    type Body = Answer;

    async fn call(&self, _peer: &Peer, request: Request<Incoming>) -> Response<Answer> {
        if !request.uri().path().starts_with(OWN_CALLS) {
            let Ok(answer) = self.common.clone().oneshot(request.map(Body::new)).await;
            return answer.map(|body| Answer { body, _permit: None, _span: Span::none() });
        }
        let Some(permit) = self.flights.enter() else {
            self.observe.shed();
            return refuse(&overloaded(self.flights.limit()));
        };
        if !self.traces {
            return self.answer(request, Some(permit), Span::none()).await;
        }
        let span = rpc_server_span(call_name(request.uri().path()), request.headers());
        let answer = self.answer(request, Some(permit), span.clone()).instrument(span.clone()).await;
        record_rpc_status(&span, status_code(answer.headers()));
        answer
    }
}

impl Front {
    /// Answers; `permit` and `span` go with the answer's body.
    async fn answer(&self, request: Request<Incoming>, permit: Option<Permit>, span: Span) -> Response<Answer> {
        match self.ask(request).await {
            Ok(answer) => answer.map(|body| Answer { body, _permit: permit, _span: span }),
            Err(status) => refuse(&status),
        }
    }

    async fn ask(&self, mut request: Request<Incoming>) -> Result<Response<Body>, Status> {
        let now = Instant::now();
        let asked = deadline(request.headers(), now).map_err(|error| invalid_timeout(error.accepts))?;
        let at = asked.map_or(now + self.longest, |asked| asked.min(now + self.longest));
        request.extensions_mut().insert(Deadline(at));
        let call = self.cache.clone().call(request);
        match tokio::time::timeout_at(at.into(), call).await {
            Ok(Ok(answer)) => Ok(answer),
            Err(_) => Err(too_late()),
        }
    }
}

fn refuse(status: &Status) -> Response<Answer> {
    status.clone().into_http().map(|body| Answer { body, _permit: None, _span: Span::none() })
}

/// The status of a call that was refused before its answer began; what streams ends well or breaks off.
fn status_code(headers: &HeaderMap) -> i32 {
    let code = headers.get("grpc-status").and_then(|code| code.to_str().ok());
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// What the call of a path is called in traces. Paths are the caller's; these names are few.
fn call_name(path: &str) -> &'static str {
    const CALLS: [&str; 11] = [
        "layer.cache.v1.DocCacheService/Get",
        "layer.cache.v1.DocCacheService/BatchGet",
        "layer.cache.v1.DocCacheService/BatchFill",
        "layer.cache.v1.DocCacheService/Hold",
        "layer.cache.v1.DocCacheService/Release",
        "layer.cache.v1.DocCacheService/HoldNamespace",
        "layer.cache.v1.DocCacheService/Clear",
        "layer.cache.v1.DocCacheService/ReleaseNamespace",
        "layer.cache.v1.DocCacheService/PurgeNamespace",
        "layer.cache.v1.DocCacheService/Inspect",
        "layer.cache.v1.DocCacheService/Stats",
    ];
    CALLS.into_iter().find(|call| path.strip_prefix('/') == Some(call)).unwrap_or("layer.cache.v1.DocCacheService/?")
}

/// An answer's body, which is in flight until it ends or is dropped.
pub struct Answer {
    body: Body,
    _permit: Option<Permit>,
    _span: Span,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Makes each worker's [`Front`].
pub struct MakeFront {
    pub(crate) service: Service,
    pub(crate) common: Routes,
    pub(crate) flights: InFlight,
    pub(crate) longest: Duration,
    pub(crate) message_bytes: usize,
    /// Spans are wanted.
    pub(crate) traces: bool,
}

impl MakeApplication for MakeFront {
    type Application = Front;

    fn make(&self, _worker: usize, _workers: usize) -> Front {
        let cache = DocCacheServiceServer::new(self.service.clone())
            .max_decoding_message_size(self.message_bytes)
            .max_encoding_message_size(usize::MAX);
        Front {
            cache,
            common: self.common.clone(),
            flights: self.flights.clone(),
            observe: Arc::clone(&self.service.observe),
            longest: self.longest,
            traces: self.traces,
        }
    }
}

#[cfg(test)]
mod tests {
    use layer_proto::FILE_DESCRIPTOR_SET;
    use prost::Message as _;

    use super::*;

    #[test]
    fn every_call_of_the_contract_has_its_name_in_traces() {
        let files = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let services =
            files.file.iter().filter(|file| file.package() == "layer.cache.v1").flat_map(|file| &file.service);
        let calls: Vec<_> = services.flat_map(|service| &service.method).map(|method| method.name()).collect();
        assert_eq!(calls.len(), 11);
        for call in calls {
            assert_eq!(call_name(&format!("{OWN_CALLS}{call}")), format!("{}{call}", &OWN_CALLS[1..]));
        }
        assert!(call_name("/layer.cache.v1.DocCacheService/of-a-caller").ends_with("/?"));
    }
}
