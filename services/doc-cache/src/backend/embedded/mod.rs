//! The embedded backend: one process, values in memory and, if wanted, in a directory.
//!
//! Records, which decide, and values, which only lie about, are kept apart. A record is a few words under the lock of its
//! shard: token, holds, and the number under which the value store has the value. Every rule of the protocol is one
//! change of one record under one lock; no lock is held across an await, and none while a value is read. Everything is
//! bounded in bytes, and what goes to make room goes as if it had been removed.
//!
//! It has no way to speak to another replica, so that there may be only one; and it begins with a new epoch and empty
//! records, so that an old directory is never served.

mod backend;
mod bounded;
mod holds;
mod key;
mod namespace;
mod quota;
mod record;
mod values;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use hashbrown::DefaultHashBuilder;
use layer_service::metrics::{Metrics, Series};
use prometheus::IntCounter;

use self::{
    bounded::{Bounded, Entry, Hashed},
    key::Names,
    namespace::Namespace,
    quota::{Charged, Quota, Quotas},
    record::{Era, Found, Pointer, Record},
    values::{VALUE_OVERHEAD_BYTES, Values},
};
use super::{Fill, Filled, Id, Kind, Lookup, Scope, WriteId};
use crate::clock::Clock;

/// Locks of each kind of record. A lock is held for a fraction of a microsecond; with far more locks than cores, two
/// threads seldom meet.
const SHARDS: usize = 64;
/// The share of the records' bytes that namespaces may take: there are few, and they are small.
const NAMESPACE_SHARE: usize = 8;
/// Values of one call that are read from the disk at once.
const DISK_READS: usize = 32;
/// How many of the largest values the memory must hold at the least: each of its parts must hold two.
pub const VALUES_PER_MEMORY: u64 = 2 * values::MEMORY_SHARDS as u64;
/// How many of the largest values the directory must hold at the least: one being written, one being reclaimed, and two
/// to read from.
pub const VALUES_PER_DISK: u64 = 4;
/// How long the canary's own hold would stand: it is released in the same breath.
const CANARY_HOLD: Duration = Duration::from_secs(1);

layer_service::metrics! {
    /// The metrics of this backend.
    pub METRICS:

    /// Records of the embedded backend that went to make room though a write held them; if that writer died, a value
    /// that it replaced may be served until it expires. Any at all asks for more embedded.records_bytes.
    HELD_EVICTIONS = Counter "layer_cache_held_evictions_total";
    /// Values of the embedded backend that went to make room for others of their namespace, within its max_bytes.
    QUOTA_EVICTIONS = Counter "layer_cache_quota_evictions_total";
}

/// What the backend may take, and where.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Bytes of values in memory, with all that they cost there.
    pub memory_bytes: u64,
    /// Bytes of records: keys, tokens, holds.
    pub records_bytes: u64,
    /// Where values go that leave memory, and how many bytes they may take there.
    pub disk: Option<(PathBuf, u64)>,
    /// Largest value in bytes.
    pub value_bytes_max: u64,
}

/// The value store cannot be opened: the directory is not there, not writable, or has no room.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(String);

/// The backend.
pub struct Embedded {
    keys: Vec<Mutex<Bounded<Record>>>,
    namespaces: Vec<Mutex<Bounded<Namespace>>>,
    hasher: DefaultHashBuilder,
    values: Values,
    clock: Arc<dyn Clock>,
    options: EmbeddedOptions,
    epoch: AtomicU64,
    /// When a canary last went through.
    canary_at: Mutex<Duration>,
    canary_scope: Scope,
    refuses: AtomicBool,
    /// Values that records point to.
    pointers: AtomicU64,
    /// Values that went because their record went, or that were gone when they were asked for.
    lost: AtomicU64,
    held_evictions: IntCounter,
    quotas: Mutex<Quotas>,
    quota_evictions: IntCounter,
}

impl Embedded {
    /// Opens it, empty and with a new epoch.
    ///
    /// # Errors
    /// [`OpenError`] where the directory cannot be used.
    pub async fn open(options: EmbeddedOptions, clock: Arc<dyn Clock>, metrics: &Metrics) -> Result<Self, OpenError> {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let disk = options.disk.as_ref().map(|(directory, bytes)| (directory.as_path(), *bytes));
        let values = Values::open(bytes(options.memory_bytes), disk, bytes(options.value_bytes_max))
            .await
            .map_err(|error| OpenError(error.to_string()))?;
        let records_bytes = bytes(options.records_bytes);
        let namespaces_bytes = records_bytes / NAMESPACE_SHARE;
        Ok(Self {
            keys: shards(records_bytes - namespaces_bytes),
            namespaces: shards(namespaces_bytes),
            hasher: DefaultHashBuilder::default(),
            values,
            canary_at: Mutex::new(clock.now()),
            clock,
            options,
            epoch: AtomicU64::new(rand::random()),
            // No caller's tenant is empty.
            canary_scope: Scope { tenant: String::new(), namespace: String::new(), kind: Kind::Document },
            refuses: AtomicBool::new(false),
            pointers: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            held_evictions: metrics.counter(&HELD_EVICTIONS).only(),
            quotas: Mutex::default(),
            quota_evictions: metrics.counter(&QUOTA_EVICTIONS).only(),
        })
    }

    /// Refuses writes from now on, or takes them again, as a full Aerospike does: for drills and tests of what the mesh
    /// does then.
    pub fn refuse_writes(&self, refuse: bool) {
        self.refuses.store(refuse, Relaxed);
    }

    /// Stops writing to the directory.
    pub async fn close(&self) {
        self.values.close().await;
    }

    fn refusing(&self) -> bool {
        self.refuses.load(Relaxed)
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Relaxed)
    }

    fn key_shard(&self, key: Hashed<'_>) -> MutexGuard<'_, Bounded<Record>> {
        lock(&self.keys[shard(key.hash)])
    }

    fn namespace_shard(&self, key: Hashed<'_>) -> MutexGuard<'_, Bounded<Namespace>> {
        lock(&self.namespaces[shard(key.hash)])
    }

    /// The generation that holds now, made where there is none; `None` where that is refused.
    fn generation(&self, scope: &Scope, now: Duration) -> Option<u64> {
        let names = Names::of_namespace(&scope.tenant, &scope.namespace, &self.hasher);
        let key = names.hashed();
        let mut shard = self.namespace_shard(key);
        if self.refusing() {
            // A new generation would be a write; a remove is a purge too.
            if shard.peek(key)?.is_due(now) {
                shard.remove(key);
            }
            return shard.peek(key).map(|namespace| namespace.inspect(now).0);
        }
        let mut evicted = Vec::new();
        let generation =
            shard.change_or_make(key, now, Namespace::new, &mut evicted, |namespace| namespace.generation(now));
        drop(shard);
        self.count_held(&evicted, now);
        Some(generation)
    }

    fn count_held<R: Entry>(&self, evicted: &[R], now: Duration) {
        let held = evicted.iter().filter(|record| record.held_until().is_some_and(|until| until > now)).count();
        self.held_evictions.inc_by(held as u64);
    }

    /// Changes a key's record, which is made where there is none. `change` gives a value that is no longer pointed to.
    fn change_or_make<T>(
        &self,
        key: Hashed<'_>,
        now: Duration,
        change: impl FnOnce(&mut Record) -> (T, Option<Pointer>),
    ) -> T {
        let mut evicted = Vec::new();
        let (changed, gone) = self.key_shard(key).change_or_make(key, now, Record::new, &mut evicted, change);
        if !evicted.is_empty() {
            self.evict(&evicted, now);
        }
        self.remove_value(gone);
        changed
    }

    fn evict(&self, evicted: &[Record], now: Duration) {
        self.count_held(evicted, now);
        for value in evicted.iter().filter_map(Record::value) {
            self.lost.fetch_add(1, Relaxed);
            self.remove_value(Some(*value));
        }
    }

    /// Lets a value go that no record points to any more. Call it under no lock.
    fn remove_value(&self, gone: Option<Pointer>) {
        let Some(value) = gone else { return };
        if value.account != quota::NONE {
            lock(&self.quotas).give_back(&value);
        }
        self.remove_uncharged(&value);
    }

    fn remove_uncharged(&self, value: &Pointer) {
        self.pointers.fetch_sub(1, Relaxed);
        self.values.remove(value.number);
    }

    /// Changes the records of `ids` that are there; where writes are refused, removes them.
    fn change_all(&self, scope: &Scope, ids: &[Id], change: impl Fn(&mut Record) -> Option<Pointer>) {
        let (now, refusing) = (self.clock.now(), self.refusing());
        let mut names = Names::of(scope, &self.hasher);
        for id in ids {
            let key = names.id(id);
            let gone = if refusing {
                let removed = self.key_shard(key).remove(key);
                removed.and_then(|record| record.value().copied())
            } else {
                self.key_shard(key).change(key, now, &change).flatten()
            };
            self.remove_value(gone);
        }
    }

    fn hold_all(&self, scope: &Scope, write: WriteId, ids: &[Id], stands: Duration) {
        if self.refusing() {
            return self.change_all(scope, ids, Record::clear);
        }
        let now = self.clock.now();
        let mut names = Names::of(scope, &self.hasher);
        for id in ids {
            self.change_or_make(names.id(id), now, |record| ((), record.hold(write, now + stands)));
        }
    }

    /// What is known of a key before its value is looked at.
    fn look(&self, key: Hashed<'_>, era: Era, now: Duration) -> Option<Found> {
        if self.refusing() {
            let (found, gone) = self.key_shard(key).change(key, now, |record| record.look(era, now))?;
            self.remove_value(gone);
            return Some(found);
        }
        Some(self.change_or_make(key, now, |record| record.look(era, now)))
    }

    /// What a reader gets whose value was not in the store any more.
    fn lost(&self, key: Hashed<'_>, value: &Pointer, now: Duration) -> Option<Found> {
        let (found, had) = self.key_shard(key).change(key, now, |record| {
            let had = record.value().is_some_and(|found| found.number == value.number);
            (record.lost(value.number, value.era, now), had)
        })?;
        if had {
            self.lost.fetch_add(1, Relaxed);
            self.remove_value(Some(*value));
        }
        Some(found)
    }

    async fn get_all(&self, scope: &Scope, ids: &[Id]) -> Vec<Lookup> {
        let now = self.clock.now();
        // Should the epoch end after this, then the service sees its canary start another one, and serves no hit of this.
        let epoch = self.epoch();
        let Some(generation) = self.generation(scope, now) else { return vec![Lookup::Refused; ids.len()] };
        let era = Era { generation, epoch };
        let mut names = Names::of(scope, &self.hasher);
        let mut on_disk = Vec::new();
        let mut lookups = Vec::with_capacity(ids.len());
        for (index, id) in ids.iter().enumerate() {
            let key = names.id(id);
            let lookup = match self.look(key, era, now) {
                None => Lookup::Refused,
                Some(Found::Value(value)) => match self.values.in_memory(value.number) {
                    Some(body) => Lookup::Hit(body),
                    None if self.values.has_disk() => {
                        on_disk.push((index, value));
                        Lookup::Refused
                    }
                    None => lookup_of(self.lost(key, &value, now)),
                },
                other => lookup_of(other),
            };
            lookups.push(lookup);
        }
        if !on_disk.is_empty() {
            self.read_disk(scope, ids, on_disk, &mut lookups).await;
        }
        lookups
    }

    async fn read_disk(&self, scope: &Scope, ids: &[Id], wanted: Vec<(usize, Pointer)>, into: &mut [Lookup]) {
        let reads = wanted.into_iter().map(async |(index, value)| (index, value, self.values.get(value.number).await));
        let mut reads = stream::iter(reads).buffer_unordered(DISK_READS);
        let mut names = Names::of(scope, &self.hasher);
        while let Some((index, value, body)) = reads.next().await {
            into[index] = match body {
                Some(body) => Lookup::Hit(body),
                None => lookup_of(self.lost(names.id(&ids[index]), &value, self.clock.now())),
            };
        }
    }

    fn fill_one(&self, names: &mut Names<'_>, fill: &Fill, quota: Option<&Quota>, now: Duration) -> Filled {
        if fill.body.data.len() as u64 > self.options.value_bytes_max {
            return Filled::TooLarge;
        }
        if self.refusing() {
            return Filled::StopWrites;
        }
        let key = names.id(&fill.id);
        let cost = fill.body.data.len() + fill.body.content_type.len() + VALUE_OVERHEAD_BYTES;
        if quota.is_some_and(|quota| cost as u64 > quota.max_bytes) {
            return Filled::OverQuota;
        }
        // Storing is the dear part: a lease that has ended needs none of it.
        if !self.key_shard(key).peek(key).is_some_and(|record| record.takes(&fill.lease)) {
            return Filled::LeaseEnded;
        }
        let era = Era { generation: fill.lease.generation, epoch: fill.lease.epoch };
        let bytes = u32::try_from(fill.body.data.len()).unwrap_or(u32::MAX);
        let number = self.values.insert(&fill.body);
        let value = Pointer { number, era, expires: now + fill.ttl, bytes, account: quota::NONE };
        self.pointers.fetch_add(1, Relaxed);
        match quota {
            Some(quota) => self.point_within(quota, cost, key, fill, value, now),
            None => {
                let (filled, gone) = self.point(key, fill, value, now);
                self.remove_value(gone);
                filled
            }
        }
    }

    /// Points a key's record to a value, if the lease still holds; gives the value that is not pointed to then.
    fn point(&self, key: Hashed<'_>, fill: &Fill, value: Pointer, now: Duration) -> (Filled, Option<Pointer>) {
        let gone = self.key_shard(key).change(key, now, |record| record.fill(&fill.lease, value));
        let gone = gone.unwrap_or(Some(value));
        let refused = gone.is_some_and(|gone| gone.number == value.number);
        (if refused { Filled::LeaseEnded } else { Filled::Stored }, gone)
    }

    /// The same, once there is room within the namespace's bound: its oldest values go for it.
    fn point_within(
        &self,
        quota: &Quota,
        cost: usize,
        key: Hashed<'_>,
        fill: &Fill,
        value: Pointer,
        now: Duration,
    ) -> Filled {
        // Held throughout: who takes one of these values away meanwhile gives its charge back after this.
        let mut quotas = lock(&self.quotas);
        let charged = Charged { number: value.number, hash: key.hash };
        let charged = quotas.charge(quota, charged, u32::try_from(cost).unwrap_or(u32::MAX));
        let mut gone: Vec<Pointer> = charged.goes.iter().filter_map(|goes| self.forget(*goes, now)).collect();
        self.quota_evictions.inc_by(gone.len() as u64);
        self.lost.fetch_add(gone.len() as u64, Relaxed);
        let filled = match charged.account {
            None => {
                gone.push(value);
                Filled::OverQuota
            }
            Some(account) => {
                let (filled, replaced) = self.point(key, fill, Pointer { account, ..value }, now);
                replaced.iter().for_each(|replaced| quotas.give_back(replaced));
                gone.extend(replaced);
                filled
            }
        };
        drop(quotas);
        gone.iter().for_each(|value| self.remove_uncharged(value));
        filled
    }

    fn forget(&self, goes: Charged, now: Duration) -> Option<Pointer> {
        let is = |record: &Record| record.value().is_some_and(|value| value.number == goes.number);
        let mut shard = lock(&self.keys[shard(goes.hash)]);
        shard.change_one(goes.hash, now, is, |record| record.forget(goes.number)).flatten()
    }

    fn change_namespace(&self, tenant: &str, namespace: &str, change: impl FnOnce(&mut Namespace)) {
        let now = self.clock.now();
        let names = Names::of_namespace(tenant, namespace, &self.hasher);
        let key = names.hashed();
        let mut shard = self.namespace_shard(key);
        if self.refusing() {
            shard.remove(key);
        } else {
            shard.change(key, now, change);
        }
    }
}

fn lookup_of(found: Option<Found>) -> Lookup {
    match found {
        Some(Found::Lease(lease)) => Lookup::Miss(lease),
        // Without a record, as it went to make room between two looks, there is no token: the next lookup makes one.
        Some(Found::Held | Found::Value(_)) | None => Lookup::Held,
    }
}

fn shards<R: Entry>(bytes: usize) -> Vec<Mutex<Bounded<R>>> {
    (0..SHARDS).map(|_| Mutex::new(Bounded::new(bytes / SHARDS))).collect()
}

/// Bits that the table itself does not use first.
fn shard(hash: u64) -> usize {
    usize::try_from(hash >> 32).unwrap_or(0) % SHARDS
}

/// A panic under a lock leaves a record as it was or as it should be: each change is one assignment after another of
/// plain fields.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
