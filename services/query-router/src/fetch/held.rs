//! The bound on the bytes of documents that fetches hold (`fetch.held_bytes`).
//!
//! What counts, from when it is received until the answer that carries it has been handed on: an answer of the origin
//! while it is read, twice, since the rows that are made of it stand beside it; then its rows alone, once, however many
//! callers wait for them; and a hit by its size unpacked. Not counted: what waits to be filled into the cache, which has
//! its own bound (`cache.fill_queue_bytes`), the buffers of connections, one message in the making for each worker, and a
//! hit below [`SMALL_BYTES`] that is all that its fetch asked for.
//!
//! **It cannot deadlock**, and that follows from one rule: *who holds never waits, and who waits holds nothing.* All that
//! reads takes room by [`Share::take`], which never waits; where that is refused, the reader gives up what it could not
//! end, hands on what it has, and asks for less. Only a batch that has nothing left to hand on, or a fetch of one
//! document, waits ([`Bound::wait`]), after it dropped whatever it had read ahead. Those who wait are served in the order of
//! their coming, before anybody else takes room, so whoever fits in the bound at all gets its turn as soon as others hand
//! on what they hold; and these do so without anything from the bound.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::failure::Failure;

/// What is counted together.
const UNIT_BYTES: u64 = 1024;
/// Room is taken in steps, so that small rows take it seldom.
const STEP_UNITS: u32 = 64;
/// A hit of one document is not counted below this: its connection's buffers hold as much.
pub const SMALL_BYTES: u64 = 64 * 1024;
/// A few hundred rows with vectors: reading more at once is not faster.
const WINDOW_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Fetches that wait for room at once, with one document each; the others wait for their turn to wait.
const TURNS: usize = 8;

/// The bound.
pub struct Bound {
    room: Arc<Semaphore>,
    turns: Semaphore,
    units: u32,
    /// In bytes.
    pub limit: u64,
}

/// One reader's part of the bound, given back when dropped.
#[derive(Debug)]
pub struct Share {
    room: Arc<Semaphore>,
    units: u32,
    bytes: u64,
}

impl Bound {
    /// Allows `limit` bytes.
    pub fn new(limit: u64) -> Self {
        let units = units(limit).max(1);
        let room = Arc::new(Semaphore::new(units as usize));
        Self { room, turns: Semaphore::new(TURNS), units, limit }
    }

    /// A part of nothing yet.
    pub fn share(&self) -> Share {
        Share { room: Arc::clone(&self.room), units: 0, bytes: 0 }
    }

    /// Waits for one of the few turns to wait for room. Take it before [`Bound::wait`], and holding nothing.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    /// Waits for room for `bytes`, as large as the bound at the most.
    pub async fn wait(&self, bytes: u64) -> Share {
        let units = units(bytes).clamp(1, self.units);
        let mut share = self.share();
        if let Ok(permit) = self.room.acquire_many(units).await {
            permit.forget();
            share.units = units;
        }
        share
    }

    /// How much one batch reads at once: so little that several find room, and the most that is worth its while.
    pub fn window_bytes(&self) -> u64 {
        (self.limit / 16).clamp(SMALL_BYTES, WINDOW_BYTES_MAX)
    }

    /// There is no room for `wanted` bytes.
    pub fn full(&self, wanted: u64) -> Failure {
        Failure::Held { limit: self.limit, wanted }
    }
}

impl Share {
    /// Takes room for `bytes` more; whether there is any. Never waits.
    pub fn take(&mut self, bytes: u64) -> bool {
        let taken = self.has(self.bytes.saturating_add(bytes));
        if taken {
            self.bytes += bytes;
        }
        taken
    }

    /// Takes room for `bytes` in all, to be used later; whether there is any.
    pub fn reserve(&mut self, bytes: u64) -> bool {
        self.has(bytes)
    }

    /// What is used of it.
    pub fn used(&self) -> u64 {
        self.bytes
    }

    /// A part with room for `bytes` of what is used. All parts together have exactly the room of the whole, so a small one may
    /// have none.
    pub fn split(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        let units = self.units.saturating_sub(units(self.bytes));
        self.units -= units;
        Self { room: Arc::clone(&self.room), units, bytes }
    }

    /// How much more could be taken now.
    pub fn spare(&self) -> u64 {
        let units = self.units as u64 + self.room.available_permits() as u64;
        (units * UNIT_BYTES).saturating_sub(self.bytes)
    }

    /// Only `bytes` are still used; all other room is given back.
    pub fn shrink_to(&mut self, bytes: u64) {
        self.bytes = bytes;
        let spare = self.units.saturating_sub(units(bytes));
        self.units -= spare;
        self.give_back(spare);
    }

    fn has(&mut self, bytes: u64) -> bool {
        let more = units(bytes).saturating_sub(self.units);
        more == 0 || self.grow(more.max(STEP_UNITS)) || (more < STEP_UNITS && self.grow(more))
    }

    fn grow(&mut self, units: u32) -> bool {
        let Ok(permit) = self.room.try_acquire_many(units) else { return false };
        permit.forget();
        self.units += units;
        true
    }

    fn give_back(&self, units: u32) {
        if units > 0 {
            self.room.add_permits(units as usize);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back(self.units);
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn shares_never_exceed_the_bound_and_come_back() {
        let bound = Bound::new(MIB);
        let (mut first, mut second) = (bound.share(), bound.share());
        assert!(first.take(MIB / 2) && first.take(MIB / 4));
        assert!(!second.take(MIB / 2) && second.used() == 0);
        assert!(second.take(MIB / 4), "to the last byte");
        assert!(!second.take(1) && !first.take(1));
        first.shrink_to(10);
        assert!(second.take(MIB / 2));
        drop((first, second));
        assert_eq!(bound.room.available_permits(), 1024);
    }

    #[test]
    fn parts_have_together_what_the_whole_had() {
        let bound = Bound::new(MIB);
        let mut whole = bound.share();
        assert!(whole.take(MIB - 512 * 1024 + 700));
        whole.shrink_to(whole.used());
        let small: Vec<Share> = (0..1000).map(|_| whole.split(100)).collect();
        let large = whole.split(MIB);
        assert_eq!((whole.units, whole.used(), large.used()), (0, 0, MIB - 512 * 1024 + 700 - 100_000));
        let held = small.iter().map(|part| part.units).sum::<u32>() + large.units;
        assert_eq!(held as usize, 1024 - bound.room.available_permits());
        assert_eq!(
            large.spare(),
            bound.room.available_permits() as u64 * 1024 + large.units as u64 * 1024 - large.used()
        );
        drop((small, whole, large));
        assert_eq!(bound.room.available_permits(), 1024);
    }

    #[test]
    fn small_rows_take_room_seldom() {
        let bound = Bound::new(MIB);
        let mut share = bound.share();
        assert!(share.take(1));
        let left = bound.room.available_permits();
        assert!((0..60).all(|_| share.take(1000)));
        assert_eq!(bound.room.available_permits(), left);
    }

    #[tokio::test]
    async fn who_waits_comes_before_who_takes() {
        let bound = Bound::new(MIB);
        let mut holds = bound.share();
        assert!(holds.take(MIB));
        let mut waits = std::pin::pin!(bound.wait(MIB / 2));
        assert!(waits.as_mut().now_or_never().is_none());
        holds.shrink_to(MIB / 2 + MIB / 4);
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(!bound.share().take(1), "what came free is for who waits");
        holds.shrink_to(MIB / 4);
        let mut waited = waits.now_or_never().expect("there is room");
        assert!(waited.take(MIB / 2) && !waited.take(MIB));
        assert!(bound.share().take(MIB / 4));
    }

    #[tokio::test]
    async fn more_than_the_bound_is_never_waited_for() {
        let bound = Bound::new(10 * 1024);
        let mut all = bound.wait(u64::MAX).now_or_never().expect("all of it is free");
        assert!(all.take(10 * 1024) && !all.take(1));
    }
}
