//! Looking keys up: one batch of reads, and one of writes for the misses that have no token yet.

use std::time::Instant;

use aerospike::BatchOperation;

use super::{
    Aerospike,
    calls::{Call, Row},
    canary::unexpected,
    operations,
    record::{self, KeyRecord, NamespaceRecord, now_ms},
};
use crate::backend::{BackendError, Id, Lease, Lookup, Scope};

/// What must be known before a key's record means anything.
#[derive(Debug, Clone, Copy)]
struct Present {
    generation: u64,
    epoch: u64,
    now_ms: i64,
}

/// What a key's record says.
enum Verdict {
    Known(Lookup),
    /// A miss that a token must be made for.
    NeedsToken(Need),
}

/// Why a token must be made.
#[derive(Debug, Clone, Copy)]
enum Need {
    /// There is no record.
    First,
    /// All its holds have run out.
    Next { seen: Option<u64> },
}

impl Aerospike {
    pub(super) async fn look_up(&self, scope: &Scope, ids: &[Id], until: Instant) -> Result<Vec<Lookup>, BackendError> {
        let set = self.names().set(scope.kind);
        let mut reads = Vec::with_capacity(ids.len() + 2);
        reads.push(operations::read(self.names().namespace(&scope.tenant, &scope.namespace)?));
        reads.push(operations::read(self.names().epoch()?));
        for key in self.keys(scope, ids)? {
            reads.push(operations::read(key));
        }
        let mut rows = self.connection.batch(&Call { operation: "get", set: &set, until }, reads).await?.into_iter();
        let namespace = shared(rows.next())?.as_mut().map(NamespaceRecord::of);
        let epoch = shared(rows.next())?.as_ref().and_then(record::epoch);
        let now_ms = now_ms();
        let generation = self.generation(scope, namespace, now_ms, until).await?;
        let (Some(generation), Some(epoch)) = (generation, epoch) else {
            return Ok(vec![Lookup::Refused; ids.len()]);
        };
        let present = Present { generation, epoch, now_ms };
        let verdicts = rows.map(|row| judge(row, present)).collect();
        let answers = self.with_tokens(scope, ids, verdicts, present, until).await?;
        // Nodes may have changed since the canary, and these records may be those of a node that missed holds; or the
        // server began anew on an old file, whose epoch is not the canary's.
        match self.connection.proven() && self.birds.epoch() == Some(epoch) {
            true => Ok(answers),
            false => Ok(vec![Lookup::Refused; ids.len()]),
        }
    }

    /// The namespace's generation; a new one where there is none or where a hold ran out. None where it cannot be written,
    /// or somebody else is just writing it.
    async fn generation(
        &self,
        scope: &Scope,
        record: Option<NamespaceRecord>,
        now_ms: i64,
        until: Instant,
    ) -> Result<Option<u64>, BackendError> {
        let key = self.names().namespace(&scope.tenant, &scope.namespace)?;
        let fresh = rand::random();
        let step = match record {
            None => operations::first_generation(key, fresh),
            Some(record) => {
                let expired = record.holds.expired(now_ms);
                if let (Some(generation), true) = (record.generation, expired.is_empty()) {
                    return Ok(Some(generation));
                }
                operations::next_generation(key, record.generation, fresh, expired)
            }
        };
        let set = self.names().namespace_set();
        let call = Call { operation: "generation", set: &set, until };
        match self.connection.batch(&call, vec![step]).await?.pop() {
            Some(Row::Done(_)) => Ok(Some(fresh)),
            Some(Row::Exists | Row::Filtered | Row::Absent | Row::Refused) => Ok(None),
            Some(row) => Err(unexpected(row)),
            None => Ok(None),
        }
    }

    /// Makes the tokens that are wanted, in one batch.
    async fn with_tokens(
        &self,
        scope: &Scope,
        ids: &[Id],
        verdicts: Vec<Verdict>,
        present: Present,
        until: Instant,
    ) -> Result<Vec<Lookup>, BackendError> {
        let (mut steps, mut tokens) = (Vec::new(), Vec::new());
        for (id, verdict) in ids.iter().zip(&verdicts) {
            if let Verdict::NeedsToken(need) = verdict {
                let token = rand::random();
                tokens.push(token);
                steps.push(self.token_step(scope, id, *need, token)?);
            }
        }
        let set = self.names().set(scope.kind);
        let call = Call { operation: "lease", set: &set, until };
        // A miss without a lease is an answer; the hits beside it must not be lost with it.
        let rows = self.connection.batch(&call, steps).await.unwrap_or_default();
        let mut made = tokens.into_iter().zip(rows.into_iter().map(Some).chain(std::iter::repeat_with(|| None)));
        let mut leased = || match made.next() {
            Some((token, Some(Row::Done(_)))) => Lookup::Miss(present.lease(token)),
            // Somebody else has just made one, or holds it.
            Some((_, Some(Row::Exists | Row::Filtered | Row::Absent))) => Lookup::Held,
            _ => Lookup::Refused,
        };
        let answer = |verdict| match verdict {
            Verdict::Known(lookup) => lookup,
            Verdict::NeedsToken(_) => leased(),
        };
        Ok(verdicts.into_iter().map(answer).collect())
    }

    fn token_step(&self, scope: &Scope, id: &Id, need: Need, token: u64) -> Result<BatchOperation, BackendError> {
        let key = self.names().key(scope, id)?;
        Ok(match need {
            Need::First => operations::first_token(key, token),
            Need::Next { seen } => operations::next_token(key, seen, token),
        })
    }
}

impl Present {
    fn lease(self, token: u64) -> Lease {
        Lease { token, generation: self.generation, epoch: self.epoch }
    }
}

/// A record that all keys depend on.
fn shared(row: Option<Row>) -> Result<Option<aerospike::Record>, BackendError> {
    match row {
        Some(Row::Done(record)) => Ok(Some(record)),
        Some(Row::Absent) | None => Ok(None),
        Some(row) => Err(unexpected(row)),
    }
}

fn judge(row: Row, present: Present) -> Verdict {
    let record = match row {
        Row::Done(mut record) => KeyRecord::of(&mut record),
        Row::Absent => return Verdict::NeedsToken(Need::First),
        _ => return Verdict::Known(Lookup::Refused),
    };
    if record.holds.open(present.now_ms) > 0 {
        return Verdict::Known(Lookup::Held);
    }
    match (record.value, record.token) {
        (Some(value), _) if value.serves(present.generation, present.epoch, present.now_ms) => {
            Verdict::Known(Lookup::Hit(value.body))
        }
        (_, Some(token)) if record.holds.expired(present.now_ms).is_empty() => {
            Verdict::Known(Lookup::Miss(present.lease(token)))
        }
        (_, seen) => Verdict::NeedsToken(Need::Next { seen }),
    }
}
