//! One call: to whom it goes, how long it may take, and what a failure says.
//!
//! A call whose message was not sent goes to the next replica; one whose message was sent is never repeated.

use std::{
    error::Error,
    pin::Pin,
    sync::atomic::Ordering::Relaxed,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version};
use http_body_util::BodyExt as _;
use layer_service::{
    deadline::GRPC_TIMEOUT,
    telemetry::{propagate, record_rpc_status, rpc_client_span},
};
use tokio::time::{Instant, timeout_at};
use tonic::{ConnectError, Status, body::Body, transport::Channel};
use tracing::Instrument as _;

use crate::{
    body::{Answer, Message},
    failure::Failure,
    part::Part,
    replicas::Replica,
};

/// How many replicas a call is given to at the most.
const TRIES: usize = 3;
/// What a connection may take beyond its own timeout until it is given up by who waits for it.
const CONNECT_MARGIN: Duration = Duration::from_millis(100);

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// Until its answer begins.
    pub(crate) head: Instant,
    /// Until its answer ends, where the caller says.
    pub(crate) whole: Option<Instant>,
    /// How long the answer may stand still where the caller does not say.
    pub(crate) patience: Duration,
}

impl Wait {
    /// Until the caller's `deadline`; where there is none, for `patience` until the answer begins and between its pieces.
    pub fn new(deadline: Option<std::time::Instant>, patience: Duration) -> Self {
        let whole = deadline.map(Instant::from_std);
        Self { head: whole.unwrap_or_else(|| Instant::now() + patience), whole, patience }
    }

    fn left(&self) -> Duration {
        self.head.saturating_duration_since(Instant::now())
    }

    /// The time left as gRPC's header has it: at most eight digits.
    fn header(&self) -> HeaderValue {
        let text = format!("{}m", self.left().as_millis().clamp(1, 99_999_999));
        HeaderValue::try_from(text).expect("digits and a letter are a header's value")
    }
}

/// How one try ended that has no answer.
enum Tried {
    /// It cannot be reached, so nothing was sent.
    Unreachable,
    /// Its connection had come to an end, and nothing was sent.
    Unsent,
    /// It may have arrived.
    Sent,
    /// The time is up.
    Late,
}

impl Part {
    /// Gives a gRPC message with its five bytes in front to a replica, and answers what it answers. `method` is for metrics
    /// and spans: one of a fixed set.
    ///
    /// # Errors
    /// A status that names the part, where no replica has answered; see [`Failure::status`].
    pub async fn call(
        &self,
        mut request: Request<Bytes>,
        wait: Wait,
        method: &'static str,
    ) -> Result<Response<Body>, Status> {
        let shared = &self.shared;
        let began = Instant::now();
        let span = rpc_client_span(shared.name, method);
        if !span.is_none() {
            propagate(&span, request.headers_mut());
        }
        *request.version_mut() = Version::HTTP_2;
        let answered = self.ask(request, wait).instrument(span.clone()).await;
        shared.observe.called(method, answered.as_ref().err().copied(), began.elapsed());
        let answered = answered.map_err(|failure| failure.status(shared.name));
        record_rpc_status(&span, answered.as_ref().err().map_or(0, |status| status.code().into()));
        answered
    }

    async fn ask(&self, mut request: Request<Bytes>, wait: Wait) -> Result<Response<Body>, Failure> {
        let shared = &self.shared;
        let permit = shared.flights.enter().ok_or(Failure::Overloaded { limit: shared.flights.limit() })?;
        shared.resolved(wait.head).await;
        let mut asked = None;
        for _ in 0..TRIES {
            let Some(replica) = shared.pick(asked) else { break };
            let Some(channel) = self.channel(&replica) else { break };
            request.headers_mut().insert(GRPC_TIMEOUT, wait.header());
            let in_flight = replica.enter();
            match self.try_one(&replica, channel, request.clone(), wait).await {
                Ok(answer) => {
                    shared.answered(&replica);
                    let held = (permit, in_flight);
                    return Ok(answer.map(|body| Body::new(Answer::new(body, shared.name, wait, held))));
                }
                Err(Tried::Unreachable) => asked = Some(replica.id),
                Err(Tried::Unsent) => {}
                Err(Tried::Sent) => return Err(Failure::BrokenOff),
                Err(Tried::Late) => return Err(Failure::Deadline),
            }
        }
        Err(if wait.left().is_zero() { Failure::Deadline } else { Failure::Away })
    }

    async fn try_one(
        &self,
        replica: &Replica,
        mut channel: Channel,
        request: Request<Bytes>,
        wait: Wait,
    ) -> Result<Response<Body>, Tried> {
        let (head, bytes) = request.into_parts();
        let (message, sent) = Message::new(bytes);
        let call = async {
            std::future::poll_fn(|cx| tower::Service::poll_ready(&mut channel, cx)).await?;
            tower::Service::call(&mut channel, Request::from_parts(head, Body::new(message))).await
        };
        let mut call = std::pin::pin!(call);
        // Whoever waits for the same connection waits for all tries before its own: so each has its own time.
        let connected = wait.head.min(Instant::now() + self.shared.connect_timeout + CONNECT_MARGIN);
        let mut ended = timeout_at(connected, &mut call).await;
        if ended.is_err() && sent.load(Relaxed) {
            ended = timeout_at(wait.head, &mut call).await;
        }
        let sent = sent.load(Relaxed);
        match ended {
            Ok(Ok(answer)) => Ok(answer),
            // tonic's own timer says so too, and may be a moment before ours.
            _ if wait.left() <= Duration::from_millis(1) => Err(Tried::Late),
            Ok(Err(error)) if sent || !is_about_connecting(&error) => {
                self.shared.failed(replica);
                Err(if sent { Tried::Sent } else { Tried::Unsent })
            }
            _ => {
                self.shared.shut(replica);
                Err(Tried::Unreachable)
            }
        }
    }
}

/// Whether a connection could not be made.
fn is_about_connecting(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<ConnectError>())
}

/// A part as tonic's generated clients take it, for one call.
#[derive(Debug, Clone)]
pub struct Calling {
    part: Part,
    wait: Wait,
    method: &'static str,
}

impl Part {
    /// The same for a generated client; see [`Part::call`].
    pub fn calling(&self, wait: Wait, method: &'static str) -> Calling {
        Calling { part: self.clone(), wait, method }
    }
}

impl tower::Service<Request<Body>> for Calling {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { part, wait, method } = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            // Encoded in memory: there is nothing to wait for.
            let message = body.collect().await?.to_bytes();
            part.call(Request::from_parts(head, message), wait, method).await
        })
    }
}
