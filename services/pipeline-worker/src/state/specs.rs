//! Queues that are changed, and queues that stand still.

use sqlx::{Any, Row as _, Transaction};

use super::{
    Error, Kind, Queue, Spec, State,
    error::Attempt,
    observe::call,
    queues::{QUEUE_COLUMNS, check_name, queue_columns, read},
    rules::next,
};

/// Whether claims that were made under one specification count under another.
pub type Outdates = fn(&Spec, &Spec) -> bool;

impl State {
    /// Makes a queue, or changes the one that is there. Where `outdates` says so of the old specification and the new
    /// one, nothing that is claimed counts any more: its items are claimed anew. One that is the same changes nothing.
    ///
    /// # Errors
    /// [`Error::QueueExists`] where a function's marks would be those of another, [`Error::Invalid`],
    /// [`Error::Unavailable`].
    pub async fn upsert(&self, kind: Kind, name: &str, spec: &Spec, outdates: Outdates) -> Result<Queue, Error> {
        check_name(name)?;
        spec.validate()?;
        call!(self, "upsert_queue", self.upsert_once(kind, name, spec, outdates))
    }

    async fn upsert_once(&self, kind: Kind, name: &str, spec: &Spec, outdates: Outdates) -> Result<Queue, Attempt> {
        let text = serde_json::to_string(spec).map_err(|error| Error::Broken(error.to_string()))?;
        let mut tx = self.transaction(self.dialect.begin()).await?;
        let Some((old, now)) = self.locked(&mut tx, kind, name).await? else {
            tx.rollback().await?;
            return match self.create_once(kind, name, &text).await {
                Err(Attempt::Failed(Error::QueueExists { name: other, .. })) if other == name => {
                    Err(Attempt::Raced(format!("the {kind} `{name}` was made just now")))
                }
                made => made,
            };
        };
        if old.spec == *spec {
            return Ok(old);
        }
        if old.spec.stages != spec.stages {
            return Err(Error::invalid("stages", "cannot be changed").into());
        }
        let generation = if outdates(&old.spec, spec) { newest(&mut tx, &old, now).await? } else { old.generation };
        let statement = concat!(
            "UPDATE queue SET spec = $2, updated_ms = $3, generation = $4 WHERE id = $1 RETURNING ",
            queue_columns!()
        );
        let query = sqlx::query(statement).bind(old.id).bind(text).bind(next(old.updated_ms, now)).bind(generation);
        let row = query.fetch_one(&mut *tx).await?;
        tx.commit().await?;
        read(&row, kind)
    }

    /// A queue, locked, and the clock.
    async fn locked(
        &self,
        tx: &mut Transaction<'static, Any>,
        kind: Kind,
        name: &str,
    ) -> Result<Option<(Queue, i64)>, Attempt> {
        let statement = self.dialect.sql(concat!(
            "SELECT ",
            queue_columns!(),
            ", {now} FROM queue i WHERE kind = $1 AND name = $2 AND deleted_ms IS NULL {lock}"
        ));
        let found = sqlx::query(statement).bind(kind.code()).bind(name.to_owned()).fetch_optional(&mut **tx).await?;
        found.map(|row| Ok((read(&row, kind)?, row.try_get(QUEUE_COLUMNS)?))).transpose()
    }

    /// Stops claims from a queue, or lets them go on. Leases run on.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Unavailable`].
    pub async fn set_paused(&self, kind: Kind, name: &str, paused: bool) -> Result<Queue, Error> {
        call!(self, "pause_queue", self.set_paused_once(kind, name, paused))
    }

    async fn set_paused_once(&self, kind: Kind, name: &str, paused: bool) -> Result<Queue, Attempt> {
        let mut tx = self.transaction(self.dialect.begin()).await?;
        let found = self.locked(&mut tx, kind, name).await?;
        let (old, now) = found.ok_or_else(|| Error::QueueNotFound { kind, name: name.to_owned() })?;
        if old.paused == paused {
            return Ok(old);
        }
        let statement =
            concat!("UPDATE queue SET paused = $2, updated_ms = $3 WHERE id = $1 RETURNING ", queue_columns!());
        let query = sqlx::query(statement).bind(old.id).bind(i64::from(paused)).bind(next(old.updated_ms, now));
        let row = query.fetch_one(&mut *tx).await?;
        tx.commit().await?;
        read(&row, kind)
    }
}

/// The newest token that a claim of `queue` may have: the clock, or more where it was set back.
async fn newest(tx: &mut Transaction<'static, Any>, queue: &Queue, now: i64) -> Result<i64, Attempt> {
    let statement = "SELECT CAST(COALESCE(MAX(token), 0) AS BIGINT) FROM item \
                     WHERE queue = $1 AND wake_ms IS NOT NULL AND state = 2";
    let token: i64 = sqlx::query_scalar(statement).bind(queue.id).fetch_one(&mut **tx).await?;
    Ok(token.max(next(queue.generation, now)))
}
