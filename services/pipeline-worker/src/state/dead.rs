//! Dead letters: listed, and put back.

use sqlx::Row as _;

use super::{
    Error, Kind, Queue, Reason, Standing, State,
    error::Attempt,
    items::{change, check_ids, columns},
    model::FAILED,
    observe::call,
};

/// An item that failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id.
    pub item: String,
    /// Why.
    pub reason: Reason,
    /// What was said last.
    pub message: String,
    /// The stage that it had been claimed from, to which requeueing returns it.
    pub stage: String,
    /// Claims in that stage.
    pub attempts: u32,
    /// When it failed, in milliseconds since 1970.
    pub failed_ms: i64,
}

impl State {
    /// Lists dead letters in the order of their ids' bytes, from behind `after`: at most `limit`, and no more than 1,000.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Unavailable`].
    pub async fn dead_letters(
        &self,
        kind: Kind,
        queue: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, Error> {
        let queue = self.get(kind, queue).await?;
        call!(self, "dead_letters", self.dead_letters_once(&queue, after, limit))
    }

    async fn dead_letters_once(&self, queue: &Queue, after: &str, limit: u32) -> Result<Vec<DeadLetter>, Attempt> {
        let statement = "SELECT i.item, i.state, i.source, i.attempts, i.since_ms, COALESCE(f.message, '') FROM item i \
                         LEFT JOIN failure f ON f.queue = i.queue AND f.item = i.item \
                         WHERE i.queue = $1 AND i.stage = -1 AND i.item > $2 ORDER BY i.item LIMIT $3";
        let limit = i64::from(limit.clamp(1, 1000));
        let query = sqlx::query(statement).bind(queue.id).bind(after.to_owned()).bind(limit);
        let rows = query.fetch_all(&self.pool).await?;
        let letter = |row: &sqlx::any::AnyRow| -> Result<DeadLetter, Attempt> {
            let Standing::Dead(reason) = Standing::from_code(row.try_get(1)?)? else {
                return Err(Error::Broken("an item in `failed` is not dead".to_owned()).into());
            };
            Ok(DeadLetter {
                item: row.try_get(0)?,
                reason,
                message: row.try_get(5)?,
                stage: queue.spec.name(row.try_get(2)?).to_owned(),
                attempts: u32::try_from(row.try_get::<i64, _>(3)?).unwrap_or_default(),
                failed_ms: row.try_get(4)?,
            })
        };
        rows.iter().map(letter).collect()
    }

    /// Puts dead letters back to where they had been claimed from, with new attempts: those of `ids`, or the first `limit`
    /// where there are none. Answers how many it were.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn requeue(&self, kind: Kind, queue: &str, ids: &[String], limit: u32) -> Result<usize, Error> {
        if !ids.is_empty() {
            check_ids("items", ids.iter().map(String::as_str))?;
        }
        call!(self, "requeue", self.requeue_once(kind, queue, ids, limit))
    }

    async fn requeue_once(&self, kind: Kind, queue: &str, ids: &[String], limit: u32) -> Result<usize, Attempt> {
        let mut unit = self.begin(kind, queue).await?;
        let mut changes = if ids.is_empty() {
            let statement = self.dialect.sql(concat!(
                "SELECT ",
                columns!(),
                " FROM item i WHERE i.queue = $1 AND i.stage = -1 ORDER BY i.item LIMIT $2 {skip}"
            ));
            let query = sqlx::query(statement).bind(unit.queue.id).bind(i64::from(limit.clamp(1, 10_000)));
            let rows = query.fetch_all(&mut *unit.tx).await?;
            rows.iter().map(change).collect::<Result<Vec<_>, Attempt>>()?
        } else {
            self.lock(&mut unit, self.dialect.list(ids.iter().map(String::as_str))).await?
        };
        changes.retain(|change| change.row.stage == FAILED);
        for change in &mut changes {
            change.row.requeue(unit.now);
        }
        self.write_back(&mut unit, &changes).await?;
        self.commit(unit).await?;
        Ok(changes.len())
    }
}
