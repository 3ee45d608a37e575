//! The bodies of a call: the message that is sent, and the answer as it comes.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{call::Wait, failure::Failure};

/// A whole message that tells when it is being sent: until then its call may be repeated elsewhere.
pub(crate) struct Message {
    bytes: Option<Bytes>,
    sent: Arc<AtomicBool>,
}

impl Message {
    pub(crate) fn new(bytes: Bytes) -> (Self, Arc<AtomicBool>) {
        let sent = Arc::new(AtomicBool::new(false));
        (Self { bytes: Some(bytes), sent: Arc::clone(&sent) }, sent)
    }
}

impl Body for Message {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent.store(true, Relaxed);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    /// Never by itself: a body that says so is never asked for its bytes.
    fn is_end_stream(&self) -> bool {
        false
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// An answer on its way. It ends with trailers whatever happens: one that breaks off or stands still says so in them.
pub(crate) struct Answer<H> {
    body: tonic::body::Body,
    part: &'static str,
    wait: Wait,
    timer: Pin<Box<Sleep>>,
    ended: bool,
    /// What is held until the answer has ended.
    _held: H,
}

impl<H: Unpin> Answer<H> {
    pub(crate) fn new(body: tonic::body::Body, part: &'static str, wait: Wait, held: H) -> Self {
        let timer = Box::pin(sleep_until(wait.next_piece()));
        Self { body, part, wait, timer, ended: false, _held: held }
    }

    fn fail(&mut self, failure: Failure) -> Frame<Bytes> {
        self.ended = true;
        let mut trailers = HeaderMap::new();
        // It only fails for a message that no header can carry, and ours can be carried.
        let _ = failure.status(self.part).add_header(&mut trailers);
        Frame::trailers(trailers)
    }
}

impl<H: Unpin> Body for Answer<H> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let frame = match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.ended = frame.is_trailers();
                this.timer.as_mut().reset(this.wait.next_piece());
                Some(frame)
            }
            Poll::Ready(Some(Err(_))) => Some(this.fail(Failure::BrokenOff)),
            Poll::Ready(None) => {
                this.ended = true;
                None
            }
            Poll::Pending => {
                std::task::ready!(this.timer.as_mut().poll(cx));
                Some(this.fail(Failure::Deadline))
            }
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Wait {
    /// When the next piece of an answer must have come.
    fn next_piece(&self) -> Instant {
        self.whole.unwrap_or_else(|| Instant::now() + self.patience)
    }
}
