//! What may be asked of items without changing them.

use sqlx::Row as _;

use super::{
    Body, Error, Guard, Held, InPack, Kind, Queue, Refusal, Standing, State, Verdict,
    error::Attempt,
    items::{COLUMNS, check_ids, columns, read},
    observe::call,
    queues::{self, queue_columns},
    rules::Found,
};

/// Whether a call about an item would count, and of what it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The item.
    pub item: String,
    /// Whether it would.
    pub verdict: Verdict,
    /// The name of the stage that it is in; none where there is no such item.
    pub stage: Option<String>,
    /// The version of what was staged; 0 where there is no such item.
    pub version: i64,
    /// The item is done, and was made so under the token that the call names: the call is a repetition.
    pub repeated: bool,
}

/// What a stage of an item put out, or what was staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The version of what was staged.
    pub version: i64,
    /// Where it is stored; none where the stage put nothing out.
    pub body: Option<Body>,
}

impl State {
    /// Answers whether a call about items would count now, in the order of the call. Nothing is locked: whoever acts on it
    /// must have what it does refused where it is late.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn check(&self, queue: &Queue, held: &[Held], guard: &Guard) -> Result<Vec<Allowed>, Error> {
        check_ids("items", held.iter().map(|held| held.item.as_str()))?;
        let stage = guard.stage.as_deref().map(|name| queue.spec.place("stage", name)).transpose()?;
        let guard = Found { worker: guard.worker.clone(), stage };
        call!(self, "check", self.check_once(queue, held, &guard))
    }

    async fn check_once(&self, queue: &Queue, held: &[Held], guard: &Found) -> Result<Vec<Allowed>, Attempt> {
        let statement = self.dialect.sql(concat!(
            "SELECT ",
            columns!(),
            ", {now} FROM item i WHERE i.queue = {queue} AND i.item {ids} ORDER BY i.item"
        ));
        let list = self.dialect.list(held.iter().map(|held| held.item.as_str()));
        let rows = sqlx::query(statement).bind(list).bind(queue.id).fetch_all(&self.pool).await?;
        let rows = rows.iter().map(|row| Ok((read(row)?, row.try_get(COLUMNS)?)));
        let rows = rows.collect::<Result<Vec<(_, i64)>, Attempt>>()?;
        let allowed = |held: &Held| match rows.binary_search_by(|(row, _)| row.item.cmp(&held.item)) {
            Err(_) => Allowed {
                item: held.item.clone(),
                verdict: Err(Refusal::NotFound),
                stage: None,
                version: 0,
                repeated: false,
            },
            Ok(place) => {
                let (row, now) = &rows[place];
                Allowed {
                    item: held.item.clone(),
                    verdict: row.guarded(held, guard, *now),
                    stage: Some(queue.spec.name(row.stage).to_owned()),
                    version: row.version,
                    repeated: row.standing == Standing::Done && held.token == Some(row.token),
                }
            }
        };
        Ok(held.iter().map(allowed).collect())
    }

    /// Where what a stage of an item put out is stored, or, without a stage, what was staged. `None` where there is no such
    /// item.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn body(&self, queue: &Queue, item: &str, stage: Option<&str>) -> Result<Option<Stored>, Error> {
        check_ids("item", std::iter::once(item))?;
        let stage = stage.map(|name| queue.spec.place("stage", name)).transpose()?;
        call!(self, "body", self.body_once(queue.id, item, stage))
    }

    async fn body_once(&self, queue: i64, item: &str, stage: Option<i64>) -> Result<Option<Stored>, Attempt> {
        // One statement: the version and the body are of one moment.
        let query = match stage {
            None => {
                let staged = "SELECT version, body_minted, body_digest, chunks, body_pack, body_place FROM item WHERE queue = $1 AND item = $2";
                sqlx::query(staged).bind(queue).bind(item.to_owned())
            }
            Some(stage) => {
                let output = "SELECT i.version, o.body_minted, o.body_digest, o.chunks, o.body_pack, o.body_place \
                              FROM item i LEFT JOIN output o ON o.queue = i.queue AND o.item = i.item AND o.stage = $3 WHERE i.queue = $1 AND i.item = $2";
                sqlx::query(output).bind(queue).bind(item.to_owned()).bind(stage)
            }
        };
        let Some(row) = query.fetch_optional(&self.pool).await? else { return Ok(None) };
        let minted: Option<i64> = row.try_get(1)?;
        let body = match minted {
            None => None,
            Some(minted_ms) => {
                let chunks = u32::try_from(row.try_get::<Option<i64>, _>(3)?.unwrap_or_default()).unwrap_or_default();
                let pack = InPack::read(row.try_get(4)?, row.try_get(5)?);
                Some(Body { minted_ms, digest: row.try_get(2)?, chunks, pack })
            }
        };
        Ok(Some(Stored { version: row.try_get(0)?, body }))
    }

    /// Answers queues by their ids, deleted ones too. One that is gone has no entry.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn by_id(&self, kind: Kind, ids: &[i64]) -> Result<Vec<Queue>, Error> {
        call!(self, "queues_by_id", self.by_id_once(kind, ids))
    }

    async fn by_id_once(&self, kind: Kind, ids: &[i64]) -> Result<Vec<Queue>, Attempt> {
        let statement = self.dialect.sql(concat!(
            "SELECT ",
            queue_columns!(),
            " FROM queue WHERE kind = $2 AND id IN (SELECT CAST(v.value->>0 AS BIGINT) FROM {rows})"
        ));
        let list = serde_json::Value::Array(ids.iter().map(|id| serde_json::json!([id])).collect());
        let query = sqlx::query(statement).bind(list.to_string()).bind(kind.code());
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| queues::read(row, kind)).collect()
    }
}
