//! One namespace: its records, what its sets hold, and what was deleted and would come back after a restart.

use std::collections::HashMap;

use bytes::Bytes;

use super::{Digest, NamespaceOptions, Record};
use crate::control::SetLimit;

/// How many deleted records are kept for [`Namespace::resurrect`].
const GRAVES_MAX: usize = 100_000;

/// What a set holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SetUse {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
}

/// A namespace.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    pub(crate) options: NamespaceOptions,
    records: HashMap<Digest, Record>,
    graves: HashMap<Digest, Record>,
    sets: HashMap<Bytes, SetUse>,
    pub(crate) limits: HashMap<Bytes, SetLimit>,
    pub(crate) used_bytes: u64,
    pub(crate) expired_objects: u64,
    pub(crate) evicted_objects: u64,
}

impl Namespace {
    pub(crate) fn new(options: NamespaceOptions) -> Self {
        Self {
            options,
            records: HashMap::new(),
            graves: HashMap::new(),
            sets: HashMap::new(),
            limits: HashMap::new(),
            used_bytes: 0,
            expired_objects: 0,
            evicted_objects: 0,
        }
    }

    /// The record, if it is there and has not expired.
    pub(crate) fn get(&mut self, digest: &Digest, now_secs: u32) -> Option<&Record> {
        if self.records.get(digest).is_some_and(|record| record.is_expired(now_secs)) {
            self.take(digest);
            self.expired_objects += 1;
        }
        self.records.get(digest)
    }

    /// Stores a record in place of what was there.
    pub(crate) fn put(&mut self, digest: Digest, record: Record) {
        self.take(&digest);
        self.graves.remove(&digest);
        let size = record.size() as u64;
        self.used_bytes += size;
        if let Some(set) = &record.set {
            let set = self.sets.entry(set.clone()).or_default();
            set.objects += 1;
            set.bytes += size;
        }
        self.records.insert(digest, record);
    }

    /// Removes a record: it stays where a restart finds it.
    pub(crate) fn delete(&mut self, digest: &Digest) {
        if let Some(record) = self.take(digest)
            && self.graves.len() < GRAVES_MAX
        {
            self.graves.insert(*digest, record);
        }
    }

    fn take(&mut self, digest: &Digest) -> Option<Record> {
        let record = self.records.remove(digest)?;
        let size = record.size() as u64;
        self.used_bytes -= size;
        if let Some(set) = record.set.as_ref().and_then(|set| self.sets.get_mut(set)) {
            set.objects -= 1;
            set.bytes -= size;
        }
        Some(record)
    }

    /// Removes a record as eviction does.
    pub(crate) fn evict(&mut self, digest: &Digest) -> bool {
        let found = self.records.contains_key(digest);
        self.delete(digest);
        self.evicted_objects += u64::from(found);
        found
    }

    /// Removes the records of a set (or of all) that were last changed up to then.
    pub(crate) fn truncate(&mut self, set: Option<&[u8]>, until_ms: u64) {
        let matches = |record: &Record| {
            set.is_none_or(|set| record.set.as_deref() == Some(set)) && record.last_update_ms <= until_ms
        };
        let doomed: Vec<Digest> = self.records.iter().filter(|(_, r)| matches(r)).map(|(digest, _)| *digest).collect();
        doomed.iter().for_each(|digest| self.delete(digest));
    }

    /// Brings every deleted record back, as a restart on the old file does.
    pub(crate) fn resurrect(&mut self) {
        for (digest, record) in std::mem::take(&mut self.graves) {
            if !self.records.contains_key(&digest) {
                self.put(digest, record);
            }
        }
    }

    /// Empties it; settings and limits stay.
    pub(crate) fn clear(&mut self) {
        let limits = std::mem::take(&mut self.limits);
        *self = Self { limits, ..Self::new(self.options.clone()) };
    }

    pub(crate) fn set_use(&self, set: &[u8]) -> SetUse {
        self.sets.get(set).copied().unwrap_or_default()
    }

    pub(crate) fn sets(&self) -> impl Iterator<Item = (&Bytes, &SetUse)> {
        self.sets.iter()
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = (&Digest, &Record)> {
        self.records.iter()
    }

    pub(crate) fn objects(&self) -> u64 {
        self.records.len() as u64
    }
}
