//! Staging: an item enters its queue, or begins anew.

use serde_json::{Value, json};
use sqlx::Row as _;

use super::{
    Body, Error, Kind, State,
    error::Attempt,
    items::{check_ids, values},
    observe::call,
    rules::Row,
    unit::Unit,
};

/// The highest priority.
const PRIORITY_MAX: u8 = 9;

/// An item to stage.
#[derive(Debug, Clone)]
pub struct Staging {
    /// Its id.
    pub item: String,
    /// What was stored of it, before this call.
    pub body: Option<Body>,
    /// Larger is claimed first: 0 to 9.
    pub priority: u8,
    /// The version must be this or larger: above what the origin is known to hold. 0 where nothing is known.
    pub version_floor: i64,
}

/// An item that was staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Its id.
    pub item: String,
    /// The version that it has now.
    pub version: i64,
    /// It was there before.
    pub restaged: bool,
    /// The call repeated what was there, and nothing was changed; the body that it brought is nobody's.
    pub unchanged: bool,
}

impl State {
    /// Stages items: new ones enter the first stage, others begin anew there, with a new version; who has claimed them is
    /// refused from then on. Answers in the order of the call.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::BodyExpired`], [`Error::Unavailable`].
    pub async fn stage(&self, kind: Kind, queue: &str, items: &[Staging]) -> Result<Vec<Staged>, Error> {
        check_ids("items", items.iter().map(|item| item.item.as_str()))?;
        if items.iter().any(|item| item.priority > PRIORITY_MAX) {
            return Err(Error::invalid("priority", "must be 0 to 9"));
        }
        let mut order: Vec<_> = items.iter().collect();
        order.sort_by(|a, b| a.item.cmp(&b.item));
        if order.windows(2).any(|pair| pair[0].item == pair[1].item) {
            return Err(Error::invalid("items", "must name each item once"));
        }
        let staged = call!(self, "stage", self.stage_once(kind, queue, &order))?;
        let of = |item: &Staging| staged.binary_search_by(|staged| staged.item.cmp(&item.item)).ok();
        Ok(items.iter().filter_map(of).map(|place| staged[place].clone()).collect())
    }

    /// `items` in the order of their ids.
    async fn stage_once(&self, kind: Kind, queue: &str, items: &[&Staging]) -> Result<Vec<Staged>, Attempt> {
        let mut unit = self.begin(kind, queue).await?;
        let now = unit.now;
        let rows: Vec<_> = items.iter().map(|item| entering(item, now)).collect();
        let mut staged: Vec<_> = rows.iter().map(first).collect();
        let inserted = self.insert(&mut unit, &rows).await?;
        let (new, old): (Vec<_>, Vec<_>) = rows.iter().partition(|row| inserted.binary_search(&row.item).is_ok());
        self.check_age(&unit, new.iter().filter_map(|row| row.body))?;
        if !old.is_empty() {
            let list = self.dialect.list(old.iter().map(|row| row.item.as_str()));
            self.restage(&mut unit, items, list, &mut staged).await?;
        }
        if unit.queue.spec.keep_done_ms > 0 {
            // Items that were done are forgotten after a while: what comes for the first time may have rows.
            let owed = owed(new.into_iter(), unit.now.saturating_add(self.late_write_ms));
            self.cleanups_owed(&mut unit, owed).await?;
        }
        self.note_packs(&mut unit, items.iter().filter_map(|item| Some((item.item.as_str(), item.body?)))).await?;
        self.commit(unit).await?;
        Ok(staged)
    }

    async fn restage(
        &self,
        unit: &mut Unit,
        items: &[&Staging],
        old: String,
        staged: &mut [Staged],
    ) -> Result<(), Attempt> {
        let mut changes = self.lock(unit, old).await?;
        for change in &mut changes {
            let Ok(place) = items.binary_search_by(|item| item.item.cmp(&change.row.item)) else { continue };
            let (item, row) = (items[place], &mut change.row);
            // What the row names already is not swept.
            self.check_age(unit, item.body.filter(|body| row.body != Some(*body)).into_iter())?;
            let unchanged = row.same(item.body, i64::from(item.priority)) && row.version >= item.version_floor;
            if !unchanged {
                row.restage(item.body, i64::from(item.priority), item.version_floor, unit.now);
            }
            staged[place] = Staged { item: row.item.clone(), version: row.version, restaged: true, unchanged };
        }
        changes.retain(|change| change.before != change.row);
        self.write_back(unit, &changes).await?;
        let list = self.dialect.list(changes.iter().map(|change| change.row.item.as_str()));
        if !changes.is_empty() {
            let outputs = "DELETE FROM output WHERE queue = {queue} AND item {ids}";
            unit.write(self.dialect.sql(outputs), list.clone()).await?;
            let failures = "DELETE FROM failure WHERE queue = {queue} AND item {ids}";
            unit.write(self.dialect.sql(failures), list).await?;
        }
        let owed = owed(changes.iter().map(|change| &change.row), unit.now.saturating_add(self.late_write_ms));
        self.cleanups_owed(unit, owed).await
    }

    /// Inserts those of `rows` that are not there, and answers their ids in order.
    pub(crate) async fn insert(&self, unit: &mut Unit, rows: &[Row]) -> Result<Vec<String>, Attempt> {
        let mut rows: Vec<_> = rows.iter().collect();
        rows.sort_by(|a, b| a.item.cmp(&b.item));
        let list = Value::Array(rows.iter().map(|row| values(row)).collect());
        // In the order of ids: two calls that insert the same items wait for each other in one direction only.
        let statement = self.dialect.sql(
            "INSERT INTO item (queue, item, stage, state, source, priority, attempts, strikes, version, token, since_ms, \
             body_minted, body_digest, chunks, body_pack, body_place) \
             SELECT $2, v.value->>0, CAST(v.value->>1 AS BIGINT), CAST(v.value->>2 AS BIGINT), \
             CAST(v.value->>3 AS BIGINT), CAST(v.value->>4 AS BIGINT), CAST(v.value->>5 AS BIGINT), \
             CAST(v.value->>6 AS BIGINT), CAST(v.value->>7 AS BIGINT), CAST(v.value->>8 AS BIGINT), \
             CAST(v.value->>9 AS BIGINT), CAST(v.value->>12 AS BIGINT), CAST(v.value->>13 AS BIGINT), \
             CAST(v.value->>14 AS BIGINT), CAST(v.value->>15 AS BIGINT), CAST(v.value->>16 AS BIGINT) \
             FROM {rows} WHERE true ON CONFLICT (queue, item) DO NOTHING RETURNING item",
        );
        let inserted = unit.read(statement, list.to_string()).await?;
        let mut ids = inserted.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        ids.sort();
        for row in rows.iter().filter(|row| ids.binary_search(&row.item).is_ok()) {
            unit.count(row.stage, row.standing, 1);
        }
        Ok(ids)
    }

    /// Notes that rows of older versions are to be deleted at the origin once these versions are done.
    async fn cleanups_owed(&self, unit: &mut Unit, list: Vec<Value>) -> Result<(), Attempt> {
        if list.is_empty() {
            return Ok(());
        }
        let statement = self.dialect.sql(
            "INSERT INTO stale (queue, item, version, last_ms) \
             SELECT $2, v.value->>0, CAST(v.value->>1 AS BIGINT), CAST(v.value->>2 AS BIGINT) FROM {rows} WHERE true \
             ON CONFLICT (queue, item) DO UPDATE SET version = excluded.version, last_ms = excluded.last_ms, \
             due_ms = NULL",
        );
        unit.write(statement, Value::Array(list).to_string()).await
    }
}

fn first(row: &Row) -> Staged {
    Staged { item: row.item.clone(), version: row.version, restaged: false, unchanged: false }
}

/// The row of an item that comes for the first time.
fn entering(item: &Staging, now: i64) -> Row {
    Row::new(item.item.clone(), now.max(item.version_floor), i64::from(item.priority), item.body, now)
}

/// What is owed for items: their versions, and until when late writes may arrive.
fn owed<'a>(rows: impl Iterator<Item = &'a Row>, last_ms: i64) -> Vec<Value> {
    rows.map(|row| json!([row.item, row.version, last_ms])).collect()
}
