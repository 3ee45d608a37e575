//! One transaction over a queue's items.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::{Any, Row as _, SqlStr, Transaction, any::AnyRow};

use super::{
    Error, Queue, State,
    error::Attempt,
    model::{Kind, Standing},
    queues::{self, QUEUE_COLUMNS, queue_columns},
    rules::Row,
};
use crate::points;

/// Items of one call at the most: one statement's worth.
pub(crate) const BATCH_MAX: usize = 10_000;

/// A transaction that has read its queue and the clock. What it counts is written as it commits.
pub(crate) struct Unit {
    pub(crate) tx: Transaction<'static, Any>,
    pub(crate) queue: Queue,
    /// The database's clock as the transaction began, in milliseconds since 1970.
    pub(crate) now: i64,
    /// Whether a lease or a wait was over then.
    pub(crate) due: bool,
    /// By how much the counters change, by stage and state.
    moved: BTreeMap<(i64, i64), i64>,
    done: i64,
    /// Items that went from one stage to another, and how long they had been there, in milliseconds.
    passed: Vec<(i64, i64, Standing, i64)>,
}

impl State {
    /// Begins a transaction over the queue called `name`.
    pub(crate) async fn begin(&self, kind: Kind, name: &str) -> Result<Unit, Attempt> {
        self.begin_by(self.dialect.begin(), kind, name).await
    }

    /// The same for what may be lost if the database falls over right after it: a lease, which then was never given. What is
    /// done under it is refused by its token: the next one is of a later time.
    pub(crate) async fn begin_unflushed(&self, kind: Kind, name: &str) -> Result<Unit, Attempt> {
        self.begin_by(self.dialect.begin_unflushed(), kind, name).await
    }

    async fn begin_by(&self, begin: &'static str, kind: Kind, name: &str) -> Result<Unit, Attempt> {
        let mut tx = self.transaction(begin).await?;
        let statement = self.dialect.sql(concat!(
            "SELECT ",
            queue_columns!(),
            ", {now}, CASE WHEN EXISTS (SELECT 1 FROM item WHERE item.queue = queue.id AND item.wake_ms <= {now}) ",
            "THEN 1 ELSE 0 END FROM queue WHERE kind = $1 AND name = $2 AND deleted_ms IS NULL"
        ));
        let found = sqlx::query(statement).bind(kind.code()).bind(name.to_owned()).fetch_optional(&mut *tx).await?;
        let row = found.ok_or_else(|| Error::QueueNotFound { kind, name: name.to_owned() })?;
        Ok(Unit {
            tx,
            now: row.try_get(QUEUE_COLUMNS)?,
            due: row.try_get::<i64, _>(QUEUE_COLUMNS + 1)? != 0,
            queue: queues::read(&row, kind)?,
            moved: BTreeMap::new(),
            done: 0,
            passed: Vec::new(),
        })
    }

    /// Writes what the transaction counted, and ends it.
    pub(crate) async fn commit(&self, mut unit: Unit) -> Result<(), Attempt> {
        // Another one for each transaction: two of one process that counted in the same rows would wait for each other's commit.
        let slot = fastrand::i64(0..SLOTS);
        let deltas: Vec<_> = unit.moved.iter().filter(|(_, n)| **n != 0).map(|((s, t), n)| json!([s, t, n])).collect();
        if !deltas.is_empty() {
            // In the order of the key, as the last rows that are locked: no two transactions wait for each other.
            let statement = self.dialect.sql(
                "INSERT INTO tally (queue, stage, state, slot, n) \
                 SELECT $2, CAST(v.value->>0 AS BIGINT), CAST(v.value->>1 AS BIGINT), $3, CAST(v.value->>2 AS BIGINT) \
                 FROM {rows} WHERE true ON CONFLICT (queue, stage, state, slot) DO UPDATE SET n = tally.n + excluded.n",
            );
            let query = sqlx::query(statement).bind(Value::Array(deltas).to_string());
            query.bind(unit.queue.id).bind(slot).execute(&mut *unit.tx).await?;
        }
        if unit.done > 0 {
            let statement = "INSERT INTO throughput (queue, bucket, slot, n) VALUES ($1, $2, $3, $4) \
                             ON CONFLICT (queue, bucket, slot) DO UPDATE SET n = throughput.n + excluded.n";
            let query = sqlx::query(statement).bind(unit.queue.id).bind(unit.now / BUCKET_MS);
            query.bind(slot).bind(unit.done).execute(&mut *unit.tx).await?;
        }
        let Unit { tx, queue, passed, .. } = unit;
        points::commit();
        tx.commit().await?;
        if queue.kind == Kind::Pipeline {
            passed.iter().for_each(|passed| self.observe.passed(&queue, passed));
        }
        Ok(())
    }
}

/// Rows over which each counter is spread.
const SLOTS: i64 = 8;
/// The span that one row of `throughput` counts, in milliseconds.
pub(crate) const BUCKET_MS: i64 = 10_000;

impl Unit {
    /// Counts items that are there from now on (1), or no more (-1).
    pub(crate) fn count(&mut self, stage: i64, standing: Standing, n: i64) {
        *self.moved.entry((stage, standing.code())).or_default() += n;
    }

    /// Counts an item that became done.
    pub(crate) fn count_done(&mut self) {
        self.done += 1;
    }

    /// Counts an item that goes from one stage to another.
    pub(crate) fn count_passed(&mut self, before: &Row, after: &Row) {
        if before.stage != after.stage {
            let stood = self.now.saturating_sub(before.since_ms).max(0);
            self.passed.push((before.stage, after.stage, after.standing, stood));
        }
    }

    /// By how much this transaction has changed the number of leased items.
    pub(crate) fn leased(&self) -> i64 {
        let leased = Standing::Leased.code();
        self.moved.iter().filter(|((_, state), _)| *state == leased).map(|(_, n)| n).sum()
    }

    /// Rows of a statement that reads `$1`, a JSON list, and `$2`, the queue.
    pub(crate) async fn read(&mut self, statement: SqlStr, list: String) -> Result<Vec<AnyRow>, Attempt> {
        let query = sqlx::query(statement).bind(list).bind(self.queue.id);
        Ok(query.fetch_all(&mut *self.tx).await?)
    }

    /// Carries out a statement over `$1`, a JSON list, and `$2`, the queue.
    pub(crate) async fn write(&mut self, statement: SqlStr, list: String) -> Result<(), Attempt> {
        sqlx::query(statement).bind(list).bind(self.queue.id).execute(&mut *self.tx).await?;
        Ok(())
    }
}
