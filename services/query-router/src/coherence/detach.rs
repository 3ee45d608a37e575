//! Work that outlives whoever waits for it.
//!
//! When a caller goes away, hyper drops the future of its call. A write that has been sent must not end there: the
//! origin's answer is still coming, and with it the certainty that closes the hold. So a write's future is handed to the
//! runtime when it is dropped half-way, and comes to its end with nobody listening. It costs nothing where nobody leaves.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use layer_service::shed::InFlight;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A future that goes on by itself when it is dropped before its end.
pub struct Detach<T: Send + 'static, F: FnOnce()> {
    /// Gone when it has ended.
    work: Option<Work<T>>,
    /// Called when nobody waits any more.
    left: Option<F>,
    /// How many may go on by themselves.
    places: InFlight,
}

impl<T: Send + 'static, F: FnOnce()> Detach<T, F> {
    /// Waits for `work`; calls `left` if it is dropped before, and lets the work go on where there is a place.
    pub fn new(work: impl Future<Output = T> + Send + 'static, places: InFlight, left: F) -> Self {
        Self { work: Some(Box::pin(work)), left: Some(left), places }
    }
}

impl<T: Send + 'static, F: FnOnce() + Unpin> Future for Detach<T, F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let work = self.work.as_mut().expect("a future is not polled after its end");
        let done = ready!(work.as_mut().poll(cx));
        self.work = None;
        Poll::Ready(done)
    }
}

impl<T: Send + 'static, F: FnOnce()> Drop for Detach<T, F> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        if let Some(left) = self.left.take() {
            left();
        }
        // Without a place, or a runtime, the work is dropped: for a write that is an unknown outcome.
        if let (Some(place), Ok(runtime)) = (self.places.enter(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                let _place = place;
                work.await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    };

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_is_waited_for_answers() {
        let left = || panic!("nobody left");
        assert_eq!(Detach::new(async { 7 }, InFlight::new(1), left).await, 7);
    }

    #[tokio::test]
    async fn what_is_left_comes_to_its_end() {
        let ((go, gate), (done, seen)) = (oneshot::channel::<()>(), oneshot::channel());
        let left = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&left);
        let work = async move {
            gate.await.unwrap();
            done.send(()).unwrap();
        };
        drop(Detach::new(work, InFlight::new(1), move || tell.store(true, SeqCst)));
        assert!(left.load(SeqCst));
        go.send(()).unwrap();
        seen.await.expect("the work went on");
    }

    #[tokio::test]
    async fn no_more_go_on_than_have_a_place() {
        let (places, (done, seen)) = (InFlight::new(1), oneshot::channel::<()>());
        let _taken = places.enter().unwrap();
        let work = async move {
            std::future::pending::<()>().await;
            drop(done);
        };
        drop(Detach::new(work, places, || ()));
        assert!(seen.await.is_err(), "the work was dropped");
    }
}
