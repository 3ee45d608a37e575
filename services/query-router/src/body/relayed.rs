//! The origin's answer on its way to the caller.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use layer_origin::OriginBody;
use layer_service::shed::Permit;

use super::{BoxError, RequestBody, stall::Stall};
use crate::observe::Measured;

/// What is held until an answer has been relayed whole, or broken off: its place among the requests in flight, and its
/// measurement, which is recorded when dropped.
pub type Held = (Permit, Measured);

/// An origin's body, watched for standing still.
pub struct Watched {
    body: OriginBody<RequestBody>,
    stall: Stall,
    /// What was read of it already, and goes first.
    read: Option<Bytes>,
}

impl Watched {
    /// Reads `body`, which may stand still for `stall` at most.
    pub fn new(body: OriginBody<RequestBody>, stall: Duration) -> Self {
        Self { body, stall: Stall::new(stall), read: None }
    }

    /// The same body with `read` in front.
    #[must_use]
    pub fn after(self, read: Bytes) -> Self {
        Self { read: Some(read), ..self }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Some(read) = this.read.take() {
            return Poll::Ready(Some(Ok(Frame::data(read))));
        }
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            ready!(this.stall.poll_stalled(cx));
            tracing::debug!(limit_ms = this.stall.limit_ms(), "the origin's answer stood still: cutting it off");
            return Poll::Ready(Some(Err("the origin's answer stood still".into())));
        };
        this.stall.moved();
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.read.is_some() { SizeHint::default() } else { self.body.size_hint() }
    }
}

/// An origin's body on its way to the caller.
pub struct Relayed {
    body: Watched,
    held: Held,
    ended: bool,
}

impl Relayed {
    /// Relays `body`, and holds what its call holds until it has ended.
    pub fn new(body: Watched, held: Held) -> Self {
        let ended = body.is_end_stream();
        Self { body, held, ended }
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let span = this.held.1.span();
        let frame = ready!(span.in_scope(|| Pin::new(&mut this.body).poll_frame(cx)));
        this.ended = frame.is_none() || this.body.is_end_stream();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        if !self.ended {
            self.held.1.broke();
        }
    }
}
