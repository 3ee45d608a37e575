//! gRPC calls handed over to pipeline-worker, byte for byte.
//!
//! The router looks at who calls and at how long the call may take, and at nothing else: messages are never decoded, so
//! what a newer pipeline-worker says to a newer client goes through an older router. A message is read whole before it
//! is sent, so that one that never reached a replica can go to the next.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{AUTHORIZATION, CONTENT_LENGTH, HOST, TE},
};
use http_body::{Body, Frame, SizeHint};
use layer_replicas::Wait;
use layer_service::{
    deadline::{REQUEST_TIMEOUT_MS, deadline},
    telemetry::server_span,
};
use tonic::{Code, Status};
use tracing::Instrument as _;

use super::{methods, refused::counted};
use crate::{
    body::{Held, Source},
    core::Core,
    headers,
    observe::Measured,
    refusal::Refusal,
    wait::within,
};

/// Whether a gRPC call is for pipeline-worker.
pub(crate) fn is_handed_over(path: &str) -> bool {
    methods::name(path).is_some()
}

/// Why a call was not handed over: by the router, or on the way.
pub(crate) enum NotHandedOver {
    /// The router says so.
    Refused(Refusal),
    /// No replica has answered.
    Failed(Status),
}

impl From<Refusal> for NotHandedOver {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Core {
    /// Hands a call over. Whoever calls this has checked the caller's key.
    pub(crate) async fn hand_over(
        &self,
        request: Request<Source>,
    ) -> Result<Response<tonic::body::Body>, NotHandedOver> {
        let name = methods::name(request.uri().path()).unwrap_or("unknown");
        let mut measured = self.shared.observe.begin_other(name, request.body().began());
        let span = match self.shared.traces {
            true => server_span("POST", name, request.headers()),
            false => tracing::Span::none(),
        };
        measured.within(span.clone());
        let handed = self.handed_over(name, request).instrument(span).await;
        match handed {
            Ok((answer, permit)) => Ok(watched(answer, (permit, measured))),
            Err(not) => {
                measured.refused(match &not {
                    NotHandedOver::Refused(refusal) => refusal.code().0,
                    NotHandedOver::Failed(status) => counted(status.code()),
                });
                Err(not)
            }
        }
    }

    async fn handed_over(
        &self,
        name: &'static str,
        request: Request<Source>,
    ) -> Result<(Response<tonic::body::Body>, layer_service::shed::Permit), NotHandedOver> {
        let flights = &self.shared.flights;
        let permit = flights.enter().ok_or(Refusal::Overloaded { limit: flights.limit() })?;
        let until =
            deadline(request.headers(), request.body().began()).map_err(|error| Refusal::Invalid(error.to_string()))?;
        let part = self.part_for(request.headers(), until).await?;
        let (mut head, source) = request.into_parts();
        let (message, _share) = within(until, self.bounded(source)).await??;
        strip(&mut head.headers);
        let request = Request::from_parts(head, message);
        let patience = Duration::from_millis(self.shared.settings.pipelines.request_timeout_ms);
        let answer = part.call(request, Wait::new(until, patience), name).await.map_err(NotHandedOver::Failed)?;
        Ok((answer, permit))
    }
}

/// The keys are the router's business. What belongs to one hop is made anew, the time left too.
fn strip(headers: &mut HeaderMap) {
    headers::strip_request(headers);
    for name in [AUTHORIZATION, HOST, CONTENT_LENGTH, REQUEST_TIMEOUT_MS] {
        headers.remove(name);
    }
    headers.insert(TE, HeaderValue::from_static("trailers"));
}

fn watched(answer: Response<tonic::body::Body>, held: Held) -> Response<tonic::body::Body> {
    let (mut head, body) = answer.into_parts();
    headers::strip_hop_by_hop(&mut head.headers);
    headers::served_by_layer(&mut head.headers);
    let told = Status::from_header_map(&head.headers).map(|status| status.code());
    let mut watching = Watching { body, held, told: false };
    if let Some(code) = told {
        watching.told(code);
    }
    Response::from_parts(head, tonic::body::Body::new(watching))
}

/// An answer on its way, which is counted by the status that it ends with.
struct Watching {
    body: tonic::body::Body,
    held: Held,
    told: bool,
}

impl Watching {
    fn told(&mut self, code: Code) {
        let measured: &mut Measured = &mut self.held.1;
        match code {
            Code::Ok => measured.served(counted(code)),
            code => measured.refused(counted(code)),
        }
        self.told = true;
    }
}

impl Body for Watching {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
            && !this.told
        {
            let status = Status::from_header_map(trailers);
            this.told(status.map_or(Code::Unknown, |status| status.code()));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if !self.told {
            self.held.1.broke();
        }
    }
}
