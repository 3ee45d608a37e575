//! The body of the origin's answer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    BoxError,
    pool::{Pool, Pooled},
};

/// Streams what the origin answers; on HTTP/1.1 it also drives the connection, and gives it back at the end.
pub struct OriginBody<B>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    incoming: Incoming,
    lent: Option<(Pooled<B>, Arc<Pool<B>>)>,
    /// On HTTP/2: its place among the requests on the shared connection.
    _place: Option<OwnedSemaphorePermit>,
}

impl<B> OriginBody<B>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    pub(crate) fn shared(incoming: Incoming, place: OwnedSemaphorePermit) -> Self {
        Self { incoming, lent: None, _place: Some(place) }
    }

    pub(crate) fn lent(incoming: Incoming, pooled: Pooled<B>, pool: Arc<Pool<B>>) -> Self {
        let mut body = Self { incoming, lent: Some((pooled, pool)), _place: None };
        body.give_back_at_end();
        body
    }

    fn give_back_at_end(&mut self) {
        if self.incoming.is_end_stream()
            && let Some((pooled, pool)) = self.lent.take()
        {
            pool.give_back(pooled);
        }
    }
}

impl<B> Body for OriginBody<B>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let frame = ready!(match &mut this.lent {
            Some((pooled, _)) => pooled.connection.poll_body(&mut this.incoming, cx),
            None => Pin::new(&mut this.incoming).poll_frame(cx),
        });
        match &frame {
            Some(Ok(_)) => this.give_back_at_end(),
            // Over, or broken: in both cases the pool decides what the connection is still good for.
            _ => {
                if let Some((pooled, pool)) = this.lent.take() {
                    pool.give_back(pooled);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
