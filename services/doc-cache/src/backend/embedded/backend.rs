//! The embedded backend as the [`Backend`] that the service asks.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use async_trait::async_trait;

use super::{
    CANARY_HOLD, Embedded, key::Names, lock, namespace::Namespace, quota::Quota, record::Record,
    values::DISK_INDEX_BYTES,
};
use crate::backend::{Backend, BackendError, Canary, Fill, Filled, Id, Inspection, Lookup, Scope, Usage, WriteId};

/// The key of the canary.
const CANARY: Id = Id::from_static(b"canary");
/// Its write.
const CANARY_WRITE: WriteId = *b"embedded canary.";

#[async_trait]
impl Backend for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    async fn get(&self, scope: &Scope, ids: &[Id], deadline: Duration) -> Result<Vec<Lookup>, BackendError> {
        tokio::time::timeout(deadline, self.get_all(scope, ids)).await.map_err(|_| BackendError::Timeout)
    }

    async fn fill(
        &self,
        scope: &Scope,
        fills: Vec<Fill>,
        max_bytes: Option<u64>,
        _deadline: Duration,
    ) -> Result<Vec<Filled>, BackendError> {
        let now = self.clock.now();
        let quota = max_bytes.map(|max_bytes| {
            let name = Names::of_namespace(&scope.tenant, &scope.namespace, &self.hasher).hashed().bytes.to_vec();
            Quota { name, max_bytes }
        });
        let mut names = Names::of(scope, &self.hasher);
        Ok(fills.iter().map(|fill| self.fill_one(&mut names, fill, quota.as_ref(), now)).collect())
    }

    async fn hold(
        &self,
        scope: &Scope,
        write: WriteId,
        ids: &[Id],
        stands: Duration,
        _deadline: Duration,
    ) -> Result<(), BackendError> {
        self.hold_all(scope, write, ids, stands);
        Ok(())
    }

    async fn release(
        &self,
        scope: &Scope,
        write: WriteId,
        ids: &[Id],
        _deadline: Duration,
    ) -> Result<(), BackendError> {
        self.change_all(scope, ids, |record| record.release(write));
        Ok(())
    }

    async fn clear(&self, scope: &Scope, ids: &[Id], _deadline: Duration) -> Result<(), BackendError> {
        self.change_all(scope, ids, Record::clear);
        Ok(())
    }

    async fn hold_namespace(
        &self,
        scope: &Scope,
        write: WriteId,
        stands: Duration,
        _deadline: Duration,
    ) -> Result<(), BackendError> {
        self.hold_one_namespace(scope, write, stands);
        Ok(())
    }

    async fn release_namespace(&self, scope: &Scope, write: WriteId, _deadline: Duration) -> Result<(), BackendError> {
        let now = self.clock.now();
        self.change_namespace(&scope.tenant, &scope.namespace, |namespace| namespace.release(write, now));
        Ok(())
    }

    async fn purge_namespace(&self, tenant: &str, namespace: &str, _deadline: Duration) -> Result<(), BackendError> {
        self.change_namespace(tenant, namespace, Namespace::purge);
        Ok(())
    }

    async fn canary(&self, lapse: Duration, _deadline: Duration) -> Result<Canary, BackendError> {
        self.hold_all(&self.canary_scope, CANARY_WRITE, &[CANARY], CANARY_HOLD);
        self.change_all(&self.canary_scope, &[CANARY], |record| record.release(CANARY_WRITE));
        let mut last = lock(&self.canary_at);
        let now = self.clock.now();
        if now.saturating_sub(*last) > lapse {
            self.epoch.store(rand::random(), Relaxed);
        }
        *last = now;
        Ok(Canary { epoch: self.epoch(), stop_writes: self.refusing() })
    }

    async fn inspect(&self, scope: &Scope, id: &Id, _deadline: Duration) -> Result<Inspection, BackendError> {
        Ok(self.describe(scope, id))
    }

    fn usage(&self) -> Usage {
        let pointers = self.pointers.load(Relaxed);
        let (disk, index) = match &self.options.disk {
            Some((_, bytes)) => (*bytes, pointers * DISK_INDEX_BYTES as u64),
            None => (0, 0),
        };
        let entries = if self.values.has_disk() { pointers } else { self.values.entries() };
        Usage {
            entries: Some(entries),
            bytes: Some(self.values.bytes() + self.records_bytes() + index),
            capacity_bytes: Some(self.options.memory_bytes + self.options.records_bytes + disk),
            evictions: Some(self.evictions()),
        }
    }

    fn connected(&self) -> bool {
        true
    }
}

impl Embedded {
    fn hold_one_namespace(&self, scope: &Scope, write: WriteId, stands: Duration) {
        let now = self.clock.now();
        let names = Names::of_namespace(&scope.tenant, &scope.namespace, &self.hasher);
        let key = names.hashed();
        let mut shard = self.namespace_shard(key);
        if self.refusing() {
            shard.remove(key);
            return;
        }
        let mut evicted = Vec::new();
        shard.change_or_make(key, now, Namespace::new, &mut evicted, |found| found.hold(write, now, now + stands));
        drop(shard);
        self.count_held(&evicted, now);
    }

    fn describe(&self, scope: &Scope, id: &Id) -> Inspection {
        let (now, epoch) = (self.clock.now(), self.epoch());
        let names = Names::of_namespace(&scope.tenant, &scope.namespace, &self.hasher);
        let key = names.hashed();
        let found = self.namespace_shard(key).peek(key).map(|found| (found.inspect(now), found.is_due(now)));
        let mut names = Names::of(scope, &self.hasher);
        let key = names.id(id);
        let shard = self.key_shard(key);
        let record = shard.peek(key);
        let served = record.and_then(Record::value).filter(|value| {
            let same = found.is_some_and(|((generation, _), due)| generation == value.era.generation && !due);
            same && value.era.epoch == epoch && value.expires > now
        });
        Inspection {
            stored: served.map(|value| (u64::from(value.bytes), value.expires.saturating_sub(now))),
            holds: record.map_or(0, |record| record.holds(now)),
            namespace_holds: found.map_or(0, |((_, holds), _)| holds),
            generation: found.map(|((generation, _), _)| generation),
            epoch: Some(epoch),
        }
    }

    fn records_bytes(&self) -> u64 {
        let keys: usize = self.keys.iter().map(|shard| lock(shard).bytes()).sum();
        let namespaces: usize = self.namespaces.iter().map(|shard| lock(shard).bytes()).sum();
        (keys + namespaces) as u64
    }

    /// Values that went to make room: out of memory where there is no disk to take them, else those found gone.
    fn evictions(&self) -> u64 {
        let from_memory = if self.values.has_disk() { 0 } else { self.values.evictions() };
        from_memory + self.lost.load(Relaxed)
    }
}
