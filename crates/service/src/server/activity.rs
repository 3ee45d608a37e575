//! What a connection is doing, so that one that does nothing, or far too slowly, can be closed.
//!
//! hyper's own header timeout also runs while a connection is idle, and arms a timer for every request. Here the socket
//! and the answers leave time stamps, and the connection's task looks at them now and then.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Shared by a connection's socket, its requests and its task.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// When the first byte of a head came that is not complete yet, in microseconds after `opened` plus one; 0: none.
    head_since: AtomicU64,
    /// When the last answer was finished, in microseconds after `opened`.
    idle_since: AtomicU64,
    in_flight: AtomicUsize,
    multiplexed: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            head_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            multiplexed: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn received(&self) {
        if self.in_flight.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.now() + 1, Relaxed);
        }
    }

    /// A request's head is complete; the guard marks the end of its answer.
    pub(super) fn begin(self: &Arc<Self>, multiplexed: bool) -> InFlightGuard {
        self.head_since.store(0, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        if multiplexed {
            self.multiplexed.store(true, Relaxed);
        }
        InFlightGuard(Arc::clone(self))
    }

    /// The head in the making has taken longer than `limit`. HTTP/2 sends frames outside of requests, and has its own
    /// keepalive against a peer that stands still.
    pub(super) fn head_is_late(&self, limit: Duration) -> bool {
        let since = self.head_since.load(Relaxed);
        since != 0 && !self.multiplexed.load(Relaxed) && self.older(since - 1, limit)
    }

    /// No request for longer than `limit`.
    pub(super) fn idle_for(&self, limit: Duration) -> bool {
        self.in_flight.load(Relaxed) == 0 && self.older(self.idle_since.load(Relaxed), limit)
    }

    fn older(&self, since: u64, limit: Duration) -> bool {
        u128::from(self.now().saturating_sub(since)) > limit.as_micros()
    }
}

/// One request in flight.
#[derive(Debug)]
pub(super) struct InFlightGuard(Arc<Activity>);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Relaxed) == 1 {
            self.0.idle_since.store(self.0.now(), Relaxed);
        }
    }
}

pin_project! {
    /// An answer's body that keeps its request in flight until it ends.
    pub(super) struct Tracked<B> {
        #[pin]
        inner: B,
        guard: InFlightGuard,
    }
}

impl<B> Tracked<B> {
    pub(super) fn new(inner: B, guard: InFlightGuard) -> Self {
        Self { inner, guard }
    }
}

impl<B: Body> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A socket that leaves a mark when bytes come.
#[derive(Debug)]
pub(super) struct Marked<S> {
    socket: S,
    activity: Arc<Activity>,
}

impl<S> Marked<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>) -> Self {
        Self { socket, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Marked<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Marked<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_sent_head_is_late_and_a_request_in_flight_is_neither_late_nor_idle() {
        let activity = Activity::new();
        assert!(!activity.head_is_late(Duration::ZERO));
        activity.received();
        std::thread::yield_now();
        while !activity.head_is_late(Duration::ZERO) {
            std::hint::spin_loop();
        }
        let guard = activity.begin(false);
        activity.received();
        assert!(!activity.head_is_late(Duration::ZERO) && !activity.idle_for(Duration::ZERO));
        drop(guard);
        while !activity.idle_for(Duration::ZERO) {
            std::hint::spin_loop();
        }
        assert!(!activity.idle_for(Duration::from_secs(3600)));
    }

    #[test]
    fn frames_between_requests_are_no_late_head_on_http2() {
        let activity = Activity::new();
        drop(activity.begin(true));
        activity.received();
        assert!(!activity.head_is_late(Duration::ZERO));
    }
}
