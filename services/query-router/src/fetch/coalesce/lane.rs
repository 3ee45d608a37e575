//! The ids of one place: those that wait and those in flight.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use layer_cache::{Key, LeaseToken};
use tokio::time::Instant;

use super::{Found, Landing, Query, Wanted, waiter::Waiter};
use crate::fetch::{failure::Failure, held::Share, id::DocId, origin::measured, place::Place};

/// A caller, and the place of the id among those that it waits for.
type Slot = (Arc<Waiter>, usize);

/// An id that waits.
struct Pending {
    id: DocId,
    lease: Option<LeaseToken>,
    slots: Vec<Slot>,
}

/// Who reads a row: one caller, who keeps it as long as its other ones, or several.
#[derive(PartialEq, Eq, Hash)]
enum Reader {
    One(usize),
    Several(DocId),
}

impl Pending {
    fn reader(&self) -> Reader {
        match &self.slots[..] {
            [(waiter, _)] => Reader::One(Arc::as_ptr(waiter).addr()),
            _ => Reader::Several(self.id.clone()),
        }
    }
}

/// One place.
#[derive(Default)]
pub(super) struct Lane {
    /// In the order in which they came.
    pending: BTreeMap<u64, Pending>,
    numbers: HashMap<DocId, u64>,
    came: u64,
    /// The keys in flight: ids that share one, as the spellings of a UUID do, are never asked for together.
    flying: HashSet<Key>,
    flights: usize,
    /// The window is open.
    armed: bool,
    starving: bool,
}

impl Lane {
    /// Nothing is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.flights == 0
    }

    /// Nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.flights == 0 && self.pending.is_empty() && !self.armed && !self.starving
    }

    /// How many ids wait.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Opens the window; whether it was closed.
    pub(super) fn arm(&mut self) -> bool {
        !std::mem::replace(&mut self.armed, true)
    }

    /// The window is over.
    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }

    /// It waits for its turn among all places; whether it did not yet.
    pub(super) fn starves(&mut self) -> bool {
        !std::mem::replace(&mut self.starving, true)
    }

    /// It has its turn.
    pub(super) fn fed(&mut self) {
        self.starving = false;
    }

    /// Whether an id waits that may be asked for now.
    pub(super) fn can_fly(&self, flights_max: usize) -> bool {
        self.flights < flights_max && self.pending.values().any(|pending| !self.flying.contains(&pending.id.key()))
    }

    /// A caller comes.
    pub(super) fn enter(&mut self, wanted: Vec<Wanted>, waiter: &Arc<Waiter>) {
        for (slot, Wanted { id, lease }) in wanted.into_iter().enumerate() {
            let number = *self.numbers.entry(id.clone()).or_insert_with(|| {
                self.came += 1;
                self.came
            });
            let new = || Pending { id, lease: None, slots: Vec::new() };
            let pending = self.pending.entry(number).or_insert_with(new);
            pending.slots.push((Arc::clone(waiter), slot));
            // The last lease is the one that holds, if any does.
            if lease.is_some() {
                pending.lease = lease;
            }
        }
    }

    /// A caller of `ids` has gone; how many waiting places are free again.
    pub(super) fn leave(&mut self, ids: &[DocId]) -> usize {
        let mut left = 0;
        for id in ids {
            let Some(number) = self.numbers.get(id) else { continue };
            let Some(pending) = self.pending.get_mut(number) else { continue };
            let before = pending.slots.len();
            pending.slots.retain(|(waiter, _)| !waiter.is_gone());
            left += before - pending.slots.len();
            if pending.slots.is_empty() {
                self.pending.remove(number);
                self.numbers.remove(id);
            }
        }
        left
    }

    /// Takes ids for one query off the queue: the one that waits longest, and others of its class. Also says how many
    /// waiting places are free again.
    pub(super) fn depart(&mut self, place: &Arc<Place>, ids_max: usize) -> (Option<Flight>, usize) {
        let mut class = None;
        let mut chosen = Vec::new();
        let mut keys = Vec::new();
        for (number, pending) in &self.pending {
            let key = pending.id.key();
            if *class.get_or_insert_with(|| pending.id.class()) != pending.id.class() && !chosen.is_empty() {
                continue;
            }
            if !self.flying.insert(key.clone()) {
                // In flight, or chosen just now in another spelling.
                if chosen.is_empty() {
                    class = None;
                }
                continue;
            }
            keys.push(key);
            chosen.push(*number);
            if chosen.len() == ids_max {
                break;
            }
        }
        let taken: Vec<Pending> = chosen.iter().filter_map(|number| self.pending.remove(number)).collect();
        for pending in &taken {
            self.numbers.remove(&pending.id);
        }
        if taken.is_empty() {
            return (None, 0);
        }
        self.flights += 1;
        let slots = taken.iter().map(|pending| pending.slots.len()).sum();
        (Some(Flight { place: Arc::clone(place), ids: taken, keys }), slots)
    }

    /// A query has landed.
    pub(super) fn landed(&mut self, flight: &Flight) {
        self.flights -= 1;
        for key in &flight.keys {
            self.flying.remove(key);
        }
    }
}

/// A query in flight, and who waits for it.
pub(super) struct Flight {
    place: Arc<Place>,
    ids: Vec<Pending>,
    keys: Vec<Key>,
}

impl Flight {
    pub(super) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// The query to send.
    pub(super) fn query(&self) -> Query {
        let wanted = self.ids.iter().map(|one| Wanted { id: one.id.clone(), lease: one.lease.clone() });
        let first = self.waiters().next();
        Query {
            place: Arc::clone(&self.place),
            wanted: wanted.collect(),
            until: self.waiters().map(|waiter| waiter.until).max().unwrap_or_else(Instant::now),
            span: first.map_or_else(tracing::Span::none, |waiter| waiter.span.clone()),
        }
    }

    fn waiters(&self) -> impl Iterator<Item = &Arc<Waiter>> {
        self.ids.iter().flat_map(|one| one.slots.iter().map(|(waiter, _)| waiter))
    }

    /// Waits until nobody waits for it any more. Who is gone stays gone, so one after the other will do.
    pub(super) async fn abandoned(&self) {
        for waiter in self.waiters() {
            waiter.gone().await;
        }
    }

    /// Tells everybody.
    pub(super) fn tell(&self, result: Result<Landing, Failure>) {
        match result {
            Ok(Landing { found, share, wanted }) => {
                let shares = self.split(share, &found);
                for (one, found) in self.ids.iter().zip(found) {
                    let share = found.as_ref().and_then(|_| shares.get(&one.reader()));
                    let told = |(waiter, slot): &Slot| waiter.found(*slot, found.clone(), share, wanted);
                    one.slots.iter().for_each(told);
                }
            }
            Err(failure) => self.waiters().for_each(|waiter| waiter.failed(failure.clone())),
        }
    }

    /// The room of the rows by who reads them: who is slow with one row must not keep the room of others'.
    fn split(&self, mut share: Share, found: &[Option<Found>]) -> HashMap<Reader, Arc<Share>> {
        let mut bytes = HashMap::new();
        for (one, found) in self.ids.iter().zip(found) {
            *bytes.entry(one.reader()).or_insert(0) += measured(found).1;
        }
        share.shrink_to(share.used());
        bytes.into_iter().map(|(reader, bytes)| (reader, Arc::new(share.split(bytes)))).collect()
    }
}
