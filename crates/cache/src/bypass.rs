//! What this process must not take from the cache at present.
//!
//! While the cache may still hold what a write of this process has replaced, because the message that clears it was not
//! delivered, reads of the same process go to the origin. Entries are counted guards: a write or a job of the backlog has
//! one, and it ends with it. When nothing is undelivered, which is nearly always, a check costs one atomic load.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::time::Instant;

use crate::{
    key::Key,
    scope::{Place, Scope},
};

/// Keys of one call, shared by the messages about them.
pub(crate) type Keys = Arc<[Key]>;

/// What is bypassed; shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct BypassSet {
    /// Guards that exist, and one while everything is bypassed.
    active: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    namespaces: HashMap<Arc<Place>, usize>,
    keys: HashMap<Scope, HashMap<Key, usize>>,
    everything_until: Option<Instant>,
}

/// The answer to a check.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bypassed {
    /// No key is.
    None,
    /// Every key is.
    All,
    /// Those at which this is true.
    These(Vec<bool>),
}

/// Bypasses its keys or namespace until it goes.
#[derive(Debug)]
pub(crate) struct BypassGuard {
    set: Arc<BypassSet>,
    what: What,
}

#[derive(Debug)]
enum What {
    Keys(Scope, Vec<Keys>),
    Namespace(Arc<Place>),
}

impl BypassSet {
    pub(crate) fn keys(self: &Arc<Self>, scope: &Scope, keys: Vec<Keys>) -> BypassGuard {
        let mut inner = self.lock();
        let counts = inner.keys.entry(scope.clone()).or_default();
        for key in keys.iter().flat_map(|keys| keys.iter()) {
            *counts.entry(key.clone()).or_default() += 1;
        }
        self.active.fetch_add(1, SeqCst);
        BypassGuard { set: Arc::clone(self), what: What::Keys(scope.clone(), keys) }
    }

    pub(crate) fn namespace(self: &Arc<Self>, scope: &Scope) -> BypassGuard {
        *self.lock().namespaces.entry(Arc::clone(scope.place())).or_default() += 1;
        self.active.fetch_add(1, SeqCst);
        BypassGuard { set: Arc::clone(self), what: What::Namespace(Arc::clone(scope.place())) }
    }

    /// Bypasses the whole cache until `until`, or longer if that was said before.
    pub(crate) fn everything(&self, until: Instant) {
        let mut inner = self.lock();
        if inner.everything_until.is_none() {
            self.active.fetch_add(1, SeqCst);
        }
        inner.everything_until = inner.everything_until.max(Some(until));
    }

    pub(crate) fn check(&self, scope: &Scope, keys: &[Key]) -> Bypassed {
        if self.active.load(SeqCst) == 0 {
            return Bypassed::None;
        }
        let mut inner = self.lock();
        if inner.everything_until.is_some_and(|until| until <= Instant::now()) {
            inner.everything_until = None;
            self.active.fetch_sub(1, SeqCst);
        }
        if inner.everything_until.is_some() || inner.namespaces.contains_key(scope.place()) {
            return Bypassed::All;
        }
        let Some(counts) = inner.keys.get(scope) else { return Bypassed::None };
        let these: Vec<bool> = keys.iter().map(|key| counts.contains_key(key)).collect();
        match these.iter().filter(|bypassed| **bypassed).count() {
            0 => Bypassed::None,
            all if all == keys.len() => Bypassed::All,
            _ => Bypassed::These(these),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BypassGuard {
    fn drop(&mut self) {
        let mut inner = self.set.lock();
        match &self.what {
            What::Namespace(place) => take(&mut inner.namespaces, place),
            What::Keys(scope, keys) => {
                let Some(counts) = inner.keys.get_mut(scope) else { return };
                keys.iter().flat_map(|keys| keys.iter()).for_each(|key| take(counts, key));
                if counts.is_empty() {
                    inner.keys.remove(scope);
                }
            }
        }
        self.set.active.fetch_sub(1, SeqCst);
    }
}

fn take<K: Hash + Eq + Clone>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Entry::Occupied(mut entry) = counts.entry(key.clone()) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scope::Kind;

    fn scope(namespace: &str) -> Scope {
        Scope::new("t", namespace, Kind::Document).unwrap()
    }

    fn keys(ids: impl IntoIterator<Item = u64>) -> Keys {
        ids.into_iter().map(Key::uint).collect()
    }

    #[test]
    fn a_key_is_bypassed_until_its_last_guard_goes() {
        let set = Arc::new(BypassSet::default());
        let first = set.keys(&scope("n"), vec![keys([1, 2])]);
        let second = set.keys(&scope("n"), vec![keys([2])]);
        assert_eq!(set.check(&scope("n"), &keys([1, 2, 3])), Bypassed::These(vec![true, true, false]));
        assert_eq!(set.check(&scope("m"), &keys([1, 2, 3])), Bypassed::None);
        drop(first);
        assert_eq!(set.check(&scope("n"), &keys([1, 2])), Bypassed::These(vec![false, true]));
        drop(second);
        assert_eq!(set.check(&scope("n"), &keys([1, 2])), Bypassed::None);
        assert_eq!(set.active.load(SeqCst), 0);
        assert!(set.lock().keys.is_empty());
    }

    #[test]
    fn a_namespace_is_bypassed_for_every_kind() {
        let set = Arc::new(BypassSet::default());
        let guard = set.namespace(&scope("n"));
        assert_eq!(set.check(&scope("n").of_kind(Kind::Chunk), &keys([1])), Bypassed::All);
        assert_eq!(set.check(&scope("m"), &keys([1])), Bypassed::None);
        drop(guard);
        assert_eq!(set.check(&scope("n"), &keys([1])), Bypassed::None);
    }

    #[tokio::test(start_paused = true)]
    async fn everything_is_bypassed_for_a_time() {
        let set = Arc::new(BypassSet::default());
        set.everything(Instant::now() + Duration::from_secs(10));
        set.everything(Instant::now() + Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(set.check(&scope("n"), &keys([1])), Bypassed::All);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(set.check(&scope("n"), &keys([1])), Bypassed::None);
        assert_eq!(set.active.load(SeqCst), 0);
    }
}
