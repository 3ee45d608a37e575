//! Claims that wait: told in this process when something may have come, and looking by themselves for what other processes
//! brought.
//!
//! However many claims wait for the same documents, one look at a time is made for them: what one does not find the others
//! would not find either. So a crowd of idle workers costs the database no more than one of them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Mutex as Gate, Notify};

/// How often claims that wait look: other replicas and ends of backoffs tell nobody.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Pipelines that are told of at the most, and kinds of claims of one; others look by themselves.
const QUEUES_MAX: usize = 10_000;
const LOOKS_MAX: usize = 1_000;

/// Who waits, by pipeline.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    queues: Mutex<HashMap<String, Arc<Waiting>>>,
}

/// Those who wait for documents of a pipeline.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) notify: Notify,
    /// How often something may have come.
    came: AtomicU64,
    looks: Mutex<HashMap<(String, String), Arc<Look>>>,
}

/// The last look that found nothing: what had come before it, and when it was.
type Nothing = Option<(u64, Instant)>;

/// Looks for the same documents, one after another.
#[derive(Debug, Default)]
pub(super) struct Look(Gate<Nothing>);

impl Wakes {
    /// Those who wait for documents of `queue`.
    pub(super) fn of(&self, queue: &str) -> Arc<Waiting> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        shared(&mut queues, queue.to_owned(), QUEUES_MAX)
    }

    /// Something of `queue` may be ready.
    pub(super) fn wake(&self, queue: &str) {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = queues.get(queue) {
            waiting.came.fetch_add(1, SeqCst);
            waiting.notify.notify_waiters();
        }
    }
}

impl Waiting {
    /// The looks of claims from `stage` by `prefix`.
    pub(super) fn looks(&self, stage: &str, prefix: &str) -> Arc<Look> {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        shared(&mut looks, (stage.to_owned(), prefix.to_owned()), LOOKS_MAX)
    }

    /// Looks by `claim`, unless somebody has just found nothing; waits for its turn no longer than `until`.
    pub(super) async fn look<T, E>(
        &self,
        look: &Look,
        until: Instant,
        claim: impl Future<Output = Result<Vec<T>, E>>,
    ) -> Result<Vec<T>, E> {
        let Ok(mut nothing) = tokio::time::timeout_at(until.into(), look.0.lock()).await else { return Ok(Vec::new()) };
        // What comes from here on may be missed, and is looked for again.
        let (came, began) = (self.came.load(SeqCst), Instant::now());
        if nothing.is_some_and(|(before, at)| before == came && at + LOOK_EVERY > began) {
            return Ok(Vec::new());
        }
        let found = claim.await?;
        *nothing = found.is_empty().then_some((came, began));
        Ok(found)
    }
}

/// The value of a key, which all who ask share; one of its own where there are too many that somebody has.
fn shared<K: std::hash::Hash + Eq, V: Default>(map: &mut HashMap<K, Arc<V>>, key: K, max: usize) -> Arc<V> {
    if map.len() >= max {
        map.retain(|_, value| Arc::strong_count(value) > 1);
    }
    if map.len() >= max {
        return Arc::default();
    }
    Arc::clone(map.entry(key).or_default())
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
    use std::convert::Infallible;

    use super::*;

    #[tokio::test]
    async fn who_waits_for_a_queue_is_woken_by_it_alone() {
        let wakes = Wakes::default();
        let (a, b) = (wakes.of("a"), wakes.of("b"));
        let (woken, other) = (a.notify.notified(), b.notify.notified());
        let (mut woken, mut other) = (std::pin::pin!(woken), std::pin::pin!(other));
        assert!(!woken.as_mut().enable() && !other.as_mut().enable());
        wakes.wake("a");
        wakes.wake("c");
        woken.await;
        assert!(!other.as_mut().enable());
    }

    /// What looks at a store of so many documents, two at a time, find together, and how many looks were made.
    async fn looks(wakes: &Wakes, store: &AtomicU64, claims: usize) -> (usize, u64) {
        let made = AtomicU64::new(0);
        let waiting = wakes.of("a");
        let claims = (0..claims).map(|_| async {
            let look = waiting.looks("pending", "");
            let until = Instant::now() + Duration::from_secs(60);
            let claim = async {
                made.fetch_add(1, SeqCst);
                tokio::task::yield_now().await;
                let left = store.load(SeqCst);
                store.store(left.saturating_sub(2), SeqCst);
                Ok::<_, Infallible>(vec![(); usize::try_from(left.min(2)).unwrap()])
            };
            waiting.look(&look, until, claim).await.unwrap().len()
        });
        let found = futures_util::future::join_all(claims).await.into_iter().sum();
        (found, made.into_inner())
    }

    #[tokio::test]
    async fn a_crowd_makes_one_look_that_finds_nothing() {
        let (wakes, store) = (Wakes::default(), AtomicU64::new(5));
        assert_eq!(looks(&wakes, &store, 100).await, (5, 4), "three that find something, and one that does not");
        assert_eq!(looks(&wakes, &store, 100).await, (0, 0), "nothing has come since");
        store.store(1, SeqCst);
        wakes.wake("a");
        assert_eq!(looks(&wakes, &store, 100).await, (1, 2));
    }

    #[tokio::test]
    async fn what_other_processes_bring_is_looked_for_from_time_to_time() {
        let (wakes, store) = (Wakes::default(), AtomicU64::new(0));
        assert_eq!(looks(&wakes, &store, 2).await, (0, 1));
        store.store(1, SeqCst);
        let woken = std::future::pending();
        assert!(wait(woken, Instant::now() + Duration::from_secs(60)).await);
        assert_eq!(looks(&wakes, &store, 1).await, (1, 1));
    }

    #[tokio::test]
    async fn claims_of_other_stages_and_prefixes_look_by_themselves() {
        let wakes = Wakes::default();
        let waiting = wakes.of("a");
        let one = waiting.looks("pending", "");
        assert!(Arc::ptr_eq(&one, &waiting.looks("pending", "")));
        assert!(!Arc::ptr_eq(&one, &waiting.looks("embedding", "")));
        assert!(!Arc::ptr_eq(&one, &waiting.looks("pending", "a/")));
    }
}
