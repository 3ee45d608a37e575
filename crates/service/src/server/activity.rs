//! What a connection is doing, so that one that does nothing, or far too slowly, can be closed.
//!
//! hyper's own header timeout also runs while a connection is idle, and arms a timer for every request. Here the socket
//! and the answers leave time stamps, and the connection's task looks at them now and then.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use super::{
    arrival::{OverTcp, arrival},
    stream::StreamMark,
};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How an HTTP/2 connection begins (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2";
/// How much of a refused body is read away before its connection is closed. Closing with bytes unread resets the
/// connection, and the peer would lose the refusal itself.
const LINGER_BYTES: usize = 16 * 1024 * 1024;
/// How long that may take.
const LINGER: Duration = Duration::from_secs(2);

/// Shared by a connection's socket, its requests and its task.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// When the first byte of a head came that is not complete yet, in microseconds after `opened` plus one; 0: none.
    head_since: AtomicU64,
    /// When the last answer was finished, in microseconds after `opened`.
    idle_since: AtomicU64,
    /// Since when the peer has taken no byte of what waits for it, in microseconds after `opened` plus one; 0: it takes.
    stuck_since: AtomicU64,
    in_flight: AtomicUsize,
    multiplexed: AtomicBool,
    /// When the bytes came that the next request begins with; taken by it. On HTTP/2, when the last bytes came.
    came: Mutex<Option<Instant>>,
    /// The peer may still be sending what nobody will read.
    unread: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            head_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            stuck_since: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            multiplexed: AtomicBool::new(false),
            came: Mutex::new(None),
            unread: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Bytes were read; `came` tells when they had come.
    fn received(&self, bytes: &[u8], came: impl FnOnce() -> Instant) {
        let begins = self.in_flight.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0;
        if begins {
            self.head_since.store(self.now() + 1, Relaxed);
            if bytes.starts_with(HTTP2_PREFACE) {
                self.multiplexed.store(true, Relaxed);
            }
        }
        if begins || self.is_multiplexed() {
            *self.came() = Some(came());
        }
    }

    fn came(&self) -> MutexGuard<'_, Option<Instant>> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer took bytes, or did not.
    fn written<T>(&self, result: &Poll<T>) {
        let stuck = self.stuck_since.load(Relaxed) != 0;
        match result {
            Poll::Ready(_) if stuck => {
                self.stuck_since.store(0, Relaxed);
                self.idle_since.store(self.now(), Relaxed);
            }
            Poll::Pending if !stuck => self.stuck_since.store(self.now() + 1, Relaxed),
            _ => {}
        }
    }

    /// An answer was given before the request's body was read: the peer may still be sending it.
    pub(super) fn leaves_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    /// A request's head is complete: when it came, and a guard that marks the end of its answer.
    pub(super) fn begin(self: &Arc<Self>, multiplexed: bool) -> (Instant, InFlightGuard) {
        self.head_since.store(0, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        let came = if multiplexed {
            self.multiplexed.store(true, Relaxed);
            *self.came()
        } else {
            // One that follows another without a pause was read with it.
            self.came().take()
        };
        (came.unwrap_or_else(Instant::now), InFlightGuard(Arc::clone(self)))
    }

    /// The head in the making has taken longer than `limit`. HTTP/2 sends frames outside of requests, and has its own
    /// keepalive against a peer that stands still.
    pub(super) fn head_is_late(&self, limit: Duration) -> bool {
        let since = self.head_since.load(Relaxed);
        since != 0 && !self.is_multiplexed() && self.older(since - 1, limit)
    }

    /// The peer has not taken a byte of its answer for longer than `limit`.
    pub(super) fn is_stuck(&self, limit: Duration) -> bool {
        let since = self.stuck_since.load(Relaxed);
        since != 0 && self.older(since - 1, limit)
    }

    /// It speaks HTTP/2 and is older than `limit`, give or take a tenth: connections that were opened together, after a
    /// restart, must not end together.
    pub(super) fn is_old(&self, limit: Duration, jitter: u32) -> bool {
        let spread = limit / 5 * (jitter % 100) / 100;
        self.is_multiplexed() && self.opened.elapsed() > limit - limit / 10 + spread
    }

    /// It speaks HTTP/2.
    pub(super) fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Relaxed)
    }

    /// No request for longer than `limit`, and no byte of an answer that still waits to be taken.
    pub(super) fn idle_for(&self, limit: Duration) -> bool {
        let quiet = self.in_flight.load(Relaxed) == 0 && self.stuck_since.load(Relaxed) == 0;
        quiet && self.older(self.idle_since.load(Relaxed), limit)
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
        stream: Option<Arc<StreamMark>>,
    }
}

impl<B> Tracked<B> {
    pub(super) fn new(inner: B, guard: InFlightGuard, stream: Option<Arc<StreamMark>>) -> Self {
        if let Some(mark) = &stream {
            mark.offered();
        }
        Self { inner, guard, stream }
    }
}

impl<B: Body> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = this.inner.poll_frame(cx);
        if let Some(mark) = this.stream {
            if frame.is_ready() { mark.offered() } else { mark.waits() }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A socket that leaves a mark when bytes come or go.
#[derive(Debug)]
pub(super) struct Marked<S> {
    socket: S,
    activity: Arc<Activity>,
    lingering: Option<Lingering>,
}

/// Reading away what the peer still sends.
#[derive(Debug)]
struct Lingering {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl<S> Marked<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>) -> Self {
        Self { socket, activity, lingering: None }
    }
}

impl<S: AsyncRead + Unpin> Marked<S> {
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let start = || Lingering { until: Box::pin(sleep(LINGER)), left: LINGER_BYTES };
        let lingering = self.lingering.get_or_insert_with(start);
        let mut scratch = [0; 4096];
        while lingering.left > 0 && lingering.until.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {
                    lingering.left = lingering.left.saturating_sub(buf.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: OverTcp + AsyncRead + Unpin> AsyncRead for Marked<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        if let Some(bytes) = buf.filled().get(before..).filter(|bytes| !bytes.is_empty()) {
            self.activity.received(bytes, || arrival(self.socket.tcp()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Marked<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.activity.written(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
        }
        if self.activity.unread.load(Relaxed) {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.activity.written(&written);
        written
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
        activity.received(b"GET", Instant::now);
        std::thread::yield_now();
        while !activity.head_is_late(Duration::ZERO) {
            std::hint::spin_loop();
        }
        let (_, guard) = activity.begin(false);
        activity.received(b"GET", Instant::now);
        assert!(!activity.head_is_late(Duration::ZERO) && !activity.idle_for(Duration::ZERO));
        drop(guard);
        while !activity.idle_for(Duration::ZERO) {
            std::hint::spin_loop();
        }
        assert!(!activity.idle_for(Duration::from_secs(3600)));
    }

    #[test]
    fn a_peer_that_takes_nothing_is_stuck_until_it_does() {
        let activity = Activity::new();
        activity.written::<()>(&Poll::Pending);
        while !activity.is_stuck(Duration::ZERO) {
            std::hint::spin_loop();
        }
        activity.written(&Poll::Ready(()));
        assert!(!activity.is_stuck(Duration::ZERO));
    }

    #[test]
    fn only_http2_grows_old_and_not_all_at_once() {
        let activity = Activity::new();
        assert!(!activity.is_old(Duration::ZERO, 0));
        drop(activity.begin(true));
        while !activity.is_old(Duration::ZERO, 0) {
            std::hint::spin_loop();
        }
        assert!(!activity.is_old(Duration::from_secs(3600), 99));
    }

    #[test]
    fn frames_between_requests_are_no_late_head_on_http2() {
        let activity = Activity::new();
        drop(activity.begin(true));
        activity.received(b"GET", Instant::now);
        assert!(!activity.head_is_late(Duration::ZERO));
    }
}
