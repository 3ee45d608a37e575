//! The proof that holds go through, and the epoch that ends with the lack of it.
//!
//! The canary is a hold and a release on keys of this replica's own, by the very functions that writers' holds take. Only
//! after they went through is the epoch's record touched: so a record that was touched lately says that some replica's
//! holds went through lately, by the server's one clock. Whoever finds it untouched for longer than the lapse, or finds
//! other nodes than before, starts a new epoch, which ends every value filled before.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use layer_service::clock::since_boot;

use super::{
    Aerospike,
    calls::{Call, Row},
    operations::{self, TOUCHED},
    record,
};
use crate::backend::{BackendError, Canary, Kind, Scope};

/// Keys per node, where there are several nodes: enough that each node gets some.
const KEYS_PER_NODE: usize = 16;
/// How long a canary's hold stands if its release is lost.
const STANDS: Duration = Duration::from_secs(1);

/// What a replica remembers of its canaries.
#[derive(Debug)]
pub struct Birds {
    scope: Scope,
    replica: [u8; 16],
    /// When the last that went through was sent, by the clock that runs on in a suspension, and the epoch that it found.
    last: Mutex<Option<(Duration, u64)>>,
}

impl Default for Birds {
    fn default() -> Self {
        // The tenant's name is one that the service refuses from callers.
        let scope = Scope { tenant: String::new(), namespace: "canary".to_owned(), kind: Kind::Document };
        Self { scope, replica: rand::random(), last: Mutex::default() }
    }
}

impl Birds {
    fn keys(&self, nodes: usize) -> Vec<Bytes> {
        let count = if nodes > 1 { nodes * KEYS_PER_NODE } else { 1 };
        (0..count).map(|n| Bytes::from([&self.replica[..], &(n as u32).to_be_bytes()].concat())).collect()
    }

    fn went_through(&self, sent: Duration, epoch: u64) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((sent, epoch));
    }

    fn lately(&self, lapse: Duration) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|(sent, _)| since_boot().saturating_sub(sent) < lapse)
    }

    /// The epoch that the last canary found. What is of another one was read on either side of a new beginning.
    pub(super) fn epoch(&self) -> Option<u64> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).map(|(_, epoch)| epoch)
    }
}

impl Aerospike {
    pub(super) async fn send_canary(&self, lapse: Duration, until: Instant) -> Result<Canary, BackendError> {
        // A proof is as old as its question: the answer may have been long on its way.
        let sent = since_boot();
        let nodes = self.connection.nodes(until).await?;
        let keys = self.birds.keys(nodes.len());
        let write = rand::random();
        let held = self.hold_or_remove(&self.birds.scope, write, &keys, STANDS, until).await?;
        let released = self.release_or_remove(&self.birds.scope, write, &keys, until).await?;
        let stop_writes = held.refused || released.refused;
        let same = self.connection.continues(&nodes);
        let epoch = self.epoch_now(same, self.birds.lately(lapse), lapse, until).await?;
        self.connection.prove(nodes);
        self.birds.went_through(sent, epoch);
        Ok(Canary { epoch, stop_writes })
    }

    /// The epoch that holds from here on. `lately`: this replica's own canary has gone through within the lapse, which
    /// proves as much as the record's age.
    async fn epoch_now(&self, same: bool, lately: bool, lapse: Duration, until: Instant) -> Result<u64, BackendError> {
        let step = match (same, lately) {
            (false, _) => operations::new_epoch(self.names().epoch()?, rand::random()),
            // The touch before came after that canary was sent, so this one comes within two lapses, or its answer is not
            // waited for.
            (true, true) => operations::touch_epoch(self.names().epoch()?, 2 * lapse),
            (true, false) => operations::touch_epoch(self.names().epoch()?, lapse),
        };
        match self.control("epoch", vec![step], until).await? {
            Row::Done(record) => epoch_of(record::number(&record, TOUCHED)),
            Row::Refused => self.epoch_without_writes(same, lately, until).await,
            Row::Absent => {
                let step = operations::first_epoch(self.names().epoch()?, rand::random());
                self.begin_epoch(step, lapse, until).await
            }
            Row::Filtered => {
                let step = operations::replace_epoch(self.names().epoch()?, rand::random(), lapse);
                self.begin_epoch(step, lapse, until).await
            }
            row => Err(unexpected(row)),
        }
    }

    /// Begins an epoch, unless another replica has just done so: then its epoch holds.
    async fn begin_epoch(
        &self,
        step: aerospike::BatchOperation,
        lapse: Duration,
        until: Instant,
    ) -> Result<u64, BackendError> {
        let record = match self.control("epoch_begin", vec![step], until).await? {
            Row::Done(record) => record,
            Row::Exists | Row::Filtered => {
                let touch = operations::touch_epoch(self.names().epoch()?, lapse);
                match self.control("epoch", vec![touch], until).await? {
                    Row::Done(record) => record,
                    row => return Err(unexpected(row)),
                }
            }
            row => return Err(unexpected(row)),
        };
        epoch_of(record::number(&record, TOUCHED))
    }

    /// While writes are refused the record cannot be touched, so what it says is no proof: this replica's own canaries may
    /// extend theirs, and nobody begins one. Of other nodes the record is not the one that anybody proved: it goes.
    async fn epoch_without_writes(&self, same: bool, lately: bool, until: Instant) -> Result<u64, BackendError> {
        let key = self.names().epoch()?;
        if !same {
            return match self.control("epoch_remove", vec![operations::remove(key)], until).await? {
                Row::Done(_) | Row::Absent => Err(BackendError::StopWrites),
                row => Err(unexpected(row)),
            };
        }
        if !lately {
            return Err(BackendError::StopWrites);
        }
        match self.control("epoch_read", vec![operations::read(key)], until).await? {
            Row::Done(record) => epoch_of(record::epoch(&record)),
            Row::Absent => Err(BackendError::StopWrites),
            row => Err(unexpected(row)),
        }
    }

    async fn control(
        &self,
        operation: &'static str,
        steps: Vec<aerospike::BatchOperation>,
        until: Instant,
    ) -> Result<Row, BackendError> {
        let set = self.names().control_set();
        let mut rows = self.connection.batch(&Call { operation, set: &set, until }, steps).await?;
        rows.pop().ok_or_else(|| BackendError::Failed("no answer".to_owned()))
    }
}

fn epoch_of(epoch: Option<u64>) -> Result<u64, BackendError> {
    epoch.ok_or_else(|| BackendError::Failed("the epoch's record has no epoch".to_owned()))
}

pub(super) fn unexpected(row: Row) -> BackendError {
    match row {
        Row::Failed(error) => error,
        Row::Refused => BackendError::StopWrites,
        // The row itself may hold what nobody may see.
        _ => BackendError::Failed("the server answered what this step cannot answer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_of_before_a_suspension_was_not_lately() {
        let (birds, lapse) = (Birds::default(), Duration::from_millis(500));
        assert!(!birds.lately(lapse));
        birds.went_through(since_boot(), 1);
        assert!(birds.lately(lapse));
        birds.went_through(since_boot().saturating_sub(Duration::from_secs(1)), 1);
        assert!(!birds.lately(lapse));
    }
}
