//! What writes have to tell the cache and could not.
//!
//! Bounded twice. Jobs name their keys; when these become too many, the jobs of the namespace whose job came too much
//! are given up for one that purges it. When the namespaces to purge become too many, nothing but time helps: the cache is
//! bypassed as a whole until all that it can hold has expired. Every step down clears more, never less.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::{
    bypass::{BypassGuard, BypassSet, Keys},
    error::Away,
    message::{Message, WriteId},
    scope::{Place, Scope},
};

/// Messages of one write, in the order in which they must arrive.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) scope: Scope,
    pub(crate) messages: VecDeque<Message>,
    /// Bypasses what the messages concern.
    guard: Option<BypassGuard>,
}

impl Job {
    pub(crate) fn new(scope: &Scope, messages: impl Into<VecDeque<Message>>) -> Self {
        Self { scope: scope.clone(), messages: messages.into(), guard: None }
    }

    /// Begins to bypass, in `set`, what the messages concern. A namespace hold left open concerns no key: at worst it runs
    /// out, which purges.
    pub(crate) fn bypass(&mut self, set: &Arc<BypassSet>) {
        let whole = |message: &Message| matches!(message, Message::Purge | Message::HoldNamespace(_));
        let keys: Vec<Keys> = self.messages.iter().filter_map(Message::keys).map(Arc::clone).collect();
        // The new guard is there before the old one goes.
        let guard = match self.messages.iter().any(whole) {
            true => Some(set.namespace(&self.scope)),
            false if keys.is_empty() => None,
            false => Some(set.keys(&self.scope, keys)),
        };
        self.guard = guard;
    }

    /// The messages that come next, `at_most` of them, whose order among each other does not matter.
    pub(crate) fn next(&self, at_most: usize) -> Vec<Message> {
        let kind = self.messages.front().map(std::mem::discriminant);
        let alike = |message: &&Message| Some(std::mem::discriminant(*message)) == kind;
        self.messages.iter().take_while(alike).take(at_most).cloned().collect()
    }

    /// These became of the first messages: takes away those that were taken.
    pub(crate) fn told(&mut self, told: &[Result<(), Away>]) {
        let mut told = told.iter();
        self.messages.retain(|_| !told.next().is_some_and(Result::is_ok));
    }

    /// Whether something has changed that no hold of its own keeps from being served.
    pub(crate) fn owes(&self) -> bool {
        self.messages.iter().any(Message::clears)
    }

    /// Puts a purge in the place of what clears by name, and of all that has many keys; whether there was any. Of holds of
    /// many keys, opened or to be opened anew, the one to be opened becomes the namespace's; the others run out.
    pub(crate) fn shorten(&mut self) -> bool {
        let long = |message: &Message| message.clears() || message.is_bulk();
        if !self.messages.iter().any(long) {
            return false;
        }
        let unknown = self.messages.iter().find_map(|message| match message {
            Message::Hold(id, _) if message.is_bulk() => Some(*id),
            _ => None,
        });
        self.messages.retain(|message| !long(message));
        self.messages.push_front(Message::Purge);
        if let Some(write) = unknown {
            self.messages.push_front(Message::HoldNamespace(write));
        }
        true
    }

    /// Against the bound: its keys, and 1 for a job without.
    fn weight(&self) -> usize {
        self.messages.iter().filter_map(Message::keys).map(|keys| keys.len()).sum::<usize>().max(1)
    }

    /// The write's id, where its outcome is unknown.
    fn unknown(&self) -> Option<WriteId> {
        self.messages.iter().find_map(|message| match message {
            Message::Hold(id, _) | Message::HoldNamespace(id) => Some(*id),
            _ => None,
        })
    }
}

/// What became of a job that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits.
    Kept,
    /// Its namespace will be purged instead.
    Collapsed,
    /// Nobody will deliver it: the caller must bypass everything.
    Lost,
}

/// A job that is being delivered.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) job: Job,
    keys: usize,
}

/// All that is undelivered.
#[derive(Debug)]
pub(crate) struct Backlog {
    bypass: Arc<BypassSet>,
    keys_max: usize,
    namespaces_max: usize,
    /// Weight of `jobs` and of those being delivered.
    keys: usize,
    jobs: VecDeque<Job>,
    by_place: HashMap<Arc<Place>, usize>,
    /// Namespaces to be purged, with a hold first where a write's outcome is unknown: it will purge again.
    purges: HashMap<Arc<Place>, Job>,
    /// Purges being delivered.
    purging: usize,
    turn: bool,
}

impl Backlog {
    pub(crate) fn new(bypass: Arc<BypassSet>, keys_max: usize, namespaces_max: usize) -> Self {
        Self {
            bypass,
            keys_max,
            namespaces_max,
            keys: 0,
            jobs: VecDeque::new(),
            by_place: HashMap::new(),
            purges: HashMap::new(),
            purging: 0,
            turn: false,
        }
    }

    /// Keys, and namespaces, undelivered.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.keys, self.purges.len() + self.purging)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sizes() == (0, 0)
    }

    /// Puts a job in; what it concerns is bypassed when this returns (unless it is lost).
    pub(crate) fn push(&mut self, mut job: Job) -> Pushed {
        let place = Arc::clone(job.scope.place());
        if let Some(purge) = self.purges.get_mut(&place) {
            merge(purge, &job);
            return Pushed::Collapsed;
        }
        let weight = job.weight();
        if self.keys + weight <= self.keys_max {
            job.bypass(&self.bypass);
            self.keys += weight;
            *self.by_place.entry(place).or_default() += 1;
            self.jobs.push_back(job);
            return Pushed::Kept;
        }
        self.collapse(place, job)
    }

    /// Gives up the jobs of a namespace for a purge.
    fn collapse(&mut self, place: Arc<Place>, job: Job) -> Pushed {
        if self.purges.len() + self.purging >= self.namespaces_max {
            return Pushed::Lost;
        }
        let mut purge = Job::new(&job.scope, [Message::Purge]);
        purge.bypass(&self.bypass);
        merge(&mut purge, &job);
        if self.by_place.remove(&place).is_some() {
            let (of_place, others) =
                std::mem::take(&mut self.jobs).into_iter().partition(|job| *job.scope.place() == place);
            self.jobs = others;
            let of_place: VecDeque<Job> = of_place;
            for given_up in &of_place {
                merge(&mut purge, given_up);
                self.keys -= given_up.weight();
            }
        }
        self.purges.insert(place, purge);
        Pushed::Collapsed
    }

    /// The next to be delivered: purges and jobs take turns.
    pub(crate) fn take(&mut self) -> Option<Taken> {
        self.turn = !self.turn;
        if (self.turn || self.jobs.is_empty())
            && let Some(taken) = self.take_purge()
        {
            return Some(taken);
        }
        let job = self.jobs.pop_front()?;
        if let Some(count) = self.by_place.get_mut(job.scope.place()) {
            *count -= 1;
            if *count == 0 {
                self.by_place.remove(job.scope.place());
            }
        }
        Some(Taken { keys: job.weight(), job })
    }

    fn take_purge(&mut self) -> Option<Taken> {
        let place = Arc::clone(self.purges.keys().next()?);
        let job = self.purges.remove(&place)?;
        self.purging += 1;
        Some(Taken { job, keys: 0 })
    }

    /// A job was delivered, or what is left of it comes back.
    pub(crate) fn give_back(&mut self, taken: Taken) -> Option<Pushed> {
        let Taken { job, keys } = taken;
        match keys {
            0 => self.purging -= 1,
            _ => self.keys -= keys,
        }
        if job.messages.is_empty() {
            return None;
        }
        if keys > 0 {
            return Some(self.push(job));
        }
        let place = Arc::clone(job.scope.place());
        match self.purges.get_mut(&place) {
            Some(newer) => merge(newer, &job),
            None => drop(self.purges.insert(place, job)),
        }
        Some(Pushed::Kept)
    }
}

/// A purge takes in another job of its namespace: of that, only an open hold is left to be told.
fn merge(purge: &mut Job, job: &Job) {
    let holds = purge.messages.iter().any(Message::opens);
    if let (false, Some(write)) = (holds, job.unknown()) {
        purge.messages.push_front(Message::HoldNamespace(write));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bypass::Bypassed, key::Key, scope::Kind};

    const WRITE: WriteId = [7; 16];

    fn scope(namespace: &str) -> Scope {
        Scope::new("t", namespace, Kind::Document).unwrap()
    }

    fn keys(ids: std::ops::Range<u64>) -> Keys {
        ids.map(Key::uint).collect()
    }

    fn release(namespace: &str, ids: std::ops::Range<u64>) -> Job {
        Job::new(&scope(namespace), [Message::Release(WRITE, keys(ids))])
    }

    fn backlog(keys: usize, namespaces: usize) -> (Backlog, Arc<BypassSet>) {
        let bypass = Arc::new(BypassSet::default());
        (Backlog::new(Arc::clone(&bypass), keys, namespaces), bypass)
    }

    #[test]
    fn keys_are_bypassed_while_they_wait_and_while_they_are_delivered() {
        let (mut backlog, bypass) = backlog(10, 10);
        assert_eq!(backlog.push(release("n", 0..2)), Pushed::Kept);
        let mut taken = backlog.take().unwrap();
        assert_eq!(backlog.sizes(), (2, 0));
        assert_eq!(bypass.check(&scope("n"), &keys(0..3)), Bypassed::These(vec![true, true, false]));
        assert_eq!(backlog.give_back(Taken { job: release("n", 0..1), keys: 2 }), Some(Pushed::Kept));
        taken.job.messages.clear();
        drop(taken);
        assert_eq!(bypass.check(&scope("n"), &keys(0..3)), Bypassed::These(vec![true, false, false]));
        let mut taken = backlog.take().unwrap();
        taken.job.messages.clear();
        assert_eq!(backlog.give_back(taken), None);
        assert!(backlog.is_empty());
        assert_eq!(bypass.check(&scope("n"), &keys(0..3)), Bypassed::None);
    }

    #[test]
    fn too_many_keys_of_a_namespace_become_its_purge() {
        let (mut backlog, bypass) = backlog(10, 10);
        assert_eq!(backlog.push(release("n", 0..6)), Pushed::Kept);
        assert_eq!(backlog.push(release("m", 0..2)), Pushed::Kept);
        assert_eq!(backlog.push(release("n", 6..9)), Pushed::Collapsed);
        assert_eq!(backlog.sizes(), (2, 1));
        assert_eq!(bypass.check(&scope("n"), &keys(100..101)), Bypassed::All);
        assert_eq!(bypass.check(&scope("m"), &keys(1..3)), Bypassed::These(vec![true, false]));
        assert_eq!(backlog.push(release("n", 20..21)), Pushed::Collapsed);
        let taken = [backlog.take().unwrap(), backlog.take().unwrap()];
        assert!(backlog.take().is_none());
        let purge = taken.iter().find(|taken| taken.job.scope == scope("n")).unwrap();
        assert_eq!(purge.job.messages, [Message::Purge]);
    }

    #[test]
    fn an_unknown_outcome_survives_its_collapse_as_a_hold_of_the_namespace() {
        let (mut backlog, _bypass) = backlog(2, 10);
        backlog.push(Job::new(&scope("n"), [Message::Hold(WRITE, keys(0..2))]));
        assert_eq!(backlog.push(release("n", 0..1)), Pushed::Collapsed);
        assert_eq!(backlog.take().unwrap().job.messages, [Message::HoldNamespace(WRITE), Message::Purge]);
    }

    #[test]
    fn a_purge_asked_for_while_another_is_delivered_is_delivered_after_it() {
        let (mut backlog, bypass) = backlog(1, 10);
        assert_eq!(backlog.push(release("n", 0..2)), Pushed::Collapsed);
        let mut first = backlog.take().unwrap();
        assert_eq!(backlog.push(release("n", 0..2)), Pushed::Collapsed);
        first.job.messages.clear();
        assert_eq!(backlog.give_back(first), None);
        assert_eq!(backlog.sizes(), (0, 1));
        assert_eq!(bypass.check(&scope("n"), &keys(0..1)), Bypassed::All);
    }

    #[test]
    fn a_purge_that_could_not_be_delivered_waits_on() {
        let (mut backlog, bypass) = backlog(1, 10);
        assert_eq!(backlog.push(release("n", 0..2)), Pushed::Collapsed);
        let taken = backlog.take().unwrap();
        assert_eq!(backlog.give_back(taken), Some(Pushed::Kept));
        assert_eq!(backlog.sizes(), (0, 1));
        assert_eq!(bypass.check(&scope("n"), &keys(0..1)), Bypassed::All);
        // It comes back while a newer one waits: one is enough.
        let taken = backlog.take().unwrap();
        assert_eq!(backlog.push(release("n", 0..2)), Pushed::Collapsed);
        assert_eq!(backlog.give_back(taken), Some(Pushed::Kept));
        assert_eq!(backlog.take().unwrap().job.messages, [Message::Purge]);
        assert!(backlog.take().is_none());
    }

    #[test]
    fn too_many_namespaces_are_lost_aloud() {
        let (mut backlog, _bypass) = backlog(1, 1);
        assert_eq!(backlog.push(release("a", 0..2)), Pushed::Collapsed);
        assert_eq!(backlog.push(release("b", 0..2)), Pushed::Lost);
        assert_eq!(backlog.push(release("b", 0..1)), Pushed::Kept);
    }

    #[test]
    fn a_namespace_hold_that_is_only_to_be_closed_bypasses_nothing() {
        let (mut backlog, bypass) = backlog(5, 1);
        backlog.push(Job::new(&scope("n"), [Message::ReleaseNamespace(WRITE)]));
        assert_eq!(bypass.check(&scope("n"), &keys(0..1)), Bypassed::None);
        assert_eq!(backlog.sizes(), (1, 0));
    }
}
