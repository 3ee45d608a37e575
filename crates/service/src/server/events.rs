//! What a connection's task looks up for, beside its requests.
//!
//! Timers and stages are polled only when they themselves woke the task. Beside the connection in one `select!` they
//! would be polled at every wake, and every wake but a handful is a request's.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};

use crate::lifecycle::{Lifecycle, Stage};

/// Something that a connection's task has to act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// It is time to look at what the connection does.
    Look,
    /// The service drains; comes once.
    Draining,
    /// Idle connections are to close; comes once.
    Closing,
}

/// The events of one connection.
pub(super) struct Events {
    waiting: FuturesUnordered<BoxFuture<'static, Event>>,
    every: Duration,
}

impl Events {
    /// [`Event::Look`] comes first after `every`, and then again and again.
    pub(super) fn new(lifecycle: Lifecycle, every: Duration) -> Self {
        let waiting = FuturesUnordered::new();
        for (stage, event) in [(Stage::Draining, Event::Draining), (Stage::Closing, Event::Closing)] {
            let lifecycle = lifecycle.clone();
            waiting.push(async move { lifecycle.reached(stage).map(|()| event).await }.boxed());
        }
        let events = Self { waiting, every };
        events.look_later();
        events
    }

    /// The next event.
    pub(super) async fn next(&mut self) -> Event {
        match self.waiting.next().await {
            Some(event @ (Event::Draining | Event::Closing)) => event,
            _ => {
                self.look_later();
                Event::Look
            }
        }
    }

    fn look_later(&self) {
        self.waiting.push(tokio::time::sleep(self.every).map(|()| Event::Look).boxed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn looks_come_again_and_again_and_each_stage_once() {
        let lifecycle = Lifecycle::default();
        let mut events = Events::new(lifecycle.clone(), Duration::from_secs(1));
        for _ in 0..3 {
            assert_eq!(events.next().await, Event::Look);
        }
        lifecycle.advance(Stage::Draining);
        assert_eq!(events.next().await, Event::Draining);
        assert_eq!(events.next().await, Event::Look);
        lifecycle.advance(Stage::Closing);
        assert_eq!(events.next().await, Event::Closing);
        for _ in 0..3 {
            assert_eq!(events.next().await, Event::Look);
        }
    }
}
