//! Rows of older versions that are to be deleted at the origin.
//!
//! Deleting once is not enough: a write of an older version that was allowed before the item was staged again may arrive
//! after the deletion, and meets no row that could refuse it. So it is done when the new version is complete, and once
//! more when nothing can arrive any more.

use serde_json::{Value, json};
use sqlx::Row as _;

use super::{Error, State, error::Attempt, observe::call, unit::Unit};
use crate::points;

/// Rows to delete: those of the item that are of an older version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleanup {
    /// The queue's id.
    pub queue: i64,
    /// The item.
    pub item: String,
    /// Rows of an older version than this go.
    pub version: i64,
}

impl State {
    /// Answers cleanups that are due, of all queues, at most `limit`; whoever asks within `lease_ms` gets others.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn cleanups(&self, limit: u32, lease_ms: u64) -> Result<Vec<Cleanup>, Error> {
        call!(self, "cleanups", self.cleanups_once(limit, lease_ms))
    }

    async fn cleanups_once(&self, limit: u32, lease_ms: u64) -> Result<Vec<Cleanup>, Attempt> {
        let mut tx = self.transaction(self.dialect.begin()).await?;
        let statement = self.dialect.sql(
            "SELECT i.queue, i.item, i.version FROM stale i WHERE i.due_ms IS NOT NULL AND i.due_ms <= {now} \
             ORDER BY i.due_ms LIMIT $1 {skip}",
        );
        let rows = sqlx::query(statement).bind(i64::from(limit)).fetch_all(&mut *tx).await?;
        let cleanups = rows
            .iter()
            .map(|row| Ok(Cleanup { queue: row.try_get(0)?, item: row.try_get(1)?, version: row.try_get(2)? }))
            .collect::<Result<Vec<_>, sqlx::Error>>()?;
        let statement = self.dialect.sql(
            "UPDATE stale SET due_ms = {now} + $2 FROM {rows} \
             WHERE stale.queue = CAST(v.value->>0 AS BIGINT) AND stale.item = v.value->>1",
        );
        let list = Value::Array(cleanups.iter().map(|c| json!([c.queue, c.item])).collect()).to_string();
        let lease_ms = i64::try_from(lease_ms).unwrap_or(i64::MAX);
        sqlx::query(statement).bind(list).bind(lease_ms).execute(&mut *tx).await?;
        points::commit();
        tx.commit().await?;
        Ok(cleanups)
    }

    /// Says that cleanups were carried out. Where a late write could still arrive they come once more.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn cleaned(&self, cleanups: &[Cleanup]) -> Result<(), Error> {
        call!(self, "cleaned", self.cleaned_once(cleanups))
    }

    async fn cleaned_once(&self, cleanups: &[Cleanup]) -> Result<(), Attempt> {
        let list = Value::Array(cleanups.iter().map(|c| json!([c.queue, c.item, c.version])).collect()).to_string();
        let mut tx = self.transaction(self.dialect.begin()).await?;
        let statement = self.dialect.sql(
            "DELETE FROM stale WHERE last_ms < {now} AND due_ms IS NOT NULL AND (queue, item, version) IN \
             (SELECT CAST(v.value->>0 AS BIGINT), v.value->>1, CAST(v.value->>2 AS BIGINT) FROM {rows})",
        );
        sqlx::query(statement).bind(list.clone()).execute(&mut *tx).await?;
        let statement = self.dialect.sql(
            "UPDATE stale SET due_ms = last_ms + 1 FROM {rows} WHERE stale.queue = CAST(v.value->>0 AS BIGINT) \
             AND stale.item = v.value->>1 AND stale.version = CAST(v.value->>2 AS BIGINT) AND due_ms IS NOT NULL",
        );
        sqlx::query(statement).bind(list).execute(&mut *tx).await?;
        points::commit();
        tx.commit().await?;
        Ok(())
    }

    /// Items, of which `list` is a [`Dialect::list`](super::dialect::Dialect::list), became done: what is owed for them may be carried out from now on.
    pub(crate) async fn cleanups_begin(&self, unit: &mut Unit, list: String) -> Result<(), Attempt> {
        let statement = self.dialect.sql(
            "UPDATE stale SET due_ms = {now} WHERE queue = {queue} AND due_ms IS NULL \
             AND item {ids}",
        );
        unit.write(statement, list).await
    }
}
