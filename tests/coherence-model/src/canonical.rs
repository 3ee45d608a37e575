//! Forgets what no step can tell apart, so that states that behave alike are one state.
//!
//! A token, generation or epoch only matters by whether it equals the present one or the one that a restart could bring
//! back: every other number is dead for ever. Fetches and late calls are sets: their order says nothing. Finished
//! writers keep nothing.

use crate::config::{Config, Part, READERS, REPLICAS};
use crate::records::{Call, FIRST_NEW_NUMBER, GENERATION_OF_ABSENCE, Got, KEYS, KeyRecord, Lease, Value};
use crate::state::{Fetch, State, Step, Writer};

/// The numbers that something may yet equal.
#[derive(Clone, Copy, Default)]
struct Live {
    /// The present one.
    now: u8,
    /// The one that a restart could bring back.
    saved: u8,
    /// Those that gets under way have seen and will compare values with.
    seen: [u8; READERS + 2 * REPLICAS],
}

impl Live {
    fn rename(self, number: u8) -> u8 {
        match number {
            0 => 0,
            GENERATION_OF_ABSENCE => GENERATION_OF_ABSENCE,
            _ if number == self.now => 1,
            _ if number == self.saved => 2,
            _ => match self.seen.iter().position(|seen| *seen == number) {
                Some(place) => SEEN + place as u8,
                None => DEAD,
            },
        }
    }
}

/// A number that nothing will ever equal.
const DEAD: u8 = 3;
/// The first of the numbers that only gets under way know.
const SEEN: u8 = 4;

struct Names {
    tokens: [Live; KEYS],
    generation: Live,
    epoch: Live,
}

impl Names {
    fn of(state: &State) -> Self {
        let saved = state.saved.as_ref();
        let token = |key: usize| Live {
            now: state.records.keys[key].token,
            saved: saved.map_or(0, |saved| saved.keys[key].token),
            ..Live::default()
        };
        Self {
            tokens: std::array::from_fn(token),
            generation: Live {
                now: state.records.namespace.generation,
                saved: saved.map_or(0, |saved| saved.namespace.generation),
                seen: seen_generations(state),
            },
            epoch: Live {
                now: state.records.epoch.epoch,
                saved: saved.map_or(0, |saved| saved.epoch.epoch),
                seen: seen_epochs(state),
            },
        }
    }

    fn record(&self, key: usize, record: &mut KeyRecord) {
        record.token = self.tokens[key].rename(record.token);
        if let Some(value) = &mut record.value {
            self.value(value);
        }
    }

    fn value(&self, value: &mut Value) {
        value.generation = self.generation.rename(value.generation);
        value.epoch = self.epoch.rename(value.epoch);
    }

    fn lease(&self, key: usize, lease: &mut Lease) {
        lease.token = self.tokens[key].rename(lease.token);
        lease.generation = self.generation.rename(lease.generation);
        lease.epoch = self.epoch.rename(lease.epoch);
    }

    fn fetch(&self, fetch: &mut Fetch) {
        match fetch {
            Fetch::Idle | Fetch::Asked { .. } => {}
            Fetch::SeenKey { at, record } => self.record(at.key, record),
            Fetch::SeenNamespace { generation, epoch, .. } => {
                *generation = generation.map(|generation| self.generation.rename(generation));
                *epoch = self.epoch.rename(*epoch);
            }
            Fetch::Answered { at, got, epoch, .. } => {
                *epoch = self.epoch.rename(*epoch);
                if let Got::Miss(lease) = got {
                    self.lease(at.key, lease);
                }
            }
            Fetch::Missed { key, lease, .. } | Fetch::Filling { key, lease, .. } => self.lease(*key, lease),
        }
    }
}

impl State {
    /// The same state by its canonical name.
    pub fn canonical(mut self, config: &Config) -> Self {
        let names = Names::of(&self);
        for (key, record) in self.records.keys.iter_mut().enumerate() {
            names.record(key, record);
        }
        self.records.namespace.generation = names.generation.rename(self.records.namespace.generation);
        self.records.epoch.epoch = names.epoch.rename(self.records.epoch.epoch);
        self.records.next = FIRST_NEW_NUMBER;
        self.rename_saved(&names);
        for replica in &mut self.replicas {
            replica.epoch = names.epoch.rename(replica.epoch);
            replica.flying = replica.flying.map(|(age, epoch)| (age, names.epoch.rename(epoch)));
        }
        for fetch in &mut self.readers {
            names.fetch(fetch);
            end_dead(fetch, config);
        }
        for call in self.late.iter_mut().flatten() {
            if let Call::Fill { key, lease, .. } = call {
                names.lease(*key, lease);
            }
        }
        self.readers.sort_unstable();
        self.late.sort_unstable();
        self.writers.iter_mut().for_each(forget);
        self
    }

    fn rename_saved(&mut self, names: &Names) {
        let Some(saved) = &mut self.saved else { return };
        for (key, record) in saved.keys.iter_mut().enumerate() {
            names.record(key, record);
        }
        saved.namespace.generation = names.generation.rename(saved.namespace.generation);
        saved.epoch.epoch = names.epoch.rename(saved.epoch.epoch);
    }
}

/// The generations that gets under way will compare values with.
fn seen_generations(state: &State) -> [u8; READERS + 2 * REPLICAS] {
    let mut seen = [0; READERS + 2 * REPLICAS];
    for (slot, fetch) in seen.iter_mut().zip(&state.readers) {
        if let Fetch::SeenNamespace { generation: Some(generation), .. } = fetch {
            *slot = *generation;
        }
    }
    seen
}

/// The epochs that gets under way will compare values with, and those that replicas will compare gets with.
fn seen_epochs(state: &State) -> [u8; READERS + 2 * REPLICAS] {
    let mut seen = [0; READERS + 2 * REPLICAS];
    let (gets, replicas) = seen.split_at_mut(READERS);
    for (slot, fetch) in gets.iter_mut().zip(&state.readers) {
        if let Fetch::SeenNamespace { epoch, .. } = fetch {
            *slot = *epoch;
        }
    }
    for (slots, replica) in replicas.chunks_mut(2).zip(&state.replicas) {
        slots[0] = replica.epoch;
        slots[1] = replica.flying.map_or(0, |(_, epoch)| epoch);
    }
    seen
}

/// A fetch whose fill will be refused whatever happens has nothing more to show.
fn end_dead(fetch: &mut Fetch, config: &Config) {
    let keeps =
        config.lacks(Part::TokenCheckedAtFill) || config.lacks(Part::LeaseBeforeQuery) || config.lacks(Part::OwnQuery);
    match fetch {
        Fetch::Missed { lease, .. } | Fetch::Filling { lease, .. } if !keeps && matches!(lease.token, 0 | DEAD) => {
            *fetch = Fetch::Idle;
        }
        Fetch::Answered { got: Got::Miss(lease), .. } if !keeps && lease.token == DEAD => *fetch = Fetch::Idle,
        Fetch::Answered { at, got: Got::Hit(version), .. } if *version >= at.least => *fetch = Fetch::Idle,
        _ => {}
    }
}

fn forget(writer: &mut Writer) {
    match writer.step {
        Step::Done => *writer = Writer { step: Step::Done, ..Writer::default() },
        Step::Lost => {
            let Writer { bare, acked, excused, .. } = *writer;
            *writer = Writer { step: Step::Lost, bare, acked, excused, ..Writer::default() };
        }
        _ => {}
    }
}
