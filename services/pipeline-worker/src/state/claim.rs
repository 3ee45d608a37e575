//! Claiming: the one call that must be fast however many items wait.

use sqlx::Row as _;

use super::{
    Claimed, Error, Kind, State,
    error::Attempt,
    items::{Change, change, columns},
    model::FAILED,
    observe::call,
    rules::together,
    unit::{BATCH_MAX, Unit},
};

/// Items that a claim wakes at the least, if they are due: what comes back in a crowd must not wait for the sweeper.
const WAKE_MIN: usize = 100;
/// Items that a claim wakes at the most: more would show in how long it takes.
const WAKE_MAX: usize = 1000;
/// Items whose ids begin with a claim's prefix, up to which all of them are read; of more, the ready ones in their order until
/// enough begin so.
const FEW: i64 = 2000;
/// A lease's length, in milliseconds. The service asks for a second at the least.
const LEASE_MS: std::ops::RangeInclusive<u64> = 1..=86_400_000;

/// Items to claim.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The stage to take from.
    pub stage: String,
    /// The stage that they are in while they are worked on: `stage`, or one behind it, not the last.
    pub claim_stage: String,
    /// Items at the most.
    pub limit: usize,
    /// Who claims.
    pub worker: String,
    /// How long the lease lasts without a heartbeat, in milliseconds.
    pub lease_ms: u64,
    /// Only items whose ids begin with this.
    pub prefix: String,
}

impl State {
    /// Takes items that are ready in a stage, under a lease. Before that it wakes what is due in the queue.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn claim(&self, kind: Kind, queue: &str, claim: &Claim) -> Result<Vec<Claimed>, Error> {
        check(claim)?;
        call!(self, "claim", self.claim_once(kind, queue, claim))
    }

    async fn claim_once(&self, kind: Kind, queue: &str, claim: &Claim) -> Result<Vec<Claimed>, Attempt> {
        let mut unit = self.begin_unflushed(kind, queue).await?;
        let (source, target) = stages(&unit, claim)?;
        if unit.queue.paused {
            return Ok(Vec::new());
        }
        if unit.due {
            self.wake(&mut unit, claim.limit.clamp(WAKE_MIN, WAKE_MAX)).await?;
        }
        let room = self.room(&mut unit, claim.limit).await?;
        let mut changes =
            if room == 0 { Vec::new() } else { self.ready(&mut unit, source, room, &claim.prefix).await? };
        changes.truncate(harmless(&changes, claim.limit));
        let lease_ms = check_lease(claim.lease_ms)?;
        for change in &mut changes {
            change.row.renew(unit.queue.generation);
            change.row.claim(target, &claim.worker, lease_ms, unit.now);
        }
        self.write_back(&mut unit, &changes).await?;
        self.commit(unit).await?;
        Ok(changes.into_iter().map(claimed).collect())
    }

    /// Moves what is due: leases and waits that are over, `max` of them at the most. Answers how many there were.
    pub(crate) async fn wake(&self, unit: &mut Unit, max: usize) -> Result<usize, Attempt> {
        let statement = self.dialect.sql(concat!(
            "SELECT ",
            columns!(),
            " FROM item i WHERE i.queue = {queue} AND i.wake_ms IS NOT NULL AND i.wake_ms <= $1 ",
            "ORDER BY i.wake_ms LIMIT $3 {skip}"
        ));
        let query =
            sqlx::query(statement).bind(unit.now).bind(unit.queue.id).bind(i64::try_from(max).unwrap_or(i64::MAX));
        let rows = query.fetch_all(&mut *unit.tx).await?;
        let mut changes = rows.iter().map(change).collect::<Result<Vec<_>, Attempt>>()?;
        for change in &mut changes {
            change.row.wake(&unit.queue.spec.retry, unit.now);
        }
        self.write_back(unit, &changes).await?;
        let dead = changes.iter().filter(|change| change.row.stage == FAILED);
        let failures: Vec<_> = dead.map(|change| (&change.row, LEASES_RAN_OUT)).collect();
        self.record_failures(unit, &failures).await?;
        Ok(changes.len())
    }

    /// How many items may be claimed. A queue with a limit is claimed from by one transaction at a time.
    async fn room(&self, unit: &mut Unit, limit: usize) -> Result<usize, Attempt> {
        let max = i64::from(unit.queue.spec.leased_max);
        if max == 0 {
            return Ok(limit);
        }
        let lock = self.dialect.sql("SELECT i.id FROM queue i WHERE i.id = $1 {lock}");
        sqlx::query(lock).bind(unit.queue.id).fetch_all(&mut *unit.tx).await?;
        let count = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally WHERE queue = $1 AND state = 2";
        let leased: i64 = sqlx::query(count).bind(unit.queue.id).fetch_one(&mut *unit.tx).await?.try_get(0)?;
        let room = max - leased - unit.leased();
        Ok(usize::try_from(room).unwrap_or(0).min(limit))
    }

    /// The first ready items of a stage, locked; what others have locked is left out.
    async fn ready(&self, unit: &mut Unit, stage: i64, limit: usize, prefix: &str) -> Result<Vec<Change>, Attempt> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if !prefix.is_empty() {
            return self.ready_by_prefix(unit, stage, limit, prefix).await;
        }
        let statement = self.dialect.sql(concat!(
            "SELECT ",
            columns!(),
            " FROM item i WHERE i.queue = {queue} AND i.stage = $1 AND i.state = 0 ",
            "ORDER BY i.priority DESC, i.since_ms LIMIT $3 {skip}"
        ));
        let query = sqlx::query(statement).bind(stage).bind(unit.queue.id).bind(limit);
        query.fetch_all(&mut *unit.tx).await?.iter().map(change).collect()
    }

    /// As above, of the items whose ids begin with `prefix`.
    async fn ready_by_prefix(
        &self,
        unit: &mut Unit,
        stage: i64,
        limit: i64,
        prefix: &str,
    ) -> Result<Vec<Change>, Attempt> {
        let end = format!("{prefix}{}", char::MAX);
        let statement = self.dialect.sql(if self.few(unit, prefix, &end).await? {
            // The signs keep the database from the index of what is ready.
            concat!(
                "SELECT ",
                columns!(),
                " FROM item i WHERE i.queue = {queue} AND +i.stage = $1 AND +i.state = 0 AND i.item >= $4 AND i.item < $5 ",
                "ORDER BY i.priority DESC, i.since_ms LIMIT $3 {skip}"
            )
        } else {
            // The empty texts keep it from the index of ids: all that begin so would be read, and sorted.
            concat!(
                "SELECT ",
                columns!(),
                " FROM item i WHERE i.queue = {queue} AND i.stage = $1 AND i.state = 0 ",
                "AND i.item || '' >= $4 AND i.item || '' < $5 ",
                "ORDER BY i.priority DESC, i.since_ms LIMIT $3 {skip}"
            )
        });
        let query = sqlx::query(statement).bind(stage).bind(unit.queue.id).bind(limit);
        let rows = query.bind(prefix.to_owned()).bind(end).fetch_all(&mut *unit.tx).await?;
        rows.iter().map(change).collect()
    }

    /// Whether so few ids begin with `prefix`, whatever their items do, that reading all of them is little.
    async fn few(&self, unit: &mut Unit, prefix: &str, end: &str) -> Result<bool, Attempt> {
        let statement = "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT 1 FROM item \
                         WHERE queue = $1 AND item >= $2 AND item < $3 LIMIT $4) AS few";
        let query = sqlx::query_scalar(statement).bind(unit.queue.id).bind(prefix.to_owned()).bind(end.to_owned());
        let found: i64 = query.bind(FEW + 1).fetch_one(&mut *unit.tx).await?;
        Ok(found <= FEW)
    }
}

/// What is said of an item that died of its leases.
const LEASES_RAN_OUT: &str = "its workers were not heard of again";

fn check(claim: &Claim) -> Result<(), Error> {
    if !(1..=BATCH_MAX).contains(&claim.limit) {
        return Err(Error::invalid("limit", format!("must be 1 to {BATCH_MAX}")));
    }
    check_lease(claim.lease_ms)?;
    if claim.worker.is_empty() || claim.worker.len() > 128 {
        return Err(Error::invalid("worker_id", "must be 1 to 128 bytes"));
    }
    Ok(())
}

/// A lease's length in milliseconds.
pub(crate) fn check_lease(lease_ms: u64) -> Result<i64, Error> {
    let fits = i64::try_from(lease_ms).ok().filter(|_| LEASE_MS.contains(&lease_ms));
    fits.ok_or_else(|| Error::invalid("lease_ms", "must be a day at most, and not 0"))
}

fn stages(unit: &Unit, claim: &Claim) -> Result<(i64, i64), Error> {
    let spec = &unit.queue.spec;
    let source = spec.place("stage", &claim.stage)?;
    let target = spec.place("claim_stage", &claim.claim_stage)?;
    if source == FAILED || target < source || target == spec.last() {
        return Err(Error::invalid("claim_stage", "must be `stage` or one behind it, not the last, and not `failed`"));
    }
    Ok((source, target))
}

/// How many of the first items may go to one worker: the more leases one of them has lost, the fewer.
fn harmless(changes: &[Change], limit: usize) -> usize {
    let mut strikes = 0;
    for (place, change) in changes.iter().enumerate() {
        strikes = change.row.strikes.max(strikes);
        if place >= together(limit, strikes) {
            return place;
        }
    }
    changes.len()
}

fn claimed(change: Change) -> Claimed {
    let row = change.row;
    Claimed {
        token: row.token,
        version: row.version,
        attempt: u32::try_from(row.attempts).unwrap_or_default(),
        body: row.body,
        item: row.item,
    }
}
