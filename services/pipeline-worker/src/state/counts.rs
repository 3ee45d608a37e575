//! How far a queue is, without counting its items.

use sqlx::Row as _;

use super::{
    Error, Kind, Reason, Spec, Standing, State,
    error::Attempt,
    model::{FAILED, FAILED_NAME},
    observe::call,
    unit::BUCKET_MS,
};

/// The span of the rate, in milliseconds.
const RATE_MS: i64 = 60_000;

/// How many items are in a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageCount {
    /// The stage.
    pub stage: String,
    /// They wait to be claimed.
    pub ready: i64,
    /// They wait for their next attempt.
    pub delayed: i64,
    /// They are being worked on.
    pub leased: i64,
    /// They are there to stay.
    pub ended: i64,
}

impl StageCount {
    /// All of them.
    pub fn total(&self) -> i64 {
        self.ready + self.delayed + self.leased + self.ended
    }

    fn add(&mut self, standing: Standing, n: i64) {
        match standing {
            Standing::Ready => self.ready += n,
            Standing::Delayed => self.delayed += n,
            Standing::Leased => self.leased += n,
            Standing::Done | Standing::Dead(_) => self.ended += n,
        }
    }
}

/// How far a queue is.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Each stage in its order, and `failed`.
    pub stages: Vec<StageCount>,
    /// Dead letters by reason, those with none left out.
    pub failures: Vec<(Reason, i64)>,
    /// Items done per minute.
    pub done_per_minute: f64,
    /// The span over which that was counted, in milliseconds.
    pub rate_window_ms: i64,
}

impl State {
    /// Counts a queue's items. The numbers are exact, as of one moment; leases and waits that are over count as such
    /// only when a claim or [`State::purge`] has come by.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Unavailable`].
    pub async fn status(&self, kind: Kind, queue: &str) -> Result<Status, Error> {
        let queue = self.get(kind, queue).await?;
        call!(self, "status", self.status_once(queue.id, &queue.spec))
    }

    async fn status_once(&self, queue: i64, spec: &Spec) -> Result<Status, Attempt> {
        let mut stages: Vec<_> = spec.stages.iter().map(String::as_str).chain([FAILED_NAME]).map(empty).collect();
        let failed = stages.len() - 1;
        let mut failures: Vec<_> = Reason::ALL.map(|reason| (reason, 0)).to_vec();
        let statement = "SELECT stage, state, CAST(SUM(n) AS BIGINT) FROM tally WHERE queue = $1 GROUP BY stage, state";
        for row in sqlx::query(statement).bind(queue).fetch_all(&self.pool).await? {
            let (stage, standing, n): (i64, _, i64) =
                (row.try_get(0)?, Standing::from_code(row.try_get(1)?)?, row.try_get(2)?);
            let place = if stage == FAILED { failed } else { usize::try_from(stage).unwrap_or(failed) };
            stages[place.min(failed)].add(standing, n);
            if let Standing::Dead(reason) = standing {
                failures.iter_mut().filter(|(known, _)| *known == reason).for_each(|(_, count)| *count += n);
            }
        }
        failures.retain(|(_, count)| *count != 0);
        let done = self.done_lately(queue).await?;
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let done_per_minute = done as f64 * 60_000.0 / RATE_MS as f64;
        Ok(Status { stages, failures, done_per_minute, rate_window_ms: RATE_MS })
    }

    async fn done_lately(&self, queue: i64) -> Result<i64, Attempt> {
        let statement = self.dialect.sql(
            "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM throughput WHERE queue = $1 AND bucket > ({now} - $2) / $3",
        );
        let query = sqlx::query(statement).bind(queue).bind(RATE_MS).bind(BUCKET_MS);
        Ok(query.fetch_one(&self.pool).await?.try_get(0)?)
    }
}

fn empty(stage: &str) -> StageCount {
    StageCount { stage: stage.to_owned(), ..StageCount::default() }
}
