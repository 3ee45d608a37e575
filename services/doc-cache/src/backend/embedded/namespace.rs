//! What is kept of one namespace: its generation and its holds.

use std::time::Duration;

use super::{bounded::Entry, holds::Holds};
use crate::backend::WriteId;

/// A namespace's record.
#[derive(Debug)]
pub(super) struct Namespace {
    generation: u64,
    holds: Holds,
}

impl Namespace {
    /// A record with a generation of its own.
    pub(super) fn new() -> Self {
        Self { generation: rand::random(), holds: Holds::default() }
    }

    /// The generation that holds at `now`: a new one where a hold has run out unreleased, for nobody cleared what its
    /// writer changed.
    pub(super) fn generation(&mut self, now: Duration) -> u64 {
        if self.holds.run_out(now) {
            self.purge();
        }
        self.generation
    }

    /// A new generation.
    pub(super) fn purge(&mut self) {
        self.generation = rand::random();
    }

    /// Opens the hold of `write`.
    pub(super) fn hold(&mut self, write: WriteId, now: Duration, until: Duration) {
        self.generation(now);
        self.holds.open(write, until);
    }

    /// Closes it; one that ran out before has purged the namespace all the same.
    pub(super) fn release(&mut self, write: WriteId, now: Duration) {
        self.generation(now);
        self.holds.close(write);
    }

    /// The generation as it stands, and the holds open at `now`.
    pub(super) fn inspect(&self, now: Duration) -> (u64, u32) {
        (self.generation, self.holds.count(now))
    }

    /// Whether a hold has run out unreleased, so that the next use purges.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.holds.clone().run_out(now)
    }
}

impl Entry for Namespace {
    /// Until its holds are known to be released or the purge is done, however late: a record that goes is a purge too, but
    /// it must go last.
    fn held_until(&self) -> Option<Duration> {
        self.holds.last()
    }

    fn heap_bytes(&self) -> usize {
        self.holds.bytes()
    }
}
