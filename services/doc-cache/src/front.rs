//! The data port: gRPC calls, their deadlines and how many may be in flight.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use layer_proto::cache::v1::doc_cache_service_server::DocCacheServiceServer;
use layer_service::{
    deadline::deadline,
    server::{Application, MakeApplication, Peer},
    shed::{InFlight, Permit},
};
use tonic::{Status, body::Body, service::Routes};
use tower::{Service as _, ServiceExt as _};

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
}

impl Application for Front {
    type Body = Answer;

    async fn call(&self, _peer: &Peer, request: Request<Incoming>) -> Response<Answer> {
        if !request.uri().path().starts_with(OWN_CALLS) {
            let Ok(answer) = self.common.clone().oneshot(request.map(Body::new)).await;
            return answer.map(|body| Answer { body, _permit: None });
        }
        let Some(permit) = self.flights.enter() else {
            self.observe.shed();
            return refuse(&overloaded(self.flights.limit()));
        };
        match self.answer(request).await {
            Ok(answer) => answer.map(|body| Answer { body, _permit: Some(permit) }),
            Err(status) => refuse(&status),
        }
    }
}

impl Front {
    async fn answer(&self, mut request: Request<Incoming>) -> Result<Response<Body>, Status> {
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
    status.clone().into_http().map(|body| Answer { body, _permit: None })
}

/// An answer's body, which is in flight until it ends or is dropped.
pub struct Answer {
    body: Body,
    _permit: Option<Permit>,
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
        }
    }
}
