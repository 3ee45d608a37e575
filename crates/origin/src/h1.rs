//! One HTTP/1.1 connection, driven by whoever holds it.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use hyper::{
    body::{Body, Incoming},
    client::conn::{TrySendError, http1},
};
use hyper_util::rt::TokioIo;
use layer_wake::Gate;

use crate::{
    BoxError, LastLook,
    connect::Stream,
    error::Error,
    look::{Looked, Looks},
};

type Connection<B> = http1::Connection<TokioIo<Looked<Stream>>, B>;
/// Largest answer head, and the most that is read ahead of a slow client, per connection.
const BUFFER_BYTES: usize = 64 * 1024;

/// A connection and the handle that sends on it. Boxed: it moves between pool, request and answer.
pub(crate) struct H1<B: Body + 'static>(Box<Parts<B>>);

struct Parts<B: Body + 'static> {
    gate: Gate,
    sender: http1::SendRequest<B>,
    looks: Looks,
    /// Gone when it has ended: hyper gives a request that it never sent back only when the connection is dropped.
    connection: Option<Connection<B>>,
    idle_since: Instant,
}

/// A request that did not go out, given back.
pub(crate) enum Unsent<B> {
    /// Not one byte was sent.
    Request(Box<Request<B>>),
    /// Something was.
    Failed(Error),
}

impl<B> H1<B>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    pub(crate) async fn start(stream: Stream) -> Result<Self, Error> {
        let looks = Looks::default();
        let io = TokioIo::new(Looked::new(stream, looks.clone()));
        let handshake = http1::Builder::new().max_buf_size(BUFFER_BYTES).handshake(io).await;
        let (sender, connection) = handshake.map_err(Error::Broken)?;
        Ok(Self(Box::new(Parts {
            gate: Gate::default(),
            sender,
            looks,
            connection: Some(connection),
            idle_since: Instant::now(),
        })))
    }

    /// Sends a request and waits for the answer's head.
    pub(crate) async fn send(
        &mut self,
        request: Request<B>,
        look: Option<LastLook>,
    ) -> Result<Response<Incoming>, Unsent<B>> {
        let parts = &mut *self.0;
        parts.looks.set(look);
        let mut answer = pin!(parts.sender.try_send_request(request));
        poll_fn(|cx| {
            // The connection first: it is what moves the answer, and nothing else does, so the answer needs no waker.
            parts.gate.through(cx, |cx| drive(&mut parts.connection, cx));
            answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        })
        .await
        .map_err(unsent)
    }

    /// Reads on in the body of an answer.
    pub(crate) fn poll_body(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let parts = &mut *self.0;
        loop {
            parts.gate.through(cx, |cx| drive(&mut parts.connection, cx));
            // What comes in the body comes by driving, so the body needs no waker. What it wakes is the connection, and
            // that is driven here before each piece, or by the pool after the last.
            let read = || Pin::new(&mut *body).poll_frame(&mut Context::from_waker(Waker::noop()));
            match parts.gate.shut(read) {
                (Poll::Pending, true) => {}
                (frame, _) => return frame,
            }
        }
    }

    /// Whether it can take a request: both messages are over, and the origin has not closed it.
    pub(crate) fn is_reusable(&mut self) -> bool {
        drive(&mut self.0.connection, &mut Context::from_waker(Waker::noop()));
        self.0.connection.is_some() && self.0.sender.is_ready()
    }

    pub(crate) fn rest(&mut self) {
        self.0.idle_since = Instant::now();
    }

    pub(crate) fn idle_since(&self) -> Instant {
        self.0.idle_since
    }
}

fn unsent<B>(mut failed: TrySendError<Request<B>>) -> Unsent<B> {
    match failed.take_message() {
        Some(request) => Unsent::Request(Box::new(request)),
        None => Unsent::Failed(Error::Broken(failed.into_error())),
    }
}

fn drive<B>(connection: &mut Option<Connection<B>>, cx: &mut Context<'_>)
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    if connection.as_mut().is_some_and(|alive| Pin::new(alive).poll(cx).is_ready()) {
        *connection = None;
    }
}
