//! The data port of a service that speaks nothing but gRPC: calls, their deadlines and how many may be in flight.

use std::{
    collections::HashSet,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use prometheus::IntCounter;
use prost::{DecodeError, Message as _};
use prost_types::FileDescriptorSet;
use tonic::{Status, body::Body, service::Routes};
use tower::{Service, ServiceExt as _};
use tracing::{Instrument as _, Span};

use super::{
    Deadline,
    status::{invalid_timeout, overloaded, too_late},
};
use crate::{
    config::LimitSettings,
    deadline::deadline,
    server::{Application, MakeApplication, Peer},
    shed::{InFlight, Permit},
    telemetry::{record_rpc_status, rpc_server_span},
};

/// What every worker of a service needs to answer its calls.
pub struct MakeFront<S>(Front<S>);

/// What a [`Front`] is made of, beside the service itself.
pub struct Shape<'a> {
    /// The names of the services that the service answers, `package.Service`.
    pub services: &'static [&'static str],
    /// Their contract, an encoded descriptor set: calls are named by it in traces, as paths are the caller's.
    pub contract: &'a [u8],
    /// Health and reflection, and the answer to what does not exist.
    pub common: Routes,
    /// Bounds on calls: how many may be in flight, and how long one may take whose caller does not say.
    pub limits: &'a LimitSettings,
    /// Calls that the bound refused.
    pub shed: IntCounter,
    /// Spans are wanted.
    pub traces: bool,
}

impl<S> MakeFront<S> {
    /// The front of `own`.
    ///
    /// # Errors
    /// Where the contract cannot be read.
    pub fn new(own: S, shape: Shape<'_>) -> Result<Self, DecodeError> {
        let Shape { services, contract, common, limits, shed, traces } = shape;
        let calls = Arc::new(calls_of(contract)?);
        let flights = InFlight::new(limits.requests_max);
        let longest = Duration::from_millis(limits.request_timeout_ms);
        Ok(Self(Front { own, services, calls, common, flights, shed, longest, traces }))
    }
}

impl<S> MakeApplication for MakeFront<S>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    type Application = Front<S>;

    fn make(&self, _worker: usize, _workers: usize) -> Front<S> {
        self.0.clone()
    }
}

/// Answers calls on one worker.
#[derive(Clone)]
pub struct Front<S> {
    own: S,
    services: &'static [&'static str],
    calls: Arc<HashSet<String>>,
    common: Routes,
    flights: InFlight,
    shed: IntCounter,
    longest: Duration,
    traces: bool,
}

impl<S> Application for Front<S>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    type Body = Answer;

    async fn call(&self, _peer: &Peer, arrived: Instant, request: Request<Incoming>) -> Response<Answer> {
        if !is_own(self.services, request.uri().path()) {
            let Ok(answer) = self.common.clone().oneshot(request.map(Body::new)).await;
            return answer.map(|body| Answer { body, _permit: None, _span: Span::none() });
        }
        let Some(permit) = self.flights.enter() else {
            self.shed.inc();
            return refuse(&overloaded(self.flights.limit()));
        };
        if !self.traces {
            return self.answer(arrived, request, Some(permit), Span::none()).await;
        }
        let span = rpc_server_span(call_name(&self.calls, request.uri().path()), request.headers());
        let answer = self.answer(arrived, request, Some(permit), span.clone()).instrument(span.clone()).await;
        record_rpc_status(&span, status_code(answer.headers()));
        answer
    }
}

impl<S> Front<S>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    /// Answers; `permit` and `span` go with the answer's body.
    async fn answer(
        &self,
        arrived: Instant,
        request: Request<Incoming>,
        permit: Option<Permit>,
        span: Span,
    ) -> Response<Answer> {
        match self.ask(arrived, request).await {
            Ok(answer) => answer.map(|body| Answer { body, _permit: permit, _span: span }),
            Err(status) => refuse(&status),
        }
    }

    async fn ask(&self, arrived: Instant, mut request: Request<Incoming>) -> Result<Response<Body>, Status> {
        let asked = deadline(request.headers(), arrived).map_err(|error| invalid_timeout(error.accepts))?;
        let now = Instant::now();
        let at = asked.map_or(now + self.longest, |asked| asked.min(now + self.longest));
        // A timeout lets a call begin before it looks at the time.
        if at <= now {
            return Err(too_late());
        }
        request.extensions_mut().insert(Deadline(at));
        // Services of tonic are always ready.
        let call = self.own.clone().call(request);
        match tokio::time::timeout_at(at.into(), call).await {
            Ok(Ok(answer)) => Ok(answer),
            Err(_) => Err(too_late()),
        }
    }
}

fn is_own(services: &[&str], path: &str) -> bool {
    let rest = |service: &&str| path.strip_prefix('/')?.strip_prefix(service);
    services.iter().any(|service| rest(service).is_some_and(|rest| rest.starts_with('/')))
}

/// What the call of a path is called in traces.
fn call_name<'a>(calls: &'a HashSet<String>, path: &str) -> &'a str {
    path.strip_prefix('/').and_then(|call| calls.get(call)).map_or("?", String::as_str)
}

fn refuse(status: &Status) -> Response<Answer> {
    status.clone().into_http().map(|body| Answer { body, _permit: None, _span: Span::none() })
}

/// The status of a call that was refused before its answer began; what streams ends well or breaks off.
fn status_code(headers: &HeaderMap) -> i32 {
    let code = headers.get("grpc-status").and_then(|code| code.to_str().ok());
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
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

/// Names of all calls of a contract, an encoded descriptor set: `package.Service/Method`.
fn calls_of(contract: &[u8]) -> Result<HashSet<String>, DecodeError> {
    let files = FileDescriptorSet::decode(contract)?.file;
    let services = files.iter().flat_map(|file| file.service.iter().map(move |service| (file.package(), service)));
    let calls = services.flat_map(|(package, service)| {
        service.method.iter().map(move |method| format!("{package}.{}/{}", service.name(), method.name()))
    });
    Ok(calls.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_named_by_the_contract_and_never_by_a_caller() {
        let calls = calls_of(tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap();
        assert_eq!(call_name(&calls, "/grpc.health.v1.Health/Check"), "grpc.health.v1.Health/Check");
        assert_eq!(call_name(&calls, "/grpc.health.v1.Health/of-a-caller"), "?");
        assert!(calls_of(b"no contract").is_err());
    }

    #[test]
    fn only_calls_of_its_services_are_a_services_own() {
        let own = |path| is_own(&["a.v1.Service"], path);
        assert!(own("/a.v1.Service/Call"));
        assert!(!own("/a.v1.Service") && !own("/a.v1.ServiceTwo/Call") && !own("a.v1.Service/Call") && !own("/"));
    }
}
