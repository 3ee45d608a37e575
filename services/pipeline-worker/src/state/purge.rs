//! Taking away what nobody will ask for again.

use sqlx::Row as _;

use super::{
    Error, Kind, Queue, Reason, Standing, State,
    error::Attempt,
    items::{change, columns},
    observe::call,
    queues::{self, queue_columns},
    unit::Unit,
};

/// How long a deleted queue's own row stays at the least, in milliseconds: longer than any call that knew it. It stays
/// longer where bodies are kept longer: they are found by it.
const TOMBSTONE_MS: i64 = 86_400_000;
/// How long throughput is kept, in milliseconds.
const THROUGHPUT_MS: i64 = 3_600_000;

/// What a purge took away, and what it found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Leases and waits that were over.
    pub woken: usize,
    /// Items that were done, or dead, for long enough.
    pub expired: usize,
    /// Rows of deleted queues.
    pub deleted: u64,
}

impl Purged {
    /// Whether there may be more to do.
    pub fn more(self, batch: u32) -> bool {
        let batch = u64::from(batch);
        self.woken as u64 >= batch || self.expired as u64 >= batch || self.deleted >= batch
    }
}

impl State {
    /// Wakes what is due in a queue, and takes away what has ended for long enough: at most `batch` rows of each kind.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Unavailable`].
    pub async fn purge(&self, queue: &Queue, batch: u32) -> Result<Purged, Error> {
        let woken = call!(self, "wake", self.wake_once(queue, batch))?;
        let spec = &queue.spec;
        let mut expired = 0;
        let dead = Reason::ALL.map(Standing::Dead).map(|standing| (standing, spec.keep_failed_ms));
        for (standing, keep_ms) in [(Standing::Done, spec.keep_done_ms)].into_iter().chain(dead) {
            if keep_ms > 0 {
                expired += call!(self, "expire", self.expire_once(queue, standing, keep_ms, batch))?;
            }
        }
        Ok(Purged { woken, expired, deleted: 0 })
    }

    async fn wake_once(&self, queue: &Queue, batch: u32) -> Result<usize, Attempt> {
        let mut unit = self.begin(queue.kind, &queue.name).await?;
        let woken = self.wake(&mut unit, batch as usize).await?;
        self.commit(unit).await?;
        Ok(woken)
    }

    async fn expire_once(&self, queue: &Queue, standing: Standing, keep: u64, batch: u32) -> Result<usize, Attempt> {
        let mut unit = self.begin(queue.kind, &queue.name).await?;
        // What is still owed at the origin is not forgotten.
        let statement = self.dialect.sql(concat!(
            "SELECT ",
            columns!(),
            " FROM item i WHERE i.queue = $1 AND i.state >= 3 AND i.state = $2 AND i.since_ms <= $3 AND NOT EXISTS ",
            "(SELECT 1 FROM stale s WHERE s.queue = i.queue AND s.item = i.item) ORDER BY i.since_ms LIMIT $4 {skip}"
        ));
        let before = unit.now.saturating_sub(i64::try_from(keep).unwrap_or(i64::MAX));
        let query = sqlx::query(statement).bind(unit.queue.id).bind(standing.code()).bind(before);
        let rows = query.bind(i64::from(batch)).fetch_all(&mut *unit.tx).await?;
        let changes = rows.iter().map(change).collect::<Result<Vec<_>, Attempt>>()?;
        for change in &changes {
            unit.count(change.row.stage, change.row.standing, -1);
        }
        self.forget(&mut unit, self.dialect.list(changes.iter().map(|change| change.row.item.as_str()))).await?;
        self.commit(unit).await?;
        Ok(changes.len())
    }

    pub(crate) async fn forget(&self, unit: &mut Unit, list: String) -> Result<(), Attempt> {
        for statement in [
            "DELETE FROM output WHERE queue = {queue} AND item {ids}",
            "DELETE FROM failure WHERE queue = {queue} AND item {ids}",
            "DELETE FROM item WHERE queue = {queue} AND item {ids}",
        ] {
            unit.write(self.dialect.sql(statement), list.clone()).await?;
        }
        Ok(())
    }

    /// Takes away rows of deleted queues and old throughput, at most `batch` rows of each table; a queue itself when it
    /// has been deleted for a day.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn purge_deleted(&self, batch: u32) -> Result<Purged, Error> {
        let deleted = call!(self, "purge_deleted", self.purge_deleted_once(batch))?;
        Ok(Purged { deleted, ..Purged::default() })
    }

    async fn purge_deleted_once(&self, batch: u32) -> Result<u64, Attempt> {
        let old = self.dialect.sql("DELETE FROM throughput WHERE bucket < ({now} - $1) / $2");
        let query = sqlx::query(old).bind(THROUGHPUT_MS).bind(super::unit::BUCKET_MS);
        query.execute(&self.pool).await?;
        let mut gone = 0;
        let deleted = "SELECT id FROM queue WHERE deleted_ms IS NOT NULL ORDER BY deleted_ms LIMIT 10000";
        for queue in sqlx::query(deleted).fetch_all(&self.pool).await? {
            gone += self.empty(queue.try_get(0)?, batch).await?;
            if gone >= u64::from(batch) {
                break;
            }
        }
        Ok(gone)
    }

    async fn empty(&self, queue: i64, batch: u32) -> Result<u64, Attempt> {
        let mut gone = 0;
        for statement in [
            "DELETE FROM item WHERE queue = $1 AND item IN (SELECT item FROM item WHERE queue = $1 LIMIT $2)",
            "DELETE FROM output WHERE queue = $1 AND item IN (SELECT item FROM output WHERE queue = $1 LIMIT $2)",
            "DELETE FROM failure WHERE queue = $1 AND item IN (SELECT item FROM failure WHERE queue = $1 LIMIT $2)",
            "DELETE FROM stale WHERE queue = $1 AND item IN (SELECT item FROM stale WHERE queue = $1 LIMIT $2)",
            "DELETE FROM pack WHERE queue = $1 AND pack IN (SELECT pack FROM pack WHERE queue = $1 LIMIT $2)",
        ] {
            let query = sqlx::query(statement).bind(queue).bind(i64::from(batch));
            gone += query.execute(&self.pool).await?.rows_affected();
        }
        if gone > 0 {
            return Ok(gone);
        }
        for statement in [
            "DELETE FROM tally WHERE queue = $1",
            "DELETE FROM throughput WHERE queue = $1",
            "DELETE FROM sweep WHERE queue = $1",
            "DELETE FROM discovery WHERE queue = $1",
        ] {
            sqlx::query(statement).bind(queue).execute(&self.pool).await?;
        }
        let statement = self.dialect.sql("DELETE FROM queue WHERE id = $1 AND deleted_ms < {now} - $2");
        sqlx::query(statement)
            .bind(queue)
            .bind(TOMBSTONE_MS.max(self.body_grace_ms.saturating_mul(2)))
            .execute(&self.pool)
            .await?;
        Ok(0)
    }

    /// Queues that were deleted and are not gone yet: their bodies go too.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn deleted(&self, kind: Kind) -> Result<Vec<Queue>, Error> {
        call!(self, "deleted_queues", self.deleted_once(kind))
    }

    async fn deleted_once(&self, kind: Kind) -> Result<Vec<Queue>, Attempt> {
        let statement = concat!(
            "SELECT ",
            queue_columns!(),
            " FROM queue WHERE kind = $1 AND deleted_ms IS NOT NULL ORDER BY deleted_ms LIMIT 1000"
        );
        let rows = sqlx::query(statement).bind(kind.code()).fetch_all(&self.pool).await?;
        rows.iter().map(|row| queues::read(row, kind)).collect()
    }
}
