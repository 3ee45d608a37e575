//! Queues: made, listed, deleted.

use sqlx::{Row as _, any::AnyRow};

use super::{Error, Kind, Queue, Spec, State, connect::plain, error::Attempt, observe::call};

/// The columns of a queue, in the order of [`read`].
macro_rules! queue_columns {
    () => {
        "id, name, spec, created_ms, updated_ms, paused, generation"
    };
}
pub(crate) use queue_columns;

/// How many columns [`queue_columns`] are.
pub(crate) const QUEUE_COLUMNS: usize = 7;

/// A queue from its columns.
pub(crate) fn read(row: &AnyRow, kind: Kind) -> Result<Queue, Attempt> {
    let spec: String = row.try_get(2)?;
    let spec: Spec =
        serde_json::from_str(&spec).map_err(|error| Error::Broken(format!("a queue's specification: {error}")))?;
    Ok(Queue {
        id: row.try_get(0)?,
        kind,
        name: row.try_get(1)?,
        spec,
        created_ms: row.try_get(3)?,
        updated_ms: row.try_get(4)?,
        paused: row.try_get::<i64, _>(5)? != 0,
        generation: row.try_get(6)?,
    })
}

impl State {
    /// Makes a queue.
    ///
    /// # Errors
    /// [`Error::QueueExists`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn create(&self, kind: Kind, name: &str, spec: &Spec) -> Result<Queue, Error> {
        check_name(name)?;
        spec.validate()?;
        let text = serde_json::to_string(spec).map_err(|error| Error::Broken(error.to_string()))?;
        call!(self, "create_queue", self.create_once(kind, name, &text))
    }

    pub(crate) async fn create_once(&self, kind: Kind, name: &str, spec: &str) -> Result<Queue, Attempt> {
        let statement = self.dialect.sql(concat!(
            "INSERT INTO queue (kind, name, spec, created_ms, updated_ms) VALUES ($1, $2, $3, {now}, {now}) ",
            "ON CONFLICT DO NOTHING RETURNING ",
            queue_columns!()
        ));
        let query = sqlx::query(statement).bind(kind.code()).bind(name.to_owned()).bind(spec.to_owned());
        match query.fetch_optional(&self.pool).await? {
            Some(row) => read(&row, kind),
            None => Err(self.in_the_way(kind, name).await?),
        }
    }

    /// What kept a queue from being made: one of its name, or a function whose marks would be the same.
    async fn in_the_way(&self, kind: Kind, name: &str) -> Result<Attempt, Attempt> {
        let statement = "SELECT name FROM queue WHERE kind = $1 AND deleted_ms IS NULL \
                         AND replace(name, '-', '_') = replace($2, '-', '_') \
                         ORDER BY CASE WHEN name = $2 THEN 0 ELSE 1 END LIMIT 1";
        let found = sqlx::query(statement).bind(kind.code()).bind(name.to_owned()).fetch_optional(&self.pool).await?;
        Ok(match found {
            Some(row) => Error::QueueExists { kind, name: row.try_get(0)? }.into(),
            None => Attempt::Raced(format!("the {kind} `{name}` was deleted just now")),
        })
    }

    /// Answers a queue.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Unavailable`].
    pub async fn get(&self, kind: Kind, name: &str) -> Result<Queue, Error> {
        call!(self, "get_queue", self.get_once(kind, name))
    }

    async fn get_once(&self, kind: Kind, name: &str) -> Result<Queue, Attempt> {
        let statement =
            concat!("SELECT ", queue_columns!(), " FROM queue WHERE kind = $1 AND name = $2 AND deleted_ms IS NULL");
        let query = sqlx::query(statement).bind(kind.code()).bind(name.to_owned());
        let found = query.fetch_optional(&self.pool).await?;
        read(&found.ok_or_else(|| Error::QueueNotFound { kind, name: name.to_owned() })?, kind)
    }

    /// Lists queues in the order of their names' bytes, from behind `after`: at most `limit`, and no more than 1,000.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list(&self, kind: Kind, after: &str, limit: u32) -> Result<Vec<Queue>, Error> {
        let statement = concat!(
            "SELECT ",
            queue_columns!(),
            " FROM queue WHERE kind = $1 AND name > $2 AND deleted_ms IS NULL ORDER BY name LIMIT $3"
        );
        let limit = i64::from(limit.clamp(1, 1000));
        let query = sqlx::query(statement).bind(kind.code()).bind(after.to_owned()).bind(limit);
        let rows = query.fetch_all(&self.pool).await.map_err(plain)?;
        let queues: Result<Vec<_>, Attempt> = rows.iter().map(|row| read(row, kind)).collect();
        queues.map_err(|attempt| match attempt {
            Attempt::Failed(error) => error,
            Attempt::Raced(reason) => Error::Unavailable(reason),
        })
    }

    /// Deletes a queue. Its name is free at once; its items go with [`State::purge`].
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Unavailable`].
    pub async fn delete(&self, kind: Kind, name: &str) -> Result<(), Error> {
        call!(self, "delete_queue", self.delete_once(kind, name))
    }

    async fn delete_once(&self, kind: Kind, name: &str) -> Result<(), Attempt> {
        let statement = self
            .dialect
            .sql("UPDATE queue SET deleted_ms = {now} WHERE kind = $1 AND name = $2 AND deleted_ms IS NULL");
        let query = sqlx::query(statement).bind(kind.code()).bind(name.to_owned());
        match query.execute(&self.pool).await?.rows_affected() {
            0 => Err(Error::QueueNotFound { kind, name: name.to_owned() }.into()),
            _ => Ok(()),
        }
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if (1..=64).contains(&name.len()) && plain {
        return Ok(());
    }
    Err(Error::invalid("id", "must be 1 to 64 letters, digits, `-`, `_` and `.`"))
}
