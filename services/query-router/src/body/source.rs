//! A caller's body: bounded in size, watched for standing still, decompressed where Layer must read it.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use async_compression::tokio::bufread::GzipDecoder;
use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use layer_wake::Gate;
use layer_wire::Rejection;
use tokio_util::io::{ReaderStream, StreamReader};

use super::stall::Stall;
use crate::{
    coherence::{Stopped, Written},
    refusal::Refusal,
};

/// Pieces in which a compressed body comes out.
const DECODED_PIECE_BYTES: usize = 32 * 1024;

/// How much of a refused body is worth reading to keep its connection, and how long.
const DISCARD_BYTES_MAX: u64 = 64 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_millis(100);

/// Why a caller's body could not be relayed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// It is over the limit.
    #[error("the request body is over the limit")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// It stood still.
    #[error("the request body stood still")]
    Stalled {
        /// The limit.
        limit_ms: u64,
    },
    /// The caller went away, or its compression is broken.
    #[error("the request body broke off: {0}")]
    BrokenOff(String),
    /// What came further on is refused.
    #[error("{0}")]
    Rejected(Rejection),
    /// It was not let out to its end.
    #[error(transparent)]
    Stopped(Stopped),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLarge { limit } => Self::TooLarge { limit },
            Fault::Stalled { limit_ms } => Self::Stalled { limit_ms },
            Fault::BrokenOff(reason) => Self::BrokenOff(reason),
            Fault::Rejected(rejection) => rejection.into(),
            Fault::Stopped(stopped) => stopped.into(),
        }
    }
}

/// What became of a request's body, for the task that waits for the answer to it.
#[derive(Debug)]
pub struct Progress {
    received: AtomicBool,
    began: Instant,
    /// When a piece last came or the last one went, in milliseconds after `began`.
    moved: AtomicU64,
    fault: OnceLock<Fault>,
    written: OnceLock<Box<Written>>,
}

impl Progress {
    /// The whole body has come from the caller.
    pub fn is_received(&self) -> bool {
        self.received.load(Ordering::Relaxed)
    }

    /// When the body last moved.
    pub fn moved_at(&self) -> Instant {
        self.began + Duration::from_millis(self.moved.load(Ordering::Relaxed))
    }

    fn moves(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
    }

    /// Why the body broke off, if it did.
    pub fn fault(&self) -> Option<Fault> {
        self.fault.get().cloned()
    }

    /// What was found in a write's body, once it was seen whole; where somebody asked for it.
    pub fn written(&self) -> Option<&Written> {
        self.written.get().map(Box::as_ref)
    }

    pub(super) fn wrote(&self, written: Written) {
        // A body has one end.
        let _ = self.written.set(Box::new(written));
    }

    /// The whole body has been handed to the connection.
    pub(super) fn sent(&self) {
        self.moves();
    }

    /// It breaks off here.
    pub fn broke(&self, fault: &Fault) {
        // Only the first fault matters: the others follow from it.
        let _ = self.fault.set(fault.clone());
    }
}

type Decoder = ReaderStream<GzipDecoder<StreamReader<IoStream, Bytes>>>;

enum Kind {
    Incoming(Gated),
    Whole(Option<Bytes>),
    Gzip(Pin<Box<Decoder>>),
}

/// A caller's body.
pub struct Source {
    kind: Kind,
    left: u64,
    limit: u64,
    stall: Stall,
    ended: bool,
    progress: Arc<Progress>,
}

impl Source {
    /// What comes over a connection, of a request that came at `began`; `gate` is the connection's, where this body's reader is
    /// the connection's own task.
    pub fn incoming(incoming: Incoming, began: Instant, gate: Option<Gate>, limit: u64, stall: Duration) -> Self {
        let ended = incoming.is_end_stream();
        Self::new(Kind::Incoming(Gated { incoming, gate }), began, limit, stall, ended)
    }

    /// A body that is there already, of a request that came at `began`.
    pub fn whole(bytes: Bytes, began: Instant, limit: u64, stall: Duration) -> Self {
        let ended = bytes.is_empty();
        Self::new(Kind::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())), began, limit, stall, ended)
    }

    fn new(kind: Kind, began: Instant, limit: u64, stall: Duration, ended: bool) -> Self {
        let progress = Arc::new(Progress {
            received: ended.into(),
            began,
            moved: AtomicU64::new(0),
            fault: OnceLock::new(),
            written: OnceLock::new(),
        });
        Self { kind, left: limit, limit, stall: Stall::new(stall), ended, progress }
    }

    /// The same body, decompressed; the limit then counts what comes out.
    #[must_use]
    pub fn gunzipped(self) -> Self {
        let stream = match self.kind {
            Kind::Incoming(incoming) => IoStream::Incoming(BodyDataStream::new(incoming)),
            Kind::Whole(bytes) => IoStream::Whole(bytes),
            Kind::Gzip(_) => return self,
        };
        let mut decoder = GzipDecoder::new(StreamReader::new(stream));
        // RFC 1952: a gzip file is a series of members. Without this what follows the first would be dropped unseen.
        decoder.multiple_members(true);
        let kind = Kind::Gzip(Box::pin(ReaderStream::with_capacity(decoder, DECODED_PIECE_BYTES)));
        Self { kind, ..self }
    }

    /// When its request came.
    pub fn began(&self) -> Instant {
        self.progress.began
    }

    /// How far it has come.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// The next piece; `None` at the end.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(next) = self.poll_kind(cx) else {
            ready!(self.stall.poll_stalled(cx));
            return Poll::Ready(Some(Err(self.fault(Fault::Stalled { limit_ms: self.stall.limit_ms() }))));
        };
        self.stall.moved();
        Poll::Ready(match next {
            None => {
                self.end();
                None
            }
            Some(Err(fault)) => Some(Err(self.fault(fault))),
            Some(Ok(piece)) => Some(self.count(piece)),
        })
    }

    fn count(&mut self, piece: Bytes) -> Result<Bytes, Fault> {
        match self.left.checked_sub(piece.len() as u64) {
            Some(left) => {
                self.left = left;
                self.progress.moves();
                if matches!(&self.kind, Kind::Incoming(incoming) if incoming.is_end_stream()) {
                    self.end();
                }
                Ok(piece)
            }
            None => Err(self.fault(Fault::TooLarge { limit: self.limit })),
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.progress.received.store(true, Ordering::Relaxed);
    }

    /// Reads away a small body that is on its way, so that its connection can take the next request. Whether it came to
    /// its end, [`Progress::is_received`] tells.
    pub async fn discard(&mut self) {
        let all = poll_fn(|cx| {
            while self.limit - self.left < DISCARD_BYTES_MAX {
                match ready!(self.poll_piece(cx)) {
                    Some(Ok(_)) => {}
                    _ => break,
                }
            }
            Poll::Ready(())
        });
        // Too slow is no fault: the connection is closed then.
        let _ = tokio::time::timeout(DISCARD_TIMEOUT, all).await;
    }

    fn fault(&mut self, fault: Fault) -> Fault {
        self.ended = true;
        self.progress.broke(&fault);
        fault
    }

    fn poll_kind(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        let broken = |error: &dyn std::fmt::Display| Fault::BrokenOff(error.to_string());
        match &mut self.kind {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Kind::Gzip(stream) => stream.as_mut().poll_next(cx).map_err(|error| broken(&error)),
            Kind::Incoming(incoming) => loop {
                match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
                    None => return Poll::Ready(None),
                    Some(Err(error)) => return Poll::Ready(Some(Err(broken(&error)))),
                    // Trailers have no meaning on this wire.
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Some(Ok(data)));
                        }
                    }
                }
            },
        }
    }
}

impl Body for Source {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        let piece = ready!(this.poll_piece(cx));
        if this.ended && !matches!(piece, Some(Err(_))) {
            this.progress.sent();
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            _ if self.ended => SizeHint::with_exact(0),
            Kind::Incoming(incoming) => incoming.size_hint(),
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Gzip(_) => SizeHint::default(),
        }
    }
}

/// A body as it comes, without the wake that hyper sends after its last piece.
struct Gated {
    incoming: Incoming,
    gate: Option<Gate>,
}

impl Body for Gated {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(gate) = &this.gate else { return Pin::new(&mut this.incoming).poll_frame(cx) };
        let (frame, woken) = gate.shut(|| Pin::new(&mut this.incoming).poll_frame(cx));
        if woken && !this.incoming.is_end_stream() {
            gate.wake();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Compressed pieces as the decoder takes them.
enum IoStream {
    Incoming(BodyDataStream<Gated>),
    Whole(Option<Bytes>),
}

impl Stream for IoStream {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match self.get_mut() {
            Self::Incoming(stream) => Pin::new(stream).poll_next(cx).map_err(io::Error::other),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
        }
    }
}
