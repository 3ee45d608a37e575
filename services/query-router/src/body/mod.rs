//! The bodies that pass through the router.
//!
//! A request's body is a [`Source`] (what the caller sends, bounded and watched), either relayed as it is or rewritten on
//! its way ([`Rewriting`]). An answer's body is the origin's, watched and measured ([`Relayed`]), or a whole page of
//! Layer's own. None of them ever holds more than a bounded part.

mod budget;
mod relayed;
mod rewriting;
mod source;
mod stall;
mod streamed;

pub use budget::{Budget, Share};
pub use relayed::{Held, Relayed, Watched};
pub use rewriting::{Rewriter, Rewriting, Rewritten};
pub use source::{Fault, Progress, Source};
pub use streamed::Streamed;

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body, Frame, SizeHint};

/// An error of a body, as hyper and tonic take it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What goes to the origin as a request's body.
pub enum RequestBody {
    /// As the caller sends it.
    Direct(Source),
    /// With Layer's changes.
    Rewriting(Box<Rewriting>),
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match self.get_mut() {
            Self::Direct(body) => Pin::new(body).poll_frame(cx),
            Self::Rewriting(body) => Pin::new(body.as_mut()).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Direct(body) => body.is_end_stream(),
            Self::Rewriting(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Direct(body) => body.size_hint(),
            Self::Rewriting(body) => body.size_hint(),
        }
    }
}

/// What goes to the caller as an answer's body.
pub enum ResponseBody {
    /// The origin's.
    Relayed(Box<Relayed>),
    /// Layer's own, whole.
    Whole(Option<Bytes>),
    /// Of a gRPC call.
    Grpc(tonic::body::Body),
    /// Layer's own, as it comes.
    Streamed(Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>),
}

impl ResponseBody {
    /// A whole body.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty()))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Relayed(body) => Pin::new(body.as_mut()).poll_frame(cx),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Grpc(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Streamed(pieces) => pieces.as_mut().poll_next(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Relayed(body) => body.is_end_stream(),
            Self::Whole(bytes) => bytes.is_none(),
            Self::Grpc(body) => body.is_end_stream(),
            Self::Streamed(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Relayed(body) => body.size_hint(),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Grpc(body) => body.size_hint(),
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}
