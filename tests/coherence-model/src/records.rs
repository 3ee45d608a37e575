//! The records of the backend and what each call does to them: the protocol's lower half, without time or routers.
//!
//! Tokens, generations and epochs are random numbers in the real thing and never come back by themselves. Here a new
//! one is a number that no other part of the state holds; [`crate::canonical`] then forgets which number it was.
//! This module must never look at readers or writers: a backend knows neither.

use crate::config::Part;

/// Most keys that a configuration may have.
pub const KEYS: usize = 3;
/// The generation that [`Part::AbsentNamespaceIsNone`] takes an absent namespace record for.
pub const GENERATION_OF_ABSENCE: u8 = 15;
/// The first number that a step may draw: above all that a canonical state holds.
pub const FIRST_NEW_NUMBER: u8 = 32;

/// A set of keys or of writers, one bit each.
pub type Set = u8;

/// The members of a set.
pub fn members(set: Set) -> impl Iterator<Item = usize> {
    (0..8).filter(move |bit| set >> bit & 1 == 1)
}

/// A value as it lies in a key's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    /// Which of the origin's versions it is.
    pub version: u16,
    /// The namespace's generation under which it was leased.
    pub generation: u8,
    /// The epoch under which it was leased.
    pub epoch: u8,
}

/// A key's record; absent where `token` is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyRecord {
    /// The token.
    pub token: u8,
    /// The value.
    pub value: Option<Value>,
    /// Writers whose holds are open.
    pub holds: Set,
}

/// A namespace's record; absent where `generation` is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace {
    /// The generation.
    pub generation: u8,
    /// Writers whose holds are open.
    pub holds: Set,
    /// Writers whose holds ran out and were not dealt with yet.
    pub expired: Set,
}

/// The shared epoch record; absent where `epoch` is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch {
    /// The epoch.
    pub epoch: u8,
    /// Ticks since a canary last touched it, up to the lapse.
    pub age: u8,
}

/// Leave to fill; none where `token` is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease {
    /// The key's token.
    pub token: u8,
    /// The namespace's generation.
    pub generation: u8,
    /// The epoch.
    pub epoch: u8,
}

/// What a get found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Got {
    /// A value of the present generation and epoch.
    Hit(u16),
    /// None, and leave to fill it.
    Miss(Lease),
    /// None, and no leave.
    NoLease,
}

/// A call that changes records. Any of them may arrive late or twice.
#[expect(missing_docs, reason = "the variants' texts speak of their fields")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// Opens a writer's hold on a key.
    Hold { writer: usize, key: usize },
    /// Closes it.
    Release { writer: usize, key: usize },
    /// Clears a key, whoever holds it.
    Clear { key: usize },
    /// Opens a writer's hold on the namespace.
    HoldNamespace { writer: usize },
    /// Closes it.
    ReleaseNamespace { writer: usize },
    /// A new generation.
    Purge,
    /// Stores a value under a lease.
    Fill { key: usize, lease: Lease, version: u16 },
}

/// Holds that a call destroyed although nobody closed them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Writers that lost their hold on the key.
    pub holds: Set,
    /// The key; all keys where it was the namespace's record.
    pub keys: Set,
}

/// All records of one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Records {
    /// The keys'.
    pub keys: [KeyRecord; KEYS],
    /// The namespace's.
    pub namespace: Namespace,
    /// The cache's.
    pub epoch: Epoch,
    /// The next number that nobody has.
    pub next: u8,
}

impl Records {
    /// An empty namespace of a cache that has an epoch.
    pub fn new() -> Self {
        Self {
            keys: [KeyRecord::default(); KEYS],
            namespace: Namespace::default(),
            epoch: Epoch { epoch: 1, age: 0 },
            next: FIRST_NEW_NUMBER,
        }
    }

    /// A token, generation or epoch that nobody has.
    pub fn draw(&mut self) -> u8 {
        self.next += 1;
        self.next - 1
    }

    /// Carries a call out. `refuses`: the backend refuses writes, so removes stand in.
    pub fn call(&mut self, call: Call, refuses: bool, without: Option<Part>) -> Dropped {
        if refuses {
            return self.call_refused(call, without);
        }
        match call {
            Call::Hold { writer, key } => self.hold(writer, key, without),
            Call::Release { writer, key } => self.release(writer, key, without),
            Call::Clear { key } => self.clear(key, without),
            Call::HoldNamespace { writer } => self.hold_namespace(writer, without),
            Call::ReleaseNamespace { writer } => {
                self.namespace.holds &= !(1 << writer);
                self.namespace.expired &= !(1 << writer);
            }
            Call::Purge => return self.purge(without),
            Call::Fill { key, lease, version } => self.fill(key, lease, version, without),
        }
        Dropped::default()
    }

    fn call_refused(&mut self, call: Call, without: Option<Part>) -> Dropped {
        if without == Some(Part::RemoveFallback) {
            return Dropped::default();
        }
        match call {
            Call::Hold { writer, key } => {
                let mut dropped = self.remove_key(key);
                dropped.holds |= 1 << writer;
                dropped
            }
            Call::Release { key, .. } | Call::Clear { key } => self.remove_key(key),
            Call::HoldNamespace { writer } => {
                let mut dropped = self.remove_namespace();
                dropped.holds |= 1 << writer;
                dropped
            }
            Call::ReleaseNamespace { .. } | Call::Purge => self.remove_namespace(),
            Call::Fill { .. } => Dropped::default(),
        }
    }

    fn hold(&mut self, writer: usize, key: usize, without: Option<Part>) {
        if self.keys[key].holds >> writer & 1 == 1 {
            return;
        }
        let token = self.draw();
        let record = &mut self.keys[key];
        record.holds |= 1 << writer;
        record.value = None;
        if without != Some(Part::TokenEndsAtHold) || record.token == 0 {
            record.token = token;
        }
    }

    fn release(&mut self, writer: usize, key: usize, without: Option<Part>) {
        self.keys[key].holds &= !(1 << writer);
        if without != Some(Part::ReleaseClears) {
            self.new_token(key, without == Some(Part::TokenEndsAtRelease));
        }
    }

    fn clear(&mut self, key: usize, without: Option<Part>) {
        if without == Some(Part::ClearKeepsHolds) {
            self.keys[key].holds = 0;
        }
        self.new_token(key, without == Some(Part::TokenEndsAtClear));
    }

    fn new_token(&mut self, key: usize, keep: bool) {
        if self.keys[key].token == 0 {
            return;
        }
        self.keys[key].value = None;
        if !keep {
            self.keys[key].token = self.draw();
        }
    }

    fn hold_namespace(&mut self, writer: usize, without: Option<Part>) {
        if self.namespace.generation == 0 {
            self.namespace.generation = self.draw();
        }
        if without == Some(Part::ExpiredHoldsStay) {
            self.namespace.expired = 0;
        }
        self.namespace.holds |= 1 << writer;
    }

    fn purge(&mut self, without: Option<Part>) -> Dropped {
        if self.namespace.generation == 0 && without != Some(Part::AbsentNamespaceIsNone) {
            return Dropped::default();
        }
        self.namespace.generation = self.draw();
        self.namespace.expired = 0;
        if without == Some(Part::PurgeKeepsHolds) {
            self.namespace.holds = 0;
        }
        Dropped::default()
    }

    fn fill(&mut self, key: usize, lease: Lease, version: u16, without: Option<Part>) {
        let record = &mut self.keys[key];
        let fits = record.token != 0 && record.token == lease.token;
        if fits || without == Some(Part::TokenCheckedAtFill) {
            if record.token == 0 {
                record.token = FIRST_NEW_NUMBER - 1;
            }
            let Lease { generation, epoch, .. } = lease;
            record.value = Some(Value { version, generation, epoch });
        }
    }

    /// Takes a key's record away: eviction, or the remove that stands in for a hold or release.
    pub fn remove_key(&mut self, key: usize) -> Dropped {
        let holds = std::mem::take(&mut self.keys[key]).holds;
        Dropped { holds, keys: 1 << key }
    }

    /// Takes the namespace's record away.
    pub fn remove_namespace(&mut self) -> Dropped {
        let holds = std::mem::take(&mut self.namespace).holds;
        Dropped { holds, keys: Set::MAX }
    }

    /// A writer's holds run out.
    pub fn expire(&mut self, writer: usize) {
        let bit = 1 << writer;
        for record in &mut self.keys {
            record.holds &= !bit;
        }
        if self.namespace.holds & bit != 0 {
            self.namespace.holds &= !bit;
            self.namespace.expired |= bit;
        }
    }

    /// Whether a writer has an open hold.
    pub fn holds(&self, writer: usize) -> bool {
        let all = self.keys.iter().fold(self.namespace.holds, |all, record| all | record.holds);
        all >> writer & 1 == 1
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}
