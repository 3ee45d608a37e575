//! The search for rows of functions: rounds, and in each how far every namespace is.
//!
//! The cursor of a namespace is a row with a lease and a token: one replica is at it at a time, and what a page found enters
//! the queue in the transaction that moves the cursor.

use sqlx::{Row as _, any::AnyRow};

use super::{
    Error, Kind, Plan, Queue, State,
    error::Attempt,
    items::id_list,
    observe::call,
    queues::{self, queue_columns},
    rounds::Rounds,
    rules::next,
    unit::Unit,
};

/// A page to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The function.
    pub queue: Queue,
    /// The namespace.
    pub namespace: String,
    /// The page begins behind this; empty: at the first row.
    pub after: String,
    /// All rows are wanted, not only those that lack the function's mark.
    pub every: bool,
    /// The database's clock, in milliseconds since 1970.
    pub now_ms: i64,
    round: i64,
    token: i64,
}

/// What a page was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// There are more rows behind this id.
    More(String),
    /// It was the last one.
    Last,
    /// There is no such namespace.
    Missing,
    /// It could not be read; it may be tried again in this many milliseconds.
    Failed(u64),
}

/// How far the search for a function's rows is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Searched {
    /// Rounds that have been completed.
    pub completed: i64,
    /// When the last of them was, in milliseconds since 1970.
    pub completed_ms: Option<i64>,
    /// The namespaces that were there when they were looked at last, in the order of their bytes.
    pub namespaces: Vec<String>,
}

impl State {
    /// Functions for which a round runs, or is due, or is to be planned: at most `limit`, and no more than 1,000, from behind
    /// the name `after`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn searching(&self, after: &str, limit: u32) -> Result<Vec<Queue>, Error> {
        call!(self, "searching", self.searching_once(after, limit))
    }

    async fn searching_once(&self, after: &str, limit: u32) -> Result<Vec<Queue>, Attempt> {
        let statement = self.dialect.sql(concat!(
            "SELECT ",
            queue_columns!(),
            " FROM queue WHERE kind = 1 AND deleted_ms IS NULL AND paused = 0 AND name > $1 AND NOT EXISTS ",
            "(SELECT 1 FROM discovery d WHERE d.queue = queue.id AND d.planned_ms = queue.updated_ms ",
            "AND d.started_ms IS NULL AND (d.due_ms IS NULL OR d.due_ms > {now}) ",
            "AND (d.cron_ms IS NULL OR d.cron_ms > {now})) ORDER BY name LIMIT $2"
        ));
        let query = sqlx::query(statement).bind(after.to_owned()).bind(i64::from(limit.clamp(1, 1000)));
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| queues::read(row, Kind::Function)).collect()
    }

    /// Begins a round of a function if one is due. `plan` says of the queue, at a moment of the database's clock, what it
    /// wants. Answers whether a round began.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Unavailable`].
    pub async fn begin_round(
        &self,
        queue: &str,
        plan: &(dyn Fn(&Queue, i64) -> Plan + Send + Sync),
    ) -> Result<bool, Error> {
        call!(self, "begin_round", self.begin_round_once(queue, plan))
    }

    async fn begin_round_once(
        &self,
        queue: &str,
        plan: &(dyn Fn(&Queue, i64) -> Plan + Send + Sync),
    ) -> Result<bool, Attempt> {
        let mut unit = self.begin(Kind::Function, queue).await?;
        if unit.queue.paused {
            return Ok(false);
        }
        let new = "INSERT INTO discovery (queue, planned_ms, generation, round, every, completed) \
                   VALUES ($1, -1, $2, 0, 0, 0) ON CONFLICT (queue) DO NOTHING";
        sqlx::query(new).bind(unit.queue.id).bind(unit.queue.generation).execute(&mut *unit.tx).await?;
        let Some(mut rounds) = self.rounds(&mut unit).await? else { return Ok(false) };
        let plan = plan(&unit.queue, unit.now);
        let before = rounds.clone();
        rounds.follow(&unit.queue, &plan, unit.now);
        let ready = self.waiting(&mut unit, 0).await?;
        let began = rounds.begin(&plan, ready, unit.now);
        if rounds != before {
            write_rounds(&mut unit, &rounds).await?;
        }
        if began {
            self.begin_sweeps(&mut unit, &plan.namespaces, rounds.round).await?;
        }
        self.commit(unit).await?;
        Ok(began)
    }

    /// The rounds of a unit's queue, locked.
    async fn rounds(&self, unit: &mut Unit) -> Result<Option<Rounds>, Attempt> {
        let statement = self.dialect.sql(
            "SELECT planned_ms, generation, round, every, started_ms, due_ms, cron_ms, completed, completed_ms \
             FROM discovery i WHERE i.queue = $1 {lock}",
        );
        let found = sqlx::query(statement).bind(unit.queue.id).fetch_optional(&mut *unit.tx).await?;
        found.as_ref().map(read_rounds).transpose()
    }

    /// How many items wait in the first stage: those that are ready, and with `state_max` 1 those that are delayed too.
    async fn waiting(&self, unit: &mut Unit, state_max: i64) -> Result<i64, Attempt> {
        let statement = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally \
                         WHERE queue = $1 AND stage = 0 AND state <= $2";
        Ok(sqlx::query_scalar(statement).bind(unit.queue.id).bind(state_max).fetch_one(&mut *unit.tx).await?)
    }

    async fn begin_sweeps(&self, unit: &mut Unit, namespaces: &[String], round: i64) -> Result<(), Attempt> {
        let statement = self.dialect.sql(
            "INSERT INTO sweep (queue, namespace, round, after_id, finished, token, lease_ms, free_ms, failures) \
             SELECT $2, v.value->>0, $3, '', 0, 0, 0, 0, 0 FROM {rows} WHERE true \
             ON CONFLICT (queue, namespace) DO UPDATE SET round = excluded.round, after_id = '', finished = 0, \
             lease_ms = 0, free_ms = 0, failures = 0",
        );
        let list = id_list(namespaces.iter().map(String::as_str));
        let query = sqlx::query(statement).bind(list).bind(unit.queue.id).bind(round);
        query.execute(&mut *unit.tx).await?;
        let old = "DELETE FROM sweep WHERE queue = $1 AND round < $2";
        sqlx::query(old).bind(unit.queue.id).bind(round).execute(&mut *unit.tx).await?;
        Ok(())
    }

    /// Takes the next page of a function's round, if there is one that nobody is at: at most `scans_max` are being looked at
    /// at a time, for `lease_ms` at most, and none while `waiting_max` items or more wait in the queue.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Unavailable`].
    pub async fn take_scan(
        &self,
        queue: &str,
        scans_max: u32,
        waiting_max: i64,
        lease_ms: u64,
    ) -> Result<Option<Scan>, Error> {
        call!(self, "take_scan", self.take_scan_once(queue, scans_max, waiting_max, lease_ms))
    }

    async fn take_scan_once(
        &self,
        queue: &str,
        scans_max: u32,
        waiting_max: i64,
        lease_ms: u64,
    ) -> Result<Option<Scan>, Attempt> {
        let mut unit = self.begin(Kind::Function, queue).await?;
        let running = self.rounds(&mut unit).await?.filter(|rounds| rounds.started_ms.is_some());
        let Some(rounds) = running.filter(|_| !unit.queue.paused) else { return Ok(None) };
        if self.waiting(&mut unit, 1).await? >= waiting_max {
            return Ok(None);
        }
        let leased = "SELECT CAST(COUNT(*) AS BIGINT) FROM sweep WHERE queue = $1 AND finished = 0 AND lease_ms > $2";
        let query = sqlx::query_scalar(leased).bind(unit.queue.id).bind(unit.now);
        let leased: i64 = query.fetch_one(&mut *unit.tx).await?;
        if leased >= i64::from(scans_max) {
            return Ok(None);
        }
        // The one that was looked at longest ago: all namespaces move on together.
        let statement = "SELECT namespace, after_id, token FROM sweep WHERE queue = $1 AND finished = 0 \
                         AND lease_ms <= $2 AND free_ms <= $2 ORDER BY free_ms, namespace LIMIT 1";
        let query = sqlx::query(statement).bind(unit.queue.id).bind(unit.now);
        let Some(row) = query.fetch_optional(&mut *unit.tx).await? else { return Ok(None) };
        let (namespace, after, token): (String, String, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let token = next(token, unit.now);
        let until = unit.now.saturating_add(i64::try_from(lease_ms).unwrap_or(i64::MAX));
        let take = "UPDATE sweep SET token = $3, lease_ms = $4 WHERE queue = $1 AND namespace = $2";
        let query = sqlx::query(take).bind(unit.queue.id).bind(namespace.clone()).bind(token).bind(until);
        query.execute(&mut *unit.tx).await?;
        let (queue, now_ms) = (unit.queue.clone(), unit.now);
        self.commit(unit).await?;
        Ok(Some(Scan { queue, namespace, after, every: rounds.every, now_ms, round: rounds.round, token }))
    }

    /// Says what a page was, and puts the items that it had into the queue. Answers how many of them were new; none where
    /// somebody else is at the namespace by now, or the round is over, and nothing was done.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn scanned(&self, scan: &Scan, page: &Page, items: &[String]) -> Result<Option<usize>, Error> {
        call!(self, "scanned", self.scanned_once(scan, page, items))
    }

    async fn scanned_once(&self, scan: &Scan, page: &Page, items: &[String]) -> Result<Option<usize>, Attempt> {
        let mut unit = self.begin(Kind::Function, &scan.queue.name).await?;
        let running = self.rounds(&mut unit).await?.filter(|rounds| rounds.started_ms.is_some());
        let same = |rounds: &Rounds| rounds.round == scan.round && unit.queue.id == scan.queue.id;
        let Some(mut rounds) = running.filter(same) else { return Ok(None) };
        if !moved(&mut unit, scan, page).await? {
            return Ok(None);
        }
        let new = if items.is_empty() { 0 } else { self.enter(&mut unit, items).await? };
        if matches!(page, Page::Last | Page::Missing) {
            let left = "SELECT CAST(COUNT(*) AS BIGINT) FROM sweep WHERE queue = $1 AND finished = 0";
            let left: i64 = sqlx::query_scalar(left).bind(unit.queue.id).fetch_one(&mut *unit.tx).await?;
            if left == 0 {
                rounds.complete(unit.now);
                write_rounds(&mut unit, &rounds).await?;
            }
        }
        self.commit(unit).await?;
        Ok(Some(new))
    }

    /// Answers how far the search for a function's rows is.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Unavailable`].
    pub async fn searched(&self, queue: &str) -> Result<Searched, Error> {
        let queue = self.get(Kind::Function, queue).await?;
        call!(self, "searched", self.searched_once(queue.id))
    }

    async fn searched_once(&self, queue: i64) -> Result<Searched, Attempt> {
        let statement = "SELECT completed, completed_ms FROM discovery WHERE queue = $1";
        let Some(row) = sqlx::query(statement).bind(queue).fetch_optional(&self.pool).await? else {
            return Ok(Searched::default());
        };
        let there = "SELECT namespace FROM sweep WHERE queue = $1 AND missing = 0 ORDER BY namespace";
        let namespaces = sqlx::query_scalar(there).bind(queue).fetch_all(&self.pool).await?;
        Ok(Searched { completed: row.try_get(0)?, completed_ms: row.try_get(1)?, namespaces })
    }

    /// Makes a function's next round due now.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Unavailable`].
    pub async fn hasten(&self, queue: &str) -> Result<(), Error> {
        let queue = self.get(Kind::Function, queue).await?;
        call!(self, "hasten", async {
            let statement =
                self.dialect.sql("UPDATE discovery SET due_ms = {now} WHERE queue = $1 AND due_ms IS NOT NULL");
            sqlx::query(statement).bind(queue.id).execute(&self.pool).await?;
            Ok(())
        })
    }
}

/// Moves the cursor of a namespace, if the scan still has it.
async fn moved(unit: &mut Unit, scan: &Scan, page: &Page) -> Result<bool, Attempt> {
    let statement = "UPDATE sweep SET after_id = COALESCE($5, after_id), finished = $6, missing = COALESCE($7, missing), \
                     lease_ms = 0, free_ms = $8, failures = CASE WHEN $9 = 0 THEN 0 ELSE failures + 1 END \
                     WHERE queue = $1 AND namespace = $2 AND round = $3 AND token = $4 AND finished = 0";
    let later = |ms: u64| unit.now.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX));
    let (after, finished, missing, free, failed): (_, i64, _, _, i64) = match page {
        Page::More(after) => (Some(after.clone()), 0, Some(0_i64), unit.now, 0),
        Page::Last => (None, 1, Some(0), unit.now, 0),
        Page::Missing => (None, 1, Some(1), unit.now, 0),
        Page::Failed(ms) => (None, 0, None, later(*ms), 1),
    };
    let query = sqlx::query(statement).bind(unit.queue.id).bind(scan.namespace.clone()).bind(scan.round);
    let query = query.bind(scan.token).bind(after).bind(finished).bind(missing).bind(free).bind(failed);
    Ok(query.execute(&mut *unit.tx).await?.rows_affected() > 0)
}

fn read_rounds(row: &AnyRow) -> Result<Rounds, Attempt> {
    Ok(Rounds {
        planned_ms: row.try_get(0)?,
        generation: row.try_get(1)?,
        round: row.try_get(2)?,
        every: row.try_get::<i64, _>(3)? != 0,
        started_ms: row.try_get(4)?,
        due_ms: row.try_get(5)?,
        cron_ms: row.try_get(6)?,
        completed: row.try_get(7)?,
        completed_ms: row.try_get(8)?,
    })
}

async fn write_rounds(unit: &mut Unit, rounds: &Rounds) -> Result<(), Attempt> {
    let statement = "UPDATE discovery SET planned_ms = $2, generation = $3, round = $4, every = $5, started_ms = $6, \
                     due_ms = $7, cron_ms = $8, completed = $9, completed_ms = $10 WHERE queue = $1";
    let query = sqlx::query(statement).bind(unit.queue.id).bind(rounds.planned_ms).bind(rounds.generation);
    let query = query.bind(rounds.round).bind(i64::from(rounds.every)).bind(rounds.started_ms).bind(rounds.due_ms);
    let query = query.bind(rounds.cron_ms).bind(rounds.completed).bind(rounds.completed_ms);
    query.execute(&mut *unit.tx).await?;
    Ok(())
}
