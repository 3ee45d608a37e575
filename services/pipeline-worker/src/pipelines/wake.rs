//! Claims that wait: told in this process when something may have come, and looking by themselves for what other processes
//! brought.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// How often a claim that waits looks: other replicas and ends of backoffs tell nobody.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Pipelines that are told of at the most; claims of others look by themselves.
const QUEUES_MAX: usize = 10_000;

/// Who waits, by pipeline.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    queues: Mutex<HashMap<String, Arc<Notify>>>,
}

impl Wakes {
    /// What a claim of `queue` waits for. Take it before looking, so that nothing comes in between.
    pub(super) fn of(&self, queue: &str) -> Arc<Notify> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits where this is the only handle.
        if queues.len() >= QUEUES_MAX {
            queues.retain(|_, notify| Arc::strong_count(notify) > 1);
        }
        if queues.len() >= QUEUES_MAX {
            return Arc::default();
        }
        Arc::clone(queues.entry(queue.to_owned()).or_default())
    }

    /// Something of `queue` may be ready.
    pub(super) fn wake(&self, queue: &str) {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notify) = queues.get(queue) {
            notify.notify_waiters();
        }
    }
}

/// Waits for `woken`, and no longer than is good before the next look, nor than `until`. Whether there is time for another
/// look.
pub(super) async fn wait(woken: impl Future<Output = ()>, until: Instant) -> bool {
    let next = (Instant::now() + LOOK_EVERY).min(until);
    // Woken or not, the next step is to look.
    let _ = tokio::time::timeout_at(next.into(), woken).await;
    Instant::now() < until
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_a_queue_is_woken_by_it_alone() {
        let wakes = Wakes::default();
        let (a, b) = (wakes.of("a"), wakes.of("b"));
        let (woken, other) = (a.notified(), b.notified());
        let (mut woken, mut other) = (std::pin::pin!(woken), std::pin::pin!(other));
        assert!(!woken.as_mut().enable() && !other.as_mut().enable());
        wakes.wake("a");
        wakes.wake("c");
        woken.await;
        assert!(!other.as_mut().enable());
    }
}
