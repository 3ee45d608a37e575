//! Look-ups of single keys, joined into one call where they come faster than calls end.
//!
//! A call costs the router, the kernel and the replica ten times what a key in it does. So while a call of a scope is under
//! way, look-ups gather, and go together as soon as it ends; or, where it takes longer than one should, with the next that
//! comes. A lone look-up never waits, and is a call of its own, made by its caller.
//!
//! What makes this safe: **a look-up is answered only by a call that was sent after it came.** Each waits no longer than
//! its own deadline, whatever becomes of the call; one that goes away takes nothing from the others.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use layer_proto::cache::v1::{BatchGetRequest, IndexedLookup};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};
use tonic::Status;
use tracing::{Instrument, Span};

use crate::{
    ask::{Asking, Question, Said, garbage},
    cache::Cache,
    call::left,
    channels::Client,
    error::Away,
    key::Key,
    message::within,
    observe::Operation,
    scope::Scope,
};

/// How long look-ups gather behind a call: about what one takes. Behind a longer one, for a large body or to a replica that
/// is far, they need not wait.
const GATHER: Duration = Duration::from_micros(500);
/// Calls of one scope under way at the most.
const CALLS: usize = 8;
/// Keys of a call, so that it ends in the time of one.
const KEYS: usize = 128;

/// What is said of a key, or why nothing is.
type Answer = Result<Said, Away>;

/// The look-ups of one worker.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    lanes: Mutex<HashMap<Scope, Lane>>,
}

/// Those of one scope.
#[derive(Debug)]
struct Lane {
    /// Calls under way: at least one.
    calls: usize,
    /// When the last of them began.
    began: Instant,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    key: Key,
    tell: oneshot::Sender<Answer>,
    span: Span,
}

/// How a look-up goes on.
pub(crate) enum Turn {
    /// It is a call of its own; what gathers meanwhile goes when this ends.
    Alone(Calling),
    /// It goes with others. The first of them sees to it that they do not wait for long.
    Joined { answer: oneshot::Receiver<Answer>, first: bool },
}

/// A call under way.
pub(crate) struct Calling {
    cache: Cache,
    scope: Scope,
}

impl Gather {
    /// A look-up comes.
    pub(crate) fn enter(cache: &Cache, scope: &Scope, key: &Key) -> Turn {
        let mut lanes = cache.gather.lock();
        let Some(lane) = lanes.get_mut(scope) else {
            lanes.insert(scope.clone(), Lane { calls: 1, began: Instant::now(), waiting: VecDeque::new() });
            return Turn::Alone(Calling { cache: cache.clone(), scope: scope.clone() });
        };
        let (tell, answer) = oneshot::channel();
        let first = lane.waiting.is_empty();
        lane.waiting.push_back(Waiting { key: key.clone(), tell, span: Span::current() });
        drop(lanes);
        let begun = Self::hurry(cache, scope);
        Turn::Joined { answer, first: first && !begun }
    }

    /// Begins a call for those that wait, if the last began long enough ago; whether it did.
    fn hurry(cache: &Cache, scope: &Scope) -> bool {
        let mut lanes = cache.gather.lock();
        let Some(lane) = lanes.get_mut(scope) else { return false };
        if lane.waiting.is_empty() || lane.calls >= CALLS || lane.began.elapsed() < GATHER {
            return false;
        }
        lane.calls += 1;
        drop(lanes);
        // Which begins a call, as the end of one does.
        drop(Calling { cache: cache.clone(), scope: scope.clone() });
        true
    }

    /// A call has ended; those that go next, if any wait.
    fn next(&self, scope: &Scope) -> Option<Vec<Waiting>> {
        let mut lanes = self.lock();
        let lane = lanes.get_mut(scope)?;
        let mut next = Vec::new();
        while next.len() < KEYS
            && let Some(waiting) = lane.waiting.pop_front()
        {
            if !waiting.tell.is_closed() {
                next.push(waiting);
            }
        }
        if !next.is_empty() {
            lane.began = Instant::now();
            return Some(next);
        }
        lane.calls -= 1;
        if lane.calls == 0 {
            lanes.remove(scope);
        }
        None
    }

    /// Scopes of which a call is under way.
    #[cfg(test)]
    pub(crate) fn lanes(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Scope, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for what a call together says.
pub(crate) async fn joined(
    cache: &Cache,
    scope: &Scope,
    mut answer: oneshot::Receiver<Answer>,
    first: bool,
    until: Instant,
) -> Answer {
    if first && let Ok(answer) = timeout(GATHER, &mut answer).await {
        return answer.unwrap_or(Err(Away::Failed));
    }
    if first {
        Gather::hurry(cache, scope);
    }
    match timeout_at(until, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Away::Failed),
        Err(_) => Err(Away::Deadline),
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let Some(next) = self.cache.gather.next(&self.scope) else { return };
        // Without a runtime nobody waits any more: their channels close.
        let Ok(runtime) = Handle::try_current() else { return };
        let calling = Self { cache: self.cache.clone(), scope: self.scope.clone() };
        let span = next.first().map_or_else(Span::none, |first| first.span.clone());
        runtime.spawn(calling.call(next).instrument(span));
    }
}

impl Calling {
    async fn call(self, waiting: Vec<Waiting>) {
        let shared = &self.cache.shared;
        let waiting = waiting.into_iter().map(Some).collect();
        let mut together = Together { scope: &self.scope, waiting, progressed: false };
        let answered = match shared.read_open() {
            true => Err(Away::BreakerOpen),
            false => {
                let until = shared.read_deadline(1);
                let asking = Asking { shared, channels: &self.cache.channels, until, hurried: false };
                asking.ask(Operation::BatchGet, &mut together).await
            }
        };
        if let Err(away) = answered {
            together.waiting.into_iter().flatten().for_each(|one| drop(one.tell.send(Err(away))));
        }
    }
}

/// Look-ups that go together.
struct Together<'a> {
    scope: &'a Scope,
    /// In the order of the present call's keys; those that are answered are gone.
    waiting: Vec<Option<Waiting>>,
    progressed: bool,
}

impl Together<'_> {
    /// Tells those whom a piece is about; nobody where any of it makes no sense.
    fn tell(&mut self, lookups: Vec<IndexedLookup>) -> Result<(), Status> {
        let mut told = Vec::with_capacity(lookups.len());
        for indexed in lookups {
            let place = indexed.index as usize;
            let awaited = self.waiting.get(place).is_some_and(Option::is_some);
            if !awaited || told.iter().any(|(known, _)| *known == place) {
                return Err(garbage());
            }
            told.push((place, Said::of(indexed.lookup)?));
        }
        for (place, said) in told {
            self.progressed = true;
            if let Some(one) = self.waiting[place].take() {
                // Who has gone does not need it.
                let _ = one.tell.send(Ok(said));
            }
        }
        Ok(())
    }
}

impl Question for Together<'_> {
    type Answer = ();

    async fn put(&mut self, mut client: Client, until: Instant) -> Result<(), Status> {
        self.waiting.retain(Option::is_some);
        let ids = self.waiting.iter().flatten().map(|one| one.key.bytes()).collect();
        let request = BatchGetRequest { scope: Some(self.scope.message()), ids };
        let mut pieces = client.batch_get(within(request, left(until))).await?.into_inner();
        while let Some(piece) = pieces.message().await? {
            self.tell(piece.lookups)?;
        }
        if self.waiting.iter().all(Option::is_none) { Ok(()) } else { Err(garbage()) }
    }

    fn progressed(&self) -> bool {
        self.progressed
    }
}
