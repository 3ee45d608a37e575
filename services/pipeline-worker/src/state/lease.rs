//! What workers say about what they have claimed: still at it, done, failed, given back. And what others may say.

use serde_json::{Value, json};

use super::{
    Body, Error, Guard, Held, InPack, Kind, Outcome, Refusal, State,
    claim::check_lease,
    error::Attempt,
    items::check_ids,
    model::FAILED,
    observe::call,
    rules::{Found, Row},
    unit::Unit,
};

/// The longest message of a failure that is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024;

/// An item whose stage is done.
#[derive(Debug, Clone)]
pub struct Completed {
    /// The item.
    pub held: Held,
    /// What the stage put out.
    pub output: Option<Output>,
}

/// What a stage put out. The stage is part of the name under which it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The name of the stage: a call about an item that is in another one by now is refused.
    pub stage: String,
    /// What was stored.
    pub body: Body,
}

/// An item that failed.
#[derive(Debug, Clone)]
pub struct Failed {
    /// The item.
    pub held: Held,
    /// Trying again is no use.
    pub permanent: bool,
    /// What happened.
    pub message: String,
}

impl State {
    /// Extends leases: each lasts `lease_ms` from now on.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn heartbeat(
        &self,
        kind: Kind,
        queue: &str,
        held: &[Held],
        guard: &Guard,
        lease_ms: u64,
    ) -> Result<Vec<Outcome>, Error> {
        check_held(held)?;
        let lease_ms = check_lease(lease_ms)?;
        call!(self, "heartbeat", async {
            let mut unit = self.begin(kind, queue).await?;
            let guard = find(&unit, guard)?;
            let (outcomes, _) = self
                .change_items(&mut unit, held, |row, place, now| {
                    row.guarded(&held[place], &guard, now)?;
                    if !row.leased(now) {
                        return Err(Refusal::NotLeased);
                    }
                    row.extend(lease_ms, now);
                    Ok(())
                })
                .await?;
            self.commit(unit).await?;
            Ok(outcomes)
        })
    }

    /// Gives items back to the stages that they were claimed from, as if they had not been claimed.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn release(&self, kind: Kind, queue: &str, held: &[Held], guard: &Guard) -> Result<Vec<Outcome>, Error> {
        check_held(held)?;
        call!(self, "release", async {
            let mut unit = self.begin(kind, queue).await?;
            let guard = find(&unit, guard)?;
            let (outcomes, _) = self
                .change_items(&mut unit, held, |row, place, now| {
                    row.guarded(&held[place], &guard, now)?;
                    if !row.leased(now) {
                        return Err(Refusal::NotLeased);
                    }
                    row.release(now);
                    Ok(())
                })
                .await?;
            self.commit(unit).await?;
            Ok(outcomes)
        })
    }

    /// Says that a stage is done for items, and what it put out. They go to `to_stage`, or to the one behind theirs.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::BodyExpired`], [`Error::Unavailable`].
    pub async fn complete(
        &self,
        kind: Kind,
        queue: &str,
        completed: &[Completed],
        guard: &Guard,
        to_stage: Option<&str>,
    ) -> Result<Vec<Outcome>, Error> {
        let held: Vec<_> = completed.iter().map(|completed| completed.held.clone()).collect();
        check_held(&held)?;
        call!(self, "complete", self.complete_once(kind, queue, completed, &held, guard, to_stage))
    }

    async fn complete_once(
        &self,
        kind: Kind,
        queue: &str,
        completed: &[Completed],
        held: &[Held],
        guard: &Guard,
        to_stage: Option<&str>,
    ) -> Result<Vec<Outcome>, Attempt> {
        let mut unit = self.begin(kind, queue).await?;
        self.check_age(&unit, completed.iter().filter_map(|completed| completed.output.as_ref().map(|o| o.body)))?;
        let guard = find(&unit, guard)?;
        let last = unit.queue.spec.last();
        let named = to_stage.map(|name| unit.queue.spec.place("to_stage", name)).transpose()?;
        if named == Some(FAILED) {
            return Err(Error::invalid("to_stage", "must not be `failed`").into());
        }
        let spec = unit.queue.spec.clone();
        let mut outputs = Vec::new();
        let (outcomes, _) = self
            .change_items(&mut unit, held, |row, place, now| {
                let mut next = row.clone();
                advance(&mut next, &held[place], &guard, named, last, now)?;
                if let Some(Output { stage, body }) = completed[place].output.as_ref().filter(|_| next != *row) {
                    if spec.name(row.stage) != stage {
                        return Err(Refusal::WrongStage);
                    }
                    let (pack, at) = (body.pack.map(|pack| pack.id), body.pack.map(InPack::place));
                    outputs.push(json!([row.item, row.stage, body.minted_ms, body.digest, body.chunks, pack, at]));
                }
                *row = next;
                Ok(())
            })
            .await?;
        self.write_outputs(&mut unit, outputs).await?;
        let put_out = |completed: &'_ Completed| completed.output.as_ref().map(|output| output.body);
        let bodies = completed.iter().filter_map(|one| Some((one.held.item.as_str(), put_out(one)?)));
        self.note_packs(&mut unit, bodies).await?;
        self.commit(unit).await?;
        Ok(outcomes)
    }

    /// Says that items failed: they wait and are tried again, or are dead.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn fail(&self, kind: Kind, queue: &str, failed: &[Failed], guard: &Guard) -> Result<Vec<Outcome>, Error> {
        let held: Vec<_> = failed.iter().map(|failed| failed.held.clone()).collect();
        check_held(&held)?;
        call!(self, "fail", self.fail_once(kind, queue, failed, &held, guard))
    }

    async fn fail_once(
        &self,
        kind: Kind,
        queue: &str,
        failed: &[Failed],
        held: &[Held],
        guard: &Guard,
    ) -> Result<Vec<Outcome>, Attempt> {
        let mut unit = self.begin(kind, queue).await?;
        let guard = find(&unit, guard)?;
        let retry = unit.queue.spec.retry.clone();
        let mut messages = Vec::new();
        let (outcomes, changes) = self
            .change_items(&mut unit, held, |row, place, now| {
                // What was completed under this token has no attempts in its new stage yet.
                let again = row.was_put(&held[place], FAILED) || row.was_put(&held[place], row.source);
                if again && row.attempts > 0 {
                    return Ok(());
                }
                row.guarded(&held[place], &guard, now)?;
                if row.standing.ended() {
                    return Err(Refusal::NotLeased);
                }
                row.fail(failed[place].permanent, &retry, fastrand::f64(), now);
                messages.push((row.item.clone(), place));
                Ok(())
            })
            .await?;
        let rows = messages.iter().filter_map(|(item, place)| {
            let found = changes.binary_search_by(|change| change.row.item.cmp(item)).ok()?;
            Some((&changes[found].row, failed[*place].message.as_str()))
        });
        let rows: Vec<_> = rows.collect();
        self.record_failures(&mut unit, &rows).await?;
        self.commit(unit).await?;
        Ok(outcomes)
    }

    /// Puts items into a stage. Without a token and without a guard that is done whatever they are doing. With
    /// `create_missing` items that are not there are made, without a body.
    ///
    /// # Errors
    /// [`Error::QueueNotFound`], [`Error::Invalid`], [`Error::Unavailable`].
    pub async fn set_stage(
        &self,
        kind: Kind,
        queue: &str,
        held: &[Held],
        guard: &Guard,
        stage: &str,
        create_missing: bool,
    ) -> Result<Vec<Outcome>, Error> {
        check_held(held)?;
        call!(self, "set_stage", self.set_stage_once(kind, queue, held, guard, stage, create_missing))
    }

    async fn set_stage_once(
        &self,
        kind: Kind,
        queue: &str,
        held: &[Held],
        guard: &Guard,
        stage: &str,
        create_missing: bool,
    ) -> Result<Vec<Outcome>, Attempt> {
        let mut unit = self.begin(kind, queue).await?;
        let guard = find(&unit, guard)?;
        let (stage, last) = (unit.queue.spec.place("stage", stage)?, unit.queue.spec.last());
        if create_missing {
            let rows = held.iter().map(|held| Row::new(held.item.clone(), unit.now, 0, None, unit.now));
            let rows: Vec<_> = rows.collect();
            self.insert(&mut unit, &rows).await?;
        }
        let (outcomes, changes) = self
            .change_items(&mut unit, held, |row, place, now| {
                if row.was_put(&held[place], stage) {
                    return Ok(());
                }
                row.guarded(&held[place], &guard, now)?;
                if row.leased(now) && row.source == stage {
                    row.release(now);
                } else if row.stage != stage || row.standing == super::Standing::Leased {
                    row.put(stage, last, now);
                }
                Ok(())
            })
            .await?;
        if stage == FAILED {
            let died = changes.iter().filter(|change| change.before != change.row);
            let rows: Vec<_> = died.map(|change| (&change.row, "")).collect();
            self.record_failures(&mut unit, &rows).await?;
        }
        self.commit(unit).await?;
        Ok(outcomes)
    }

    /// Remembers what was said of items that failed.
    pub(crate) async fn record_failures(&self, unit: &mut Unit, rows: &[(&Row, &str)]) -> Result<(), Attempt> {
        if rows.is_empty() {
            return Ok(());
        }
        let list = rows.iter().map(|(row, message)| json!([row.item, row.source, row.attempts, shortened(message)]));
        let statement = self.dialect.sql(
            "INSERT INTO failure (queue, item, stage, attempts, message, failed_ms) \
             SELECT $2, v.value->>0, CAST(v.value->>1 AS BIGINT), CAST(v.value->>2 AS BIGINT), v.value->>3, {now} \
             FROM {rows} WHERE true ON CONFLICT (queue, item) DO UPDATE SET stage = excluded.stage, \
             attempts = excluded.attempts, message = excluded.message, failed_ms = excluded.failed_ms",
        );
        unit.write(statement, Value::Array(list.collect()).to_string()).await
    }

    async fn write_outputs(&self, unit: &mut Unit, outputs: Vec<Value>) -> Result<(), Attempt> {
        if outputs.is_empty() {
            return Ok(());
        }
        let statement = self.dialect.sql(
            "INSERT INTO output (queue, item, stage, body_minted, body_digest, chunks, body_pack, body_place) \
             SELECT $2, v.value->>0, CAST(v.value->>1 AS BIGINT), CAST(v.value->>2 AS BIGINT), \
             CAST(v.value->>3 AS BIGINT), CAST(v.value->>4 AS BIGINT), CAST(v.value->>5 AS BIGINT), \
             CAST(v.value->>6 AS BIGINT) FROM {rows} WHERE true \
             ON CONFLICT (queue, item, stage) DO UPDATE SET body_minted = excluded.body_minted, \
             body_digest = excluded.body_digest, chunks = excluded.chunks, body_pack = excluded.body_pack, \
             body_place = excluded.body_place",
        );
        unit.write(statement, Value::Array(outputs).to_string()).await
    }
}

/// Completes one item. A worker that names neither token nor itself is only held to the version.
fn advance(row: &mut Row, held: &Held, guard: &Found, named: Option<i64>, last: i64, now: i64) -> Result<(), Refusal> {
    if row.standing != super::Standing::Leased && held.token == Some(row.token) {
        // The first such call has moved it already; without a name the stage that it went to is not known any more.
        return if named.is_none_or(|named| named == row.stage) && row.stage != FAILED && row.attempts == 0 {
            Ok(())
        } else {
            Err(Refusal::NotLeased)
        };
    }
    row.guarded(held, guard, now)?;
    let stage = row.stage.max(0);
    let target = named.unwrap_or(stage + 1).min(last);
    if row.standing == super::Standing::Done {
        return if target == last { Ok(()) } else { Err(Refusal::WrongStage) };
    }
    if target <= stage && row.stage != FAILED {
        return Err(Refusal::WrongStage);
    }
    row.advance(target, last, now);
    Ok(())
}

pub(crate) fn find(unit: &Unit, guard: &Guard) -> Result<Found, Error> {
    let stage = guard.stage.as_deref().map(|name| unit.queue.spec.place("from_stage", name)).transpose()?;
    Ok(Found { worker: guard.worker.clone(), stage })
}

fn check_held(held: &[Held]) -> Result<(), Error> {
    check_ids("items", held.iter().map(|held| held.item.as_str()))
}

/// `message`, cut to what is kept. PostgreSQL's texts have no zero byte.
fn shortened(message: &str) -> String {
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
    message[..end].replace('\0', "")
}
