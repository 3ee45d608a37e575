//! Items: read under a lock, and written back all at once.

use serde_json::{Value, json};
use sqlx::{Row as _, any::AnyRow};

use super::{
    Body, Error, Held, InPack, ItemView, Kind, Outcome, Refusal, Spec, Standing, State, Verdict,
    error::Attempt,
    observe::call,
    rules::Row,
    unit::{BATCH_MAX, Unit},
    written::{self, Items, Scalar},
};

/// The columns of an item, in the order of [`read`] and of [`values`], and where it lies.
macro_rules! columns {
    () => {
        "i.item, i.stage, i.state, i.source, i.priority, i.attempts, i.strikes, i.version, i.token, i.since_ms, \
         i.wake_ms, i.worker, i.body_minted, i.body_digest, i.chunks, i.body_pack, i.body_place, \
         {place}"
    };
}
pub(crate) use columns;
/// How many they are.
pub(crate) const COLUMNS: usize = 18;

/// An item that this transaction has locked, as it was read and as it is to be.
pub(crate) struct Change {
    /// Where it lies until it is written back.
    pub(crate) place: String,
    pub(crate) before: Row,
    pub(crate) row: Row,
}

impl Change {
    fn became_done(&self) -> bool {
        self.row.standing == Standing::Done && self.before.standing != Standing::Done
    }
}

/// An item from its columns.
pub(crate) fn read(row: &AnyRow) -> Result<Row, Attempt> {
    let minted: Option<i64> = row.try_get(12)?;
    let digest: Option<i64> = row.try_get(13)?;
    let chunks = u32::try_from(row.try_get::<i64, _>(14)?).unwrap_or_default();
    let pack = InPack::read(row.try_get(15)?, row.try_get(16)?);
    let body = minted.zip(digest).map(|(minted_ms, digest)| Body { minted_ms, digest, chunks, pack });
    Ok(Row {
        item: row.try_get(0)?,
        stage: row.try_get(1)?,
        standing: Standing::from_code(row.try_get(2)?)?,
        source: row.try_get(3)?,
        priority: row.try_get(4)?,
        attempts: row.try_get(5)?,
        strikes: row.try_get(6)?,
        version: row.try_get(7)?,
        token: row.try_get(8)?,
        since_ms: row.try_get(9)?,
        wake_ms: row.try_get(10)?,
        worker: row.try_get(11)?,
        body,
    })
}

/// An item's columns.
pub(crate) fn values(row: &Row) -> Value {
    let (body, pack) = (row.body, row.body.and_then(|body| body.pack));
    json!([
        row.item,
        row.stage,
        row.standing.code(),
        row.source,
        row.priority,
        row.attempts,
        row.strikes,
        row.version,
        row.token,
        row.since_ms,
        row.wake_ms,
        row.worker,
        body.map(|body| body.minted_ms),
        body.map(|body| body.digest),
        body.map_or(0, |body| body.chunks),
        pack.map(|pack| pack.id),
        pack.map(InPack::place)
    ])
}

/// A JSON list of lists of one: ids as `{rows}` takes them.
pub(crate) fn id_list<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    Value::Array(ids.map(|id| json!([id])).collect()).to_string()
}

/// Checks the ids of a call: 1 to [`BATCH_MAX`] of them.
pub(crate) fn check_ids<'a>(field: &'static str, ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), Error> {
    if !(1..=BATCH_MAX).contains(&ids.len()) {
        return Err(Error::invalid(field, format!("must be 1 to {BATCH_MAX} items")));
    }
    for id in ids {
        // The last character bounds the ranges of prefixes.
        let plain = !id.chars().any(|c| c.is_control() || c == char::MAX);
        if id.is_empty() || id.len() > 512 || !plain {
            return Err(Error::invalid(field, "must have ids of 1 to 512 bytes without control characters"));
        }
    }
    Ok(())
}

impl State {
    /// Answers where items stand, in the order of their ids' bytes. One that is not there has no entry.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn items(&self, kind: Kind, queue: &str, ids: &[String]) -> Result<Vec<ItemView>, Error> {
        check_ids("items", ids.iter().map(String::as_str))?;
        let queue = self.get(kind, queue).await?;
        call!(self, "items", self.items_once(&queue.spec, queue.id, ids))
    }

    async fn items_once(&self, spec: &Spec, queue: i64, ids: &[String]) -> Result<Vec<ItemView>, Attempt> {
        let statement = self.dialect.sql(concat!(
            "SELECT ",
            columns!(),
            ", {now} FROM item i WHERE i.queue = {queue} AND i.item {ids} ORDER BY i.item"
        ));
        let query = sqlx::query(statement).bind(self.dialect.list(ids.iter().map(String::as_str))).bind(queue);
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                let now = row.try_get(COLUMNS)?;
                let mut item = read(row)?;
                if item.due(now) {
                    item.wake(&spec.retry, now);
                }
                Ok(view(spec, item))
            })
            .collect()
    }

    /// Locks items, of which `list` is a [`Dialect::list`](super::dialect::Dialect::list), and reads them, in the order of their ids: calls that share items do
    /// not deadlock.
    pub(crate) async fn lock(&self, unit: &mut Unit, list: String) -> Result<Vec<Change>, Attempt> {
        let statement = self.dialect.sql(concat!(
            "SELECT ",
            columns!(),
            " FROM item i WHERE i.queue = {queue} AND i.item {ids} ORDER BY i.item {lock}"
        ));
        let rows = unit.read(statement, list).await?;
        rows.iter().map(change).collect()
    }

    /// Writes back what changed, and counts it.
    pub(crate) async fn write_back(&self, unit: &mut Unit, changes: &[Change]) -> Result<(), Attempt> {
        let changed: Vec<_> = changes.iter().filter(|change| change.before != change.row).collect();
        if changed.is_empty() {
            return Ok(());
        }
        for change in &changed {
            unit.count(change.before.stage, change.before.standing, -1);
            unit.count(change.row.stage, change.row.standing, 1);
            unit.count_passed(&change.before, &change.row);
            if change.became_done() {
                unit.count_done();
            }
        }
        let update = written::update(&changed);
        let statement = self.dialect.put(&update.statement);
        let list = match update.items {
            Items::Places(places) => self.dialect.list(places.into_iter()),
            Items::Rows(rows) => rows.to_string(),
        };
        let mut query = sqlx::query(statement).bind(list);
        for scalar in update.scalars {
            query = match scalar {
                Scalar::Number(number) => query.bind(number),
                Scalar::Text(text) => query.bind(text),
            };
        }
        let written = query.execute(&mut *unit.tx).await?.rows_affected();
        if written != changed.len() as u64 {
            return Err(Attempt::Raced(format!("{written} of {} items were where they were locked", changed.len())));
        }
        let done: Vec<_> = changed.iter().filter(|change| change.became_done()).map(|c| c.row.item.as_str()).collect();
        if done.is_empty() { Ok(()) } else { self.cleanups_begin(unit, self.dialect.list(done.into_iter())).await }
    }

    /// One call over items: locks them, asks `rule` for each, and writes what it changed.
    pub(crate) async fn change_items(
        &self,
        unit: &mut Unit,
        held: &[Held],
        mut rule: impl FnMut(&mut Row, usize, i64) -> Verdict,
    ) -> Result<(Vec<Outcome>, Vec<Change>), Attempt> {
        let mut changes = self.lock(unit, self.dialect.list(held.iter().map(|held| held.item.as_str()))).await?;
        let mut outcomes = Vec::with_capacity(held.len());
        for (place, held) in held.iter().enumerate() {
            let found = changes.binary_search_by(|change| change.row.item.as_str().cmp(&held.item)).ok();
            let found = found.and_then(|found| changes.get_mut(found));
            let verdict = match found {
                Some(change) => {
                    let verdict = rule(&mut change.row, place, unit.now);
                    (verdict, Some(unit.queue.spec.name(change.row.stage).to_owned()))
                }
                None => (Err(Refusal::NotFound), None),
            };
            outcomes.push(Outcome { item: held.item.clone(), verdict: verdict.0, stage: verdict.1 });
        }
        self.write_back(unit, &changes).await?;
        Ok((outcomes, changes))
    }
}

/// An item that was read, not changed yet.
pub(crate) fn change(row: &AnyRow) -> Result<Change, Attempt> {
    let place = row.try_get(COLUMNS - 1)?;
    let row = read(row)?;
    Ok(Change { place, before: row.clone(), row })
}

fn view(spec: &Spec, row: Row) -> ItemView {
    let small = |n: i64| u32::try_from(n).unwrap_or_default();
    ItemView {
        stage: spec.name(row.stage).to_owned(),
        standing: row.standing,
        priority: u8::try_from(row.priority).unwrap_or_default(),
        attempts: small(row.attempts),
        strikes: small(row.strikes),
        version: row.version,
        wake_ms: row.wake_ms,
        worker: row.worker,
        body: row.body,
        item: row.item,
    }
}
