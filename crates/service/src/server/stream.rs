//! The streams of an HTTP/2 connection, each with a limit on how long its caller may take nothing.
//!
//! On HTTP/2 a caller stops an answer by granting it no window. The socket stays writable then and hyper does not ask for
//! the body, so no timer of socket or body runs, and the answer would hold its connection to the origin for ever. hyper
//! runs every stream as a future of its own on an executor; this one watches them, and drops the one that stands still,
//! which resets that stream and no other.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hyper::rt::Executor;

tokio::task_local! {
    /// The mark of the stream whose future is being polled.
    static STREAM: Arc<StreamMark>;
}

/// When a stream's answer last offered something that its caller has not taken yet.
#[derive(Debug)]
pub(super) struct StreamMark {
    began: Instant,
    /// In milliseconds after `began` plus one; 0: the answer itself is waited for.
    offered_at: AtomicU64,
}

impl StreamMark {
    fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), offered_at: AtomicU64::new(0) })
    }

    /// The mark of the stream that runs now; `None` on HTTP/1.1.
    pub(super) fn current() -> Option<Arc<Self>> {
        STREAM.try_with(Arc::clone).ok()
    }

    /// There is something to take: the caller has to move next.
    pub(super) fn offered(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.offered_at.store(now.saturating_add(1), Relaxed);
    }

    /// There is nothing to take yet.
    pub(super) fn waits(&self) {
        self.offered_at.store(0, Relaxed);
    }

    fn is_stuck(&self, limit: Duration) -> bool {
        let at = self.offered_at.load(Relaxed);
        at != 0 && self.began.elapsed() > Duration::from_millis(at - 1) + limit
    }
}

/// Runs hyper's streams, and drops those whose callers take nothing for longer than the limit.
#[derive(Debug, Clone)]
pub(super) struct StreamExecutor {
    pub(super) stall_limit: Duration,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let limit = self.stall_limit;
        let mark = StreamMark::new();
        let watched = Arc::clone(&mark);
        tokio::spawn(async move {
            tokio::select! {
                () = STREAM.scope(mark, stream) => {}
                () = stuck(&watched, limit) => tracing::debug!("a caller takes nothing of its answer: stream reset"),
            }
        });
    }
}

async fn stuck(mark: &StreamMark, limit: Duration) {
    while !mark.is_stuck(limit) {
        tokio::time::sleep((limit / 4).max(Duration::from_millis(10))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_offered_and_not_taken_is_stuck() {
        let mark = StreamMark::new();
        assert!(!mark.is_stuck(Duration::ZERO));
        mark.offered();
        while !mark.is_stuck(Duration::ZERO) {
            std::hint::spin_loop();
        }
        assert!(!mark.is_stuck(Duration::from_secs(60)));
        mark.waits();
        assert!(!mark.is_stuck(Duration::ZERO));
    }
}
