//! Records in Aerospike: one `operate` for each step, conditions as filter expressions on the token.
//!
//! Aerospike makes each step atomic on its one record, and nothing more is needed: a step never depends on two records
//! (docs/adr/0004-cache-coherence.md). Its own record generation is no token, as it begins anew after a remove.

mod budget;
mod calls;
mod canary;
mod connection;
mod lookup;
mod names;
mod observe;
mod operations;
mod record;
mod settings;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aerospike::{BatchOperation, Key};
use async_trait::async_trait;
use layer_service::{clock::since_boot, config::ConfigError, metrics::Metrics};

use self::{
    budget::{Budgets, Charge},
    calls::{Call, Row},
    canary::{Birds, unexpected},
    connection::Connection,
    names::Names,
    record::{KeyRecord, NamespaceRecord, now_ms},
};
pub use self::{observe::METRICS, settings::AerospikeSettings};
use super::{Backend, BackendError, Canary, Fill, Filled, Id, Inspection, Lookup, Scope, Usage, WriteId};

/// Single removes that are in flight at once where a batch of them was refused.
const REMOVES_AT_ONCE: usize = 32;

/// The Aerospike backend.
pub struct Aerospike {
    connection: Arc<Connection>,
    birds: Birds,
    value_bytes_max: usize,
    budgets: Mutex<Budgets>,
    replicas: u32,
}

/// How a step that may not be refused went through.
#[derive(Debug, Clone, Copy, Default)]
struct Through {
    /// As removes, for some key.
    refused: bool,
}

impl Aerospike {
    /// Begins to connect in the background.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting that cannot be used.
    pub fn start(settings: &AerospikeSettings, metrics: &Metrics) -> Result<Self, ConfigError> {
        let value_bytes_max = usize::try_from(settings.value_bytes_max).unwrap_or(usize::MAX);
        let connection = Connection::start(settings, metrics)?;
        Ok(Self { connection, birds: Birds::default(), value_bytes_max, budgets: Mutex::default(), replicas: 1 })
    }

    /// One of so many replicas, each of which keeps to its share of a namespace's bound.
    #[must_use]
    pub fn one_of(self, replicas: u32) -> Self {
        Self { replicas: replicas.max(1), ..self }
    }

    /// Whether `fill` may be stored, and what was charged for it.
    fn admit(&self, scope: &Scope, fill: &Fill, max_bytes: Option<u64>) -> Result<Option<Charge>, Filled> {
        if fill.body.data.len() > self.value_bytes_max {
            return Err(Filled::TooLarge);
        }
        let Some(max_bytes) = max_bytes else { return Ok(None) };
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let charged = budgets.charge(scope, fill, max_bytes / u64::from(self.replicas), since_boot());
        charged.map(Some).ok_or(Filled::OverQuota)
    }

    /// Gives back what is known not to be stored; what failed may be.
    fn give_back(&self, scope: &Scope, charge: Option<Charge>, filled: Filled) {
        let not_stored = matches!(filled, Filled::LeaseEnded | Filled::TooLarge | Filled::StopWrites);
        if let (Some(charge), true) = (charge, not_stored) {
            self.budgets.lock().unwrap_or_else(PoisonError::into_inner).give_back(scope, charge);
        }
    }

    fn names(&self) -> &Names {
        self.connection.names()
    }

    fn keys(&self, scope: &Scope, ids: &[Id]) -> Result<Vec<Key>, BackendError> {
        ids.iter().map(|id| self.names().key(scope, id)).collect()
    }

    async fn hold_or_remove(
        &self,
        scope: &Scope,
        write: WriteId,
        ids: &[Id],
        stands: Duration,
        until: Instant,
    ) -> Result<Through, BackendError> {
        let stands_until = now_ms().saturating_add(i64::try_from(stands.as_millis()).unwrap_or(i64::MAX));
        let set = self.names().set(scope.kind);
        let call = Call { operation: "hold", set: &set, until };
        let step = |key| operations::hold(key, rand::random(), write, stands_until);
        self.through(&call, self.keys(scope, ids)?, step).await
    }

    async fn release_or_remove(
        &self,
        scope: &Scope,
        write: WriteId,
        ids: &[Id],
        until: Instant,
    ) -> Result<Through, BackendError> {
        let set = self.names().set(scope.kind);
        let call = Call { operation: "release", set: &set, until };
        let step = |key| operations::release(key, rand::random(), write);
        self.through(&call, self.keys(scope, ids)?, step).await
    }

    /// Does `step` to every record; those that the server refuses to write are removed instead.
    async fn through(
        &self,
        call: &Call<'_>,
        keys: Vec<Key>,
        step: impl Fn(Key) -> BatchOperation,
    ) -> Result<Through, BackendError> {
        let steps = keys.iter().cloned().map(step).collect();
        let rows = self.connection.batch(call, steps).await?;
        let refused = rejected(keys, rows)?;
        if refused.is_empty() {
            return Ok(Through::default());
        }
        self.remove(call, refused).await?;
        Ok(Through { refused: true })
    }

    async fn remove(&self, call: &Call<'_>, keys: Vec<Key>) -> Result<(), BackendError> {
        let call = Call { operation: "remove", set: call.set, until: call.until };
        let rows = self.connection.batch(&call, keys.iter().cloned().map(operations::remove).collect()).await?;
        let refused = rejected(keys, rows)?;
        // A server may refuse a batch's removes as the writes that they look like; it takes the same one by one.
        for some in refused.chunks(REMOVES_AT_ONCE) {
            let removes = some.iter().map(|key| self.connection.remove_one(&call, key));
            for removed in futures_util::future::join_all(removes).await {
                removed?;
            }
        }
        Ok(())
    }

    /// A step on a namespace's record; a remove where it is refused.
    async fn namespace_step(
        &self,
        operation: &'static str,
        key: Key,
        step: impl Fn(Key) -> BatchOperation,
        deadline: Duration,
    ) -> Result<(), BackendError> {
        let set = self.names().namespace_set();
        let call = Call { operation, set: &set, until: Instant::now() + deadline };
        self.through(&call, vec![key], step).await.map(drop)
    }
}

/// The keys whose step was refused.
fn rejected(keys: Vec<Key>, rows: Vec<Row>) -> Result<Vec<Key>, BackendError> {
    let mut refused = Vec::new();
    for (key, row) in keys.into_iter().zip(rows) {
        match row {
            Row::Done(_) | Row::Absent => {}
            Row::Refused => refused.push(key),
            row => return Err(unexpected(row)),
        }
    }
    Ok(refused)
}

#[async_trait]
impl Backend for Aerospike {
    fn name(&self) -> &'static str {
        "aerospike"
    }

    async fn get(&self, scope: &Scope, ids: &[Id], deadline: Duration) -> Result<Vec<Lookup>, BackendError> {
        self.look_up(scope, ids, Instant::now() + deadline).await
    }

    async fn fill(
        &self,
        scope: &Scope,
        fills: Vec<Fill>,
        max_bytes: Option<u64>,
        deadline: Duration,
    ) -> Result<Vec<Filled>, BackendError> {
        let set = self.names().set(scope.kind);
        let call = Call { operation: "fill", set: &set, until: Instant::now() + deadline };
        let now = now_ms();
        let keys: Vec<Key> = fills.iter().map(|fill| self.names().key(scope, &fill.id)).collect::<Result<_, _>>()?;
        // What is charged from here on is sent.
        self.connection.may_send(call.until)?;
        let (mut steps, mut admitted) = (Vec::with_capacity(fills.len()), Vec::with_capacity(fills.len()));
        for (key, fill) in keys.into_iter().zip(fills) {
            admitted.push(self.admit(scope, &fill, max_bytes));
            if let Some(Ok(_)) = admitted.last() {
                let expires = now.saturating_add(i64::try_from(fill.ttl.as_millis()).unwrap_or(i64::MAX));
                steps.push(operations::fill(key, fill, expires));
            }
        }
        let mut rows = self.connection.batch(&call, steps).await?.into_iter();
        let ended = admitted.into_iter().map(|admitted| match admitted {
            Err(refused) => refused,
            Ok(charge) => {
                let filled = filled(rows.next());
                self.give_back(scope, charge, filled);
                filled
            }
        });
        Ok(ended.collect())
    }

    async fn hold(
        &self,
        scope: &Scope,
        write: WriteId,
        ids: &[Id],
        stands: Duration,
        deadline: Duration,
    ) -> Result<(), BackendError> {
        self.hold_or_remove(scope, write, ids, stands, Instant::now() + deadline).await.map(drop)
    }

    async fn release(&self, scope: &Scope, write: WriteId, ids: &[Id], deadline: Duration) -> Result<(), BackendError> {
        self.release_or_remove(scope, write, ids, Instant::now() + deadline).await.map(drop)
    }

    async fn clear(&self, scope: &Scope, ids: &[Id], deadline: Duration) -> Result<(), BackendError> {
        let set = self.names().set(scope.kind);
        let call = Call { operation: "clear", set: &set, until: Instant::now() + deadline };
        let step = |key| operations::clear(key, rand::random());
        self.through(&call, self.keys(scope, ids)?, step).await.map(drop)
    }

    async fn hold_namespace(
        &self,
        scope: &Scope,
        write: WriteId,
        stands: Duration,
        deadline: Duration,
    ) -> Result<(), BackendError> {
        let key = self.names().namespace(&scope.tenant, &scope.namespace)?;
        let stands_until = now_ms().saturating_add(i64::try_from(stands.as_millis()).unwrap_or(i64::MAX));
        let step = |key| operations::hold_namespace(key, write, stands_until);
        self.namespace_step("hold_namespace", key, step, deadline).await
    }

    async fn release_namespace(&self, scope: &Scope, write: WriteId, deadline: Duration) -> Result<(), BackendError> {
        let key = self.names().namespace(&scope.tenant, &scope.namespace)?;
        let step = |key| operations::release_namespace(key, write);
        self.namespace_step("release_namespace", key, step, deadline).await
    }

    async fn purge_namespace(&self, tenant: &str, namespace: &str, deadline: Duration) -> Result<(), BackendError> {
        let key = self.names().namespace(tenant, namespace)?;
        self.namespace_step("purge", key, |key| operations::purge(key, rand::random()), deadline).await
    }

    async fn canary(&self, lapse: Duration, deadline: Duration) -> Result<Canary, BackendError> {
        self.send_canary(lapse, Instant::now() + deadline).await
    }

    async fn inspect(&self, scope: &Scope, id: &Id, deadline: Duration) -> Result<Inspection, BackendError> {
        let until = Instant::now() + deadline;
        let set = self.names().set(scope.kind);
        let steps = vec![
            operations::read(self.names().namespace(&scope.tenant, &scope.namespace)?),
            operations::read(self.names().epoch()?),
            operations::read(self.names().key(scope, id)?),
        ];
        let mut rows =
            self.connection.batch(&Call { operation: "inspect", set: &set, until }, steps).await?.into_iter();
        let mut next = || match rows.next() {
            Some(Row::Done(record)) => Ok(Some(record)),
            Some(Row::Absent) | None => Ok(None),
            Some(row) => Err(unexpected(row)),
        };
        let namespace = next()?.as_mut().map(NamespaceRecord::of).unwrap_or_default();
        let epoch = next()?.as_ref().and_then(record::epoch);
        let key = next()?.as_mut().map(KeyRecord::of).unwrap_or_default();
        let now = now_ms();
        let served = key.value.filter(|value| {
            namespace.generation.zip(epoch).is_some_and(|(generation, epoch)| value.serves(generation, epoch, now))
        });
        Ok(Inspection {
            stored: served.map(|value| (value.body.data.len() as u64, value.remaining(now))),
            holds: key.holds.open(now),
            namespace_holds: namespace.holds.open(now),
            generation: namespace.generation,
            epoch,
        })
    }

    fn usage(&self) -> Usage {
        self.connection.usage()
    }

    fn connected(&self) -> bool {
        self.connection.connected()
    }
}

fn filled(row: Option<Row>) -> Filled {
    match row {
        Some(Row::Done(_)) => Filled::Stored,
        Some(Row::Absent | Row::Filtered) => Filled::LeaseEnded,
        Some(Row::TooLarge) => Filled::TooLarge,
        Some(Row::Refused) => Filled::StopWrites,
        Some(Row::Failed(_) | Row::Exists) | None => Filled::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Body, Kind, Lease};

    #[tokio::test]
    async fn a_fill_that_was_never_sent_is_not_charged() {
        let settings = AerospikeSettings { hosts: "127.0.0.1:1".to_owned(), ..AerospikeSettings::default() };
        let backend = Aerospike::start(&settings, &Metrics::default()).unwrap();
        let scope = Scope { tenant: "t".to_owned(), namespace: "n".to_owned(), kind: Kind::Document };
        let body = Body { data: vec![0; 1000].into(), content_type: String::new(), compression: 0 };
        let ttl = Duration::from_secs(60);
        let fill = Fill { id: "k".into(), lease: Lease { token: 0, generation: 0, epoch: 0 }, body, ttl };
        for _ in 0..2 {
            // There is room for one.
            let filled = backend.fill(&scope, vec![fill.clone()], Some(1500), ttl).await;
            assert!(matches!(filled, Err(BackendError::Unavailable(_))), "{filled:?}");
        }
    }
}
