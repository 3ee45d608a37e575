//! What is kept of one key: its token, where its value is, and its holds.
//!
//! The value itself lies in [`super::values`] under a number that is never used again. So clearing a key is forgetting
//! that number: whatever the value store still holds, or finds on its disk later, nobody can ask for any more.

use std::time::Duration;

use super::{
    bounded::Entry,
    holds::Holds,
    quota::{self, CHARGE_BYTES},
};
use crate::backend::{Lease, WriteId};

/// What a value must match to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Era {
    pub(super) generation: u64,
    pub(super) epoch: u64,
}

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pointer {
    /// Its number in the value store.
    pub(super) number: u64,
    pub(super) era: Era,
    pub(super) expires: Duration,
    pub(super) bytes: u32,
    /// The account of [`super::quota`] that it is charged to.
    pub(super) account: u32,
}

/// What was found of a key before its value was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Value(Pointer),
    Lease(Lease),
    Held,
}

/// A key's record.
#[derive(Debug)]
pub(super) struct Record {
    token: u64,
    value: Option<Pointer>,
    /// Most keys have none.
    holds: Option<Box<Holds>>,
}

impl Record {
    /// A record with a token of its own.
    pub(super) fn new() -> Self {
        Self { token: rand::random(), value: None, holds: None }
    }

    /// What a reader of `era` gets, and a value that nobody gets any more.
    pub(super) fn look(&mut self, era: Era, now: Duration) -> (Found, Option<Pointer>) {
        if self.run_out(now) {
            self.token = rand::random();
        }
        if self.holds.is_some() {
            return (Found::Held, None);
        }
        match self.value {
            Some(value) if value.era == era && value.expires > now => (Found::Value(value), None),
            Some(value) => {
                if value.era != era {
                    self.token = rand::random();
                }
                (self.lease(era), self.forget(value.number))
            }
            None => (self.lease(era), None),
        }
    }

    /// The value `number` is gone from the store: what a reader of `era` gets instead.
    pub(super) fn lost(&mut self, number: u64, era: Era, now: Duration) -> Found {
        self.forget(number);
        // A value that came in the meantime waits for the next reader: this one has looked at the store already.
        let held = self.holds.as_ref().is_some_and(|holds| holds.count(now) > 0);
        if held { Found::Held } else { self.lease(era) }
    }

    fn lease(&self, era: Era) -> Found {
        Found::Lease(Lease { token: self.token, generation: era.generation, epoch: era.epoch })
    }

    /// Whether a fill under `lease` would be stored.
    pub(super) fn takes(&self, lease: &Lease) -> bool {
        self.token == lease.token
    }

    /// Stores a value under `lease` and gives the one it replaces; the value itself where it is not stored.
    pub(super) fn fill(&mut self, lease: &Lease, value: Pointer) -> Option<Pointer> {
        if !self.takes(lease) {
            return Some(value);
        }
        self.value.replace(value)
    }

    /// No value, a new token, and a hold of `write` until `until`.
    pub(super) fn hold(&mut self, write: WriteId, until: Duration) -> Option<Pointer> {
        self.holds.get_or_insert_default().open(write, until);
        self.clear()
    }

    /// No value, a new token, and no hold of `write`.
    pub(super) fn release(&mut self, write: WriteId) -> Option<Pointer> {
        if let Some(holds) = &mut self.holds {
            holds.close(write);
        }
        self.holds.take_if(|holds| holds.is_empty());
        self.clear()
    }

    /// No value and a new token; gives the value.
    pub(super) fn clear(&mut self) -> Option<Pointer> {
        self.token = rand::random();
        self.value.take()
    }

    /// The value, whatever its era.
    pub(super) fn value(&self) -> Option<&Pointer> {
        self.value.as_ref()
    }

    /// Holds open at `now`.
    pub(super) fn holds(&self, now: Duration) -> u32 {
        self.holds.as_ref().map_or(0, |holds| holds.count(now))
    }

    /// The value `number` is to go, if it is this one's. The token stays: nothing was said against the value.
    pub(super) fn forget(&mut self, number: u64) -> Option<Pointer> {
        self.value.take_if(|value| value.number == number)
    }

    /// Drops holds that have run out; true where the last one did.
    fn run_out(&mut self, now: Duration) -> bool {
        let Some(holds) = &mut self.holds else { return false };
        holds.run_out(now);
        self.holds.take_if(|holds| holds.is_empty()).is_some()
    }
}

impl Entry for Record {
    fn held_until(&self) -> Option<Duration> {
        self.holds.as_ref().and_then(|holds| holds.last())
    }

    fn heap_bytes(&self) -> usize {
        let charged = self.value.is_some_and(|value| value.account != quota::NONE);
        let charge = if charged { CHARGE_BYTES } else { 0 };
        charge + self.holds.as_ref().map_or(0, |holds| size_of::<Holds>() + holds.bytes())
    }
}
