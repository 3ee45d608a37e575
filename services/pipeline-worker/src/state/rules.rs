//! What may happen to an item: plain functions of an item and the database's clock, the same whatever the database.
//!
//! Nothing here reads or writes. Each rule is one of docs/adr/0005-pipelines.md's, and has its test below.

use super::model::{Body, FAILED, Held, Reason, Refusal, Retry, Standing, Verdict};

/// An item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) item: String,
    /// The place of its stage in the queue's list, or [`FAILED`].
    pub(crate) stage: i64,
    pub(crate) standing: Standing,
    /// The stage that it was claimed from.
    pub(crate) source: i64,
    pub(crate) priority: i64,
    pub(crate) attempts: i64,
    pub(crate) strikes: i64,
    pub(crate) version: i64,
    pub(crate) token: i64,
    /// Since when it has stood in its queue, or has ended.
    pub(crate) since_ms: i64,
    /// When its lease or its wait ends.
    pub(crate) wake_ms: Option<i64>,
    pub(crate) worker: Option<String>,
    pub(crate) body: Option<Body>,
}

/// What must be true of every item of a call: a [`super::Guard`] with the stage found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    pub(crate) worker: Option<String>,
    pub(crate) stage: Option<i64>,
}

/// The next number of a row that only grows: larger than the last, and at least the clock, so that it grows also where
/// the row was forgotten meanwhile.
pub(crate) fn next(last: i64, now: i64) -> i64 {
    last.saturating_add(1).max(now)
}

/// How many items a claim of `limit` may hand out together with one that has lost `strikes` leases.
pub(crate) fn together(limit: usize, strikes: i64) -> usize {
    let halvings = u32::try_from(strikes.saturating_mul(2)).unwrap_or(u32::MAX);
    limit.checked_shr(halvings).unwrap_or(0).max(1)
}

/// The wait after `attempts`, of which half is fixed and half is `random` of [0, 1).
pub(crate) fn backoff_ms(retry: &Retry, attempts: i64, random: f64) -> i64 {
    let doublings = (attempts - 1).clamp(0, 40);
    let full = retry.initial_backoff_ms.saturating_mul(1 << doublings).min(retry.max_backoff_ms);
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a day in milliseconds is far below"
    )]
    let part = (full as f64 * (0.5 + random / 2.0)) as i64;
    part
}

impl Row {
    /// An item that enters its queue.
    pub(crate) fn new(item: String, version: i64, priority: i64, body: Option<Body>, now: i64) -> Self {
        Self {
            item,
            stage: 0,
            standing: Standing::Ready,
            source: 0,
            priority,
            attempts: 0,
            strikes: 0,
            version,
            token: now,
            since_ms: now,
            wake_ms: None,
            worker: None,
            body,
        }
    }

    /// Whether a worker has it now.
    pub(crate) fn leased(&self, now: i64) -> bool {
        self.standing == Standing::Leased && self.wake_ms.is_some_and(|wake| wake > now)
    }

    /// Whether its lease or its wait is over and it has not been moved yet.
    pub(crate) fn due(&self, now: i64) -> bool {
        self.wake_ms.is_some_and(|wake| wake <= now)
    }

    /// Whether a call that names `held` and `guard` is about this claim of this item.
    pub(crate) fn guarded(&self, held: &Held, guard: &Found, now: i64) -> Verdict {
        if held.version.is_some_and(|version| version != self.version) {
            return Err(Refusal::StaleVersion);
        }
        if held.token.is_some_and(|token| token != self.token) {
            return Err(Refusal::StaleToken);
        }
        let claimed = held.token.is_some() || guard.worker.is_some();
        if claimed && !self.leased(now) {
            return Err(Refusal::NotLeased);
        }
        if guard.worker.is_some() && guard.worker != self.worker {
            return Err(Refusal::OtherWorker);
        }
        let over = self.standing == Standing::Leased && !self.leased(now);
        let stage = if over { self.source } else { self.stage };
        if guard.stage.is_some_and(|wanted| wanted != stage) {
            return Err(Refusal::WrongStage);
        }
        Ok(())
    }

    /// Whether the call of `held` was carried out before: its token still names this item, which no longer is leased and
    /// stands where the call would put it.
    pub(crate) fn was_put(&self, held: &Held, stage: i64) -> bool {
        held.token == Some(self.token) && self.standing != Standing::Leased && self.stage == stage
    }

    /// A worker takes it.
    pub(crate) fn claim(&mut self, stage: i64, worker: &str, lease_ms: i64, now: i64) {
        self.source = self.stage;
        self.stage = stage;
        self.standing = Standing::Leased;
        self.attempts += 1;
        self.token = next(self.token, now);
        self.wake_ms = Some(now.saturating_add(lease_ms));
        self.worker = Some(worker.to_owned());
    }

    /// It is claimed for what its queue has done since `generation`.
    pub(crate) fn renew(&mut self, generation: i64) {
        self.token = self.token.max(generation);
    }

    /// Its worker still works.
    pub(crate) fn extend(&mut self, lease_ms: i64, now: i64) {
        self.wake_ms = Some(now.saturating_add(lease_ms));
    }

    /// Its worker gives it back: it keeps its place in the queue. The claim is over: what the same worker says later of it
    /// is not taken for a repeated call.
    pub(crate) fn release(&mut self, now: i64) {
        self.attempts = (self.attempts - 1).max(0);
        self.token = next(self.token, now);
        self.stage = self.source;
        self.unclaim(Standing::Ready);
    }

    /// What its worker was given is not so any more: it goes to the end of its queue, to be claimed anew. As after a
    /// release, the claim is over and was no attempt.
    pub(crate) fn put_back(&mut self, now: i64) {
        self.release(now);
        self.since_ms = now;
    }

    /// Whether its claim is of before `generation`: made for what its queue did until it was changed.
    pub(crate) fn outdated(&self, generation: i64) -> bool {
        self.token <= generation
    }

    /// It goes to another stage, to begin anew there. The token stays: a repeated call is known by it.
    pub(crate) fn advance(&mut self, stage: i64, last: i64, now: i64) {
        self.stage = stage;
        self.source = stage;
        self.attempts = 0;
        self.strikes = 0;
        self.since_ms = now;
        self.unclaim(if stage == last { Standing::Done } else { Standing::Ready });
    }

    /// A caller puts it into a stage, whatever it was doing: no claim of before counts any more.
    pub(crate) fn put(&mut self, stage: i64, last: i64, now: i64) {
        if stage == FAILED {
            self.die(Reason::Requested, now);
        } else {
            self.advance(stage, last, now);
        }
        self.token = next(self.token, now);
    }

    /// Its worker failed.
    pub(crate) fn fail(&mut self, permanent: bool, retry: &Retry, random: f64, now: i64) {
        if permanent {
            self.die(Reason::Permanent, now);
        } else if self.attempts >= i64::from(retry.attempts_max) {
            self.die(Reason::Attempts, now);
        } else {
            self.stage = if self.standing == Standing::Leased { self.source } else { self.stage };
            self.unclaim(Standing::Delayed);
            self.wake_ms = Some(now.saturating_add(backoff_ms(retry, self.attempts, random)));
        }
    }

    /// Its lease or its wait is over: it goes to the end of its queue. A lost lease is a strike.
    pub(crate) fn wake(&mut self, retry: &Retry, now: i64) {
        if self.standing == Standing::Leased {
            self.strikes += 1;
            self.token = next(self.token, now);
            if self.strikes >= i64::from(retry.leases_lost_max) || self.attempts >= i64::from(retry.attempts_max) {
                return self.die(Reason::Leases, now);
            }
            self.stage = self.source;
        }
        self.since_ms = now;
        self.unclaim(Standing::Ready);
    }

    /// It was staged again: a new version, at the first stage, and no claim of before counts any more.
    pub(crate) fn restage(&mut self, body: Option<Body>, priority: i64, version_floor: i64, now: i64) {
        let version = next(self.version, now).max(version_floor);
        let token = next(self.token, now);
        *self = Self { token, ..Self::new(std::mem::take(&mut self.item), version, priority, body, now) };
    }

    /// Whether staging `body` would only repeat what is there: the same, and nobody has claimed it yet.
    pub(crate) fn same(&self, body: Option<Body>, priority: i64) -> bool {
        let content = |body: Option<Body>| body.map(|body| (body.digest, body.chunks));
        let untouched = self.stage == 0 && self.standing == Standing::Ready && self.attempts == 0 && self.strikes == 0;
        untouched && self.priority == priority && body.is_some() && content(self.body) == content(body)
    }

    /// A dead item is put back to where it had been claimed.
    pub(crate) fn requeue(&mut self, now: i64) {
        self.advance(self.source, i64::MAX, now);
        self.token = next(self.token, now);
    }

    fn die(&mut self, reason: Reason, now: i64) {
        match self.standing {
            Standing::Leased | Standing::Dead(_) => {}
            Standing::Ready | Standing::Delayed => self.source = self.stage,
            Standing::Done => self.source = 0,
        }
        self.stage = FAILED;
        self.since_ms = now;
        self.unclaim(Standing::Dead(reason));
    }

    fn unclaim(&mut self, standing: Standing) {
        self.standing = standing;
        self.wake_ms = None;
        self.worker = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1000;

    fn row() -> Row {
        let body = Body { minted_ms: 1, digest: 2, chunks: 3, pack: None };
        Row::new("x".to_owned(), NOW, 0, Some(body), NOW)
    }

    fn leased() -> Row {
        let mut row = row();
        row.claim(1, "w", 100, NOW);
        row
    }

    fn retry() -> Retry {
        Retry { attempts_max: 3, leases_lost_max: 2, initial_backoff_ms: 100, max_backoff_ms: 1000 }
    }

    #[test]
    fn numbers_grow_whatever_the_clock_does() {
        assert_eq!((next(5, 1000), next(1000, 5), next(1000, 1000)), (1000, 1001, 1001));
        let mut row = row();
        let mut last = (row.token, row.version);
        for now in [NOW, NOW + 5, 3, 3] {
            row.restage(None, 0, 0, now);
            assert!(row.token > last.0 && row.version > last.1, "{row:?} after {last:?} at {now}");
            last = (row.token, row.version);
            row.claim(1, "w", 1, now);
            assert!(row.token > last.0 && row.version == last.1);
            last.0 = row.token;
        }
    }

    #[test]
    fn a_lease_ends_by_the_clock_alone() {
        let row = leased();
        assert!(row.leased(NOW + 99) && !row.leased(NOW + 100));
        assert!(!row.due(NOW + 99) && row.due(NOW + 100));
        let held = Held::under("x", row.token);
        assert_eq!(row.guarded(&held, &Found::default(), NOW + 99), Ok(()));
        assert_eq!(row.guarded(&held, &Found::default(), NOW + 100), Err(Refusal::NotLeased));
    }

    #[test]
    fn a_lease_that_is_over_counts_in_the_stage_that_it_came_from() {
        let row = leased();
        let source = Found { worker: None, stage: Some(0) };
        assert_eq!(row.guarded(&Held::any("x"), &source, NOW), Err(Refusal::WrongStage));
        assert_eq!(row.guarded(&Held::any("x"), &source, NOW + 100), Ok(()));
    }

    #[test]
    fn a_retry_waits_between_half_and_all_of_a_wait_that_doubles_up_to_a_bound() {
        let waits = |attempts| (backoff_ms(&retry(), attempts, 0.0), backoff_ms(&retry(), attempts, 0.999_999));
        assert_eq!([waits(1), waits(2), waits(4)], [(50, 99), (100, 199), (400, 799)]);
        assert_eq!([waits(5), waits(1000), waits(i64::MAX)], [(500, 999); 3]);
    }

    #[test]
    fn suspects_come_in_ever_smaller_numbers_and_never_in_none() {
        assert_eq!([0, 1, 2, 3, 4, 60].map(|strikes| together(100, strikes)), [100, 25, 6, 1, 1, 1]);
        assert_eq!(together(1, 0), 1);
    }

    #[test]
    fn a_lost_lease_is_a_strike_and_the_last_one_is_death() {
        let mut row = leased();
        row.wake(&retry(), NOW + 100);
        assert_eq!((row.stage, row.standing, row.strikes, row.since_ms), (0, Standing::Ready, 1, NOW + 100));
        row.claim(1, "w", 100, NOW + 100);
        row.wake(&retry(), NOW + 200);
        assert_eq!((row.stage, row.standing, row.source), (FAILED, Standing::Dead(Reason::Leases), 0));
    }

    #[test]
    fn a_wait_that_is_over_is_no_strike() {
        let mut row = leased();
        row.fail(false, &retry(), 0.0, NOW);
        assert_eq!((row.stage, row.standing, row.wake_ms), (0, Standing::Delayed, Some(NOW + 50)));
        row.wake(&retry(), NOW + 50);
        assert_eq!((row.standing, row.strikes, row.attempts), (Standing::Ready, 0, 1));
    }

    #[test]
    fn what_used_its_attempts_up_is_dead() {
        let mut row = leased();
        row.attempts = 3;
        row.fail(false, &retry(), 0.0, NOW);
        assert_eq!(row.standing, Standing::Dead(Reason::Attempts));
        row.requeue(NOW);
        assert_eq!((row.stage, row.standing, row.attempts), (0, Standing::Ready, 0));
    }

    #[test]
    fn a_stage_begins_with_new_attempts_and_no_strikes() {
        let mut row = leased();
        row.strikes = 1;
        let token = row.token;
        row.advance(2, 3, NOW + 1);
        assert_eq!((row.attempts, row.strikes, row.standing, row.token), (0, 0, Standing::Ready, token));
        row.advance(3, 3, NOW + 1);
        assert_eq!(row.standing, Standing::Done);
        row.put(FAILED, 3, NOW + 1);
        assert_eq!((row.source, row.token > token), (0, true), "what was done begins at the first stage again");
    }

    #[test]
    fn only_the_same_content_for_an_item_that_nobody_touched_is_a_repetition() {
        let other = |digest, chunks| Some(Body { minted_ms: 9, digest, chunks, pack: None });
        assert!(row().same(other(2, 3), 0));
        assert!(!row().same(other(1, 3), 0) && !row().same(other(2, 4), 0) && !row().same(other(2, 3), 1));
        assert!(!row().same(None, 0) && !leased().same(other(2, 3), 0));
        let mut released = leased();
        released.wake(&retry(), NOW + 100);
        assert!(!released.same(other(2, 3), 0), "who lost its lease may still write");
    }
}
