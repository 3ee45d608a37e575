//! Joins misses into queries of the origin.
//!
//! One query asks for many ids; one id is asked for once, however many callers wait for it. What makes this safe is one
//! rule, from which DESIGN's rule 3 follows: **a caller is answered only by a query that was sent after its fetch began.**
//! So who comes while its id is in flight waits for the next query: the one in flight may have read the row before the
//! write that this caller already knows of. The same holds for leases: only those of callers who came before the query
//! was sent go with it.
//!
//! One value serves all workers of a process, under one lock that is held for map look-ups only. Per worker there would
//! be as many queries in flight for one hot id as there are workers, and the origin's bound on concurrent queries is per
//! namespace; a wake across threads costs a few microseconds, a query of the origin milliseconds. Hits never come here.
//!
//! The window: while no query of the namespace is in flight an id is asked for at once, so a lone miss never waits. While
//! one is, ids gather for a short time, or until the bound on one query is reached.
//!
//! Bounds: ids that wait, ids in a query, queries in flight for a namespace and for all. A caller that goes away takes its
//! ids out of the queue; a query for which nobody waits any more is dropped. It must never answer two ids by one row,
//! never mix two [`Place`]s, and never let one caller's going away, wrong id or short deadline fail another. Where there is
//! no room for all rows of a query (see [`held`](super::held)), those whose rows it had room for are answered all the same.

mod lane;
mod waiter;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use layer_cache::LeaseToken;
use tokio::time::{Instant, timeout_at};

use self::{
    lane::{Flight, Lane},
    waiter::{Leaving, Waiter},
};
use super::{failure::Failure, held::Share, id::DocId, place::Place, row::Row};

/// What the origin says of an id: its row, or that there is none.
pub type Found = Option<Row>;

/// An id to read, with leave to fill the cache.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The id.
    pub id: DocId,
    /// What the look-up in the cache gave.
    pub lease: Option<LeaseToken>,
}

/// One query of the origin.
#[derive(Debug)]
pub struct Query {
    /// Where, and with whose key.
    pub place: Arc<Place>,
    /// What for: all of one class, and no two that share a key of the cache.
    pub wanted: Vec<Wanted>,
    /// When the last who waits for it stops waiting.
    pub until: Instant,
    /// The span of the first who waits for it.
    pub span: tracing::Span,
}

/// What a query gave.
#[derive(Debug)]
pub struct Landing {
    /// What was found of each id, in their order; `None`: there was no room for it.
    pub found: Vec<Option<Found>>,
    /// The room that all these rows take together.
    pub share: Share,
    /// How much room the first of those would have taken for which there was none.
    pub wanted: u64,
}

/// What one caller gets of the queries that its ids went with.
#[derive(Debug, Default)]
pub struct Gathered {
    /// What was found of each id, in their order; `None`: there was no room for it.
    pub found: Vec<Option<Found>>,
    /// The room of these rows, to be kept as long as they.
    pub shares: Vec<Arc<Share>>,
    /// As [`Landing::wanted`].
    pub wanted: u64,
}

/// Who asks the origin: one worker's client.
pub trait Asker: Clone + Send + Sync + 'static {
    /// Sends the query, after this is called and not before.
    fn ask(&self, query: Query) -> impl Future<Output = Result<Landing, Failure>> + Send;
}

/// The bounds.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long ids gather while a query of their namespace is in flight.
    pub window: Duration,
    /// Ids in a query.
    pub query_ids: usize,
    /// Queries in flight for a place.
    pub place_queries: usize,
    /// Queries in flight for all.
    pub queries: usize,
    /// Ids that wait.
    pub waiting: usize,
}

/// The handle. A clone is cheap.
#[derive(Clone)]
pub struct Coalescer {
    state: Arc<Mutex<State>>,
    bounds: Bounds,
}

#[derive(Default)]
struct State {
    lanes: HashMap<Arc<Place>, Lane>,
    /// Lanes with ids that wait while all queries are in flight.
    starved: VecDeque<Arc<Place>>,
    /// Queries in flight.
    flights: usize,
    /// Ids that wait, each as often as callers wait for it.
    waiting: usize,
}

impl Coalescer {
    /// With nothing in flight.
    pub fn new(bounds: Bounds) -> Self {
        Self { state: Arc::default(), bounds }
    }

    /// Whether any id waits for its turn at the origin.
    pub fn is_waited_for(&self) -> bool {
        self.lock().waiting > 0
    }

    /// Reads `wanted` from the origin by queries that are sent from now on.
    ///
    /// # Errors
    /// [`Failure`] of the first query that failed, or where the bound on waiting ids is reached or `until` has come.
    pub async fn read<A: Asker>(
        &self,
        asker: &A,
        place: &Arc<Place>,
        wanted: Vec<Wanted>,
        until: Instant,
    ) -> Result<Gathered, Failure> {
        if wanted.is_empty() {
            return Ok(Gathered::default());
        }
        let (waiter, answer) = Waiter::new(wanted.len(), until);
        let leaving = Leaving::new(self.clone(), Arc::clone(place), Arc::clone(&waiter), &wanted);
        self.enter(asker, place, wanted, &waiter)?;
        let answer = timeout_at(until, answer).await;
        drop(leaving);
        match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Failure::Upstream("the query of the origin was broken off".to_owned())),
            Err(_) => Err(Failure::Timeout),
        }
    }

    fn enter<A: Asker>(
        &self,
        asker: &A,
        place: &Arc<Place>,
        wanted: Vec<Wanted>,
        waiter: &Arc<Waiter>,
    ) -> Result<(), Failure> {
        let mut state = self.lock();
        if state.waiting + wanted.len() > self.bounds.waiting {
            return Err(Failure::Waiting { limit: self.bounds.waiting });
        }
        state.waiting += wanted.len();
        let lane = state.lanes.entry(Arc::clone(place)).or_default();
        lane.enter(wanted, waiter);
        let now = lane.is_idle() || lane.waiting() >= self.bounds.query_ids;
        let arm = !now && lane.arm();
        if now {
            self.dispatch(&mut state, asker, place);
        }
        drop(state);
        if arm {
            tokio::spawn(self.clone().gather(asker.clone(), Arc::clone(place)));
        }
        Ok(())
    }

    /// Lets ids gather for the window, then sends what has gathered.
    async fn gather<A: Asker>(self, asker: A, place: Arc<Place>) {
        tokio::time::sleep(self.bounds.window).await;
        let mut state = self.lock();
        if let Some(lane) = state.lanes.get_mut(&place) {
            lane.disarm();
            self.dispatch(&mut state, &asker, &place);
        }
    }

    /// Sends as many queries of a place as the bounds allow.
    fn dispatch<A: Asker>(&self, state: &mut State, asker: &A, place: &Arc<Place>) {
        while let Some(lane) = state.lanes.get_mut(place) {
            if !lane.can_fly(self.bounds.place_queries) {
                break;
            }
            if state.flights >= self.bounds.queries {
                if lane.starves() {
                    state.starved.push_back(Arc::clone(place));
                }
                break;
            }
            let (flight, left) = lane.depart(place, self.bounds.query_ids);
            state.waiting -= left;
            let Some(flight) = flight else { break };
            state.flights += 1;
            tokio::spawn(self.clone().fly(asker.clone(), flight));
        }
        state.forget_empty(place);
    }

    /// Sees one query through.
    async fn fly<A: Asker>(self, asker: A, flight: Flight) {
        let mut aloft = Aloft { coalescer: self, flight: Some(flight) };
        let Some(flight) = &aloft.flight else { return };
        let query = flight.query();
        let until = query.until;
        let result = tokio::select! {
            result = timeout_at(until, asker.ask(query)) => result.unwrap_or(Err(Failure::Timeout)),
            // Nobody is left to tell.
            () = flight.abandoned() => Err(Failure::Timeout),
        };
        if let Some(flight) = aloft.flight.take() {
            aloft.coalescer.landed(&flight);
            flight.tell(result);
            let mut state = aloft.coalescer.lock();
            aloft.coalescer.next(&mut state, &asker, flight.place());
        }
    }

    /// Takes a query off the books.
    fn landed(&self, flight: &Flight) {
        let mut state = self.lock();
        state.flights -= 1;
        if let Some(lane) = state.lanes.get_mut(flight.place()) {
            lane.landed(flight);
        }
        state.forget_empty(flight.place());
    }

    /// Sends what waited for a query to land: those first that had no turn.
    fn next<A: Asker>(&self, state: &mut State, asker: &A, place: &Arc<Place>) {
        while state.flights < self.bounds.queries
            && let Some(starved) = state.starved.pop_front()
        {
            if let Some(lane) = state.lanes.get_mut(&starved) {
                lane.fed();
            }
            self.dispatch(state, asker, &starved);
        }
        self.dispatch(state, asker, place);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_empty(&mut self, place: &Arc<Place>) {
        if self.lanes.get(place).is_some_and(Lane::is_empty) {
            self.lanes.remove(place);
        }
    }
}

/// A query in flight; when its task dies (a panic, a runtime that shuts down), those who wait are told all the same.
struct Aloft {
    coalescer: Coalescer,
    flight: Option<Flight>,
}

impl Drop for Aloft {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.coalescer.landed(&flight);
            flight.tell(Err(Failure::Upstream("the query of the origin was broken off".to_owned())));
        }
    }
}
