//! A map bounded in bytes that forgets what was used least lately, and what is held last of all.
//!
//! Records live in a slab, found by a hash table of places, on one of two lists: `idle`, by use, and `held`, by age.
//! Everything that a record costs is counted: its place, its share of the table, its key, what hangs on it. It is not
//! safe to share: each map is one shard behind a lock.

use std::time::Duration;

use hashbrown::HashTable;

/// The end of a list.
const NONE: u32 = u32::MAX;
/// What a record costs beside its own size: the table's place with its control byte, and the room that table and slab
/// keep to grow, which is half of what they use on average.
const PLACE_BYTES: usize = 16;
/// What the allocator adds to a key.
const ALLOCATION_BYTES: usize = 16;

/// What the map must know of a record.
pub(super) trait Entry {
    /// When its last hold runs out; `None` where it has none.
    fn held_until(&self) -> Option<Duration>;
    /// Bytes on the heap, beside its own size.
    fn heap_bytes(&self) -> usize;
}

/// A key with its hash, which the caller computes once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hashed<'a> {
    pub(super) hash: u64,
    pub(super) bytes: &'a [u8],
}

struct Place<R> {
    hash: u64,
    key: Box<[u8]>,
    record: Option<R>,
    bytes: usize,
    held: bool,
    before: u32,
    after: u32,
}

/// Ends of a list: what goes first, what goes last.
#[derive(Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

impl Default for Ends {
    fn default() -> Self {
        Self { first: NONE, last: NONE }
    }
}

/// The map.
pub(super) struct Bounded<R> {
    table: HashTable<u32>,
    places: Vec<Place<R>>,
    free: Vec<u32>,
    idle: Ends,
    held: Ends,
    bytes: usize,
    max_bytes: usize,
}

impl<R: Entry> Bounded<R> {
    /// An empty map of at most `max_bytes`.
    pub(super) fn new(max_bytes: usize) -> Self {
        let (table, places, free) = (HashTable::new(), Vec::new(), Vec::new());
        Self { table, places, free, idle: Ends::default(), held: Ends::default(), bytes: 0, max_bytes }
    }

    /// Bytes of all records.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Looks without using.
    pub(super) fn peek(&self, key: Hashed<'_>) -> Option<&R> {
        self.find(key).and_then(|at| self.places[at as usize].record.as_ref())
    }

    /// Changes the record of `key`, if there is one.
    pub(super) fn change<T>(&mut self, key: Hashed<'_>, now: Duration, change: impl FnOnce(&mut R) -> T) -> Option<T> {
        let at = self.find(key)?;
        Some(self.apply(at, now, change))
    }

    /// Changes the record with a name of this hash that `is` it, if there is one.
    pub(super) fn change_one<T>(
        &mut self,
        hash: u64,
        now: Duration,
        is: impl Fn(&R) -> bool,
        change: impl FnOnce(&mut R) -> T,
    ) -> Option<T> {
        let at = *self.table.find(hash, |at| self.places[*at as usize].record.as_ref().is_some_and(&is))?;
        Some(self.apply(at, now, change))
    }

    /// Changes the record of `key`, which is made where there is none. What must go to make room lands in `evicted`.
    pub(super) fn change_or_make<T>(
        &mut self,
        key: Hashed<'_>,
        now: Duration,
        make: impl FnOnce() -> R,
        evicted: &mut Vec<R>,
        change: impl FnOnce(&mut R) -> T,
    ) -> T {
        let at = self.find(key).unwrap_or_else(|| self.add(key, make()));
        let changed = self.apply(at, now, change);
        while self.bytes > self.max_bytes {
            match self.next_to_go(now, at) {
                Some(goes) => evicted.extend(self.take(goes)),
                None => break,
            }
        }
        changed
    }

    /// Removes the record of `key`.
    pub(super) fn remove(&mut self, key: Hashed<'_>) -> Option<R> {
        self.find(key).and_then(|at| self.take(at))
    }

    fn find(&self, key: Hashed<'_>) -> Option<u32> {
        self.table.find(key.hash, |at| *self.places[*at as usize].key == *key.bytes).copied()
    }

    fn add(&mut self, key: Hashed<'_>, record: R) -> u32 {
        let place = Place {
            hash: key.hash,
            key: key.bytes.into(),
            record: Some(record),
            bytes: 0,
            held: false,
            before: NONE,
            after: NONE,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.places[at as usize] = place;
                at
            }
            None => {
                self.places.push(place);
                // The bound in bytes keeps the number of places far below 2^32.
                u32::try_from(self.places.len() - 1).expect("a shard has fewer than 2^32 records")
            }
        };
        let places = &self.places;
        self.table.insert_unique(key.hash, at, |at| places[*at as usize].hash);
        self.link(at);
        at
    }

    fn apply<T>(&mut self, at: u32, now: Duration, change: impl FnOnce(&mut R) -> T) -> T {
        let place = &mut self.places[at as usize];
        let record = place.record.as_mut().expect("a place in the table has its record");
        let changed = change(record);
        let is_held = record.held_until().is_some_and(|until| until > now);
        let bytes = size_of::<Place<R>>() + PLACE_BYTES + ALLOCATION_BYTES + place.key.len() + record.heap_bytes();
        self.bytes = self.bytes + bytes - place.bytes;
        place.bytes = bytes;
        // Held ones stay in the order of their coming; idle ones move to the end when used.
        if !(is_held && place.held) {
            self.unlink(at);
            self.places[at as usize].held = is_held;
            self.link(at);
        }
        changed
    }

    /// Whose turn it is to go, other than `spared`: one whose holds have all run out, else the one used least lately, else
    /// the one held longest.
    fn next_to_go(&self, now: Duration, spared: u32) -> Option<u32> {
        let held = self.first_but(self.held, spared);
        let ran_out = |at: &u32| {
            let record = self.places[*at as usize].record.as_ref();
            record.and_then(Entry::held_until).is_none_or(|until| until <= now)
        };
        held.filter(ran_out).or_else(|| self.first_but(self.idle, spared)).or(held)
    }

    fn first_but(&self, ends: Ends, spared: u32) -> Option<u32> {
        let first =
            if ends.first == spared && spared != NONE { self.places[spared as usize].after } else { ends.first };
        (first != NONE).then_some(first)
    }

    fn take(&mut self, at: u32) -> Option<R> {
        self.unlink(at);
        let place = &mut self.places[at as usize];
        let (hash, record) = (place.hash, place.record.take());
        place.key = Box::default();
        self.bytes -= std::mem::take(&mut place.bytes);
        if let Ok(entry) = self.table.find_entry(hash, |found| *found == at) {
            entry.remove();
        }
        self.free.push(at);
        record
    }

    fn ends(&mut self, held: bool) -> &mut Ends {
        if held { &mut self.held } else { &mut self.idle }
    }

    /// Puts a place at the end of its list.
    fn link(&mut self, at: u32) {
        let held = self.places[at as usize].held;
        let last = std::mem::replace(&mut self.ends(held).last, at);
        (self.places[at as usize].before, self.places[at as usize].after) = (last, NONE);
        match last {
            NONE => self.ends(held).first = at,
            last => self.places[last as usize].after = at,
        }
    }

    fn unlink(&mut self, at: u32) {
        let Place { held, before, after, .. } = self.places[at as usize];
        match before {
            NONE => self.ends(held).first = after,
            before => self.places[before as usize].after = after,
        }
        match after {
            NONE => self.ends(held).last = before,
            after => self.places[after as usize].before = before,
        }
    }
}

#[cfg(test)]
#[path = "bounded_test.rs"]
mod tests;
