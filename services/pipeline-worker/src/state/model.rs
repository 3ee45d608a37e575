//! Queues, items, and what may be said of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Error;

/// The stage of items that failed for good: a member of no queue's list.
pub(crate) const FAILED: i64 = -1;
/// The name of [`FAILED`].
pub const FAILED_NAME: &str = "failed";
/// What a pipeline's stages are where it does not say.
const DEFAULT_STAGES: [&str; 3] = ["pending", "embedding", "indexed"];
const DAY_MS: u64 = 86_400_000;

/// What a queue is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its items are documents that become rows.
    Pipeline,
    /// Its items are rows that gain attributes.
    Function,
}

impl Kind {
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Pipeline => 0,
            Self::Function => 1,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pipeline => "pipeline",
            Self::Function => "function",
        })
    }
}

/// How what failed is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in a stage before an item is dead.
    pub attempts_max: u32,
    /// Leases that may run out before an item is dead.
    pub leases_lost_max: u32,
    /// The wait before the second attempt, in milliseconds; it doubles with each.
    pub initial_backoff_ms: u64,
    /// The longest wait, in milliseconds.
    pub max_backoff_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts_max: 8, leases_lost_max: 5, initial_backoff_ms: 1000, max_backoff_ms: 300_000 }
    }
}

/// What a queue does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The stages in their order: items enter at the first and are done in the last.
    pub stages: Vec<String>,
    /// How what failed is tried again.
    pub retry: Retry,
    /// How many items may be leased at a time; 0: any number.
    pub leased_max: u32,
    /// How long items that are done are kept, in milliseconds; 0: for ever.
    pub keep_done_ms: u64,
    /// How long dead letters are kept, in milliseconds.
    pub keep_failed_ms: u64,
    /// What only the service above understands, as JSON text: target namespace, distance metric, inputs.
    pub rest: String,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            stages: DEFAULT_STAGES.map(str::to_owned).to_vec(),
            retry: Retry::default(),
            leased_max: 0,
            keep_done_ms: 0,
            keep_failed_ms: 30 * DAY_MS,
            rest: "{}".to_owned(),
        }
    }
}

impl Spec {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field.
    pub fn validate(&self) -> Result<(), Error> {
        if !(2..=16).contains(&self.stages.len()) {
            return Err(Error::invalid("stages", "must be 2 to 16 names"));
        }
        for (place, stage) in self.stages.iter().enumerate() {
            let plain = stage.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if stage.is_empty() || stage.len() > 32 || !plain {
                return Err(Error::invalid("stages", "must be names of 1 to 32 letters, digits, `-` and `_`"));
            }
            if stage == FAILED_NAME || self.stages[..place].contains(stage) {
                return Err(Error::invalid("stages", "must be different from each other and from `failed`"));
            }
        }
        let retry = &self.retry;
        if !(1..=1000).contains(&retry.attempts_max) {
            return Err(Error::invalid("retry.attempts_max", "must be 1 to 1000"));
        }
        if !(1..=1000).contains(&retry.leases_lost_max) {
            return Err(Error::invalid("retry.leases_lost_max", "must be 1 to 1000"));
        }
        if retry.initial_backoff_ms > retry.max_backoff_ms || retry.max_backoff_ms > DAY_MS {
            return Err(Error::invalid(
                "retry.max_backoff_ms",
                "must be a day at most, and the first backoff at least",
            ));
        }
        Ok(())
    }

    /// The place of the last stage.
    pub(crate) fn last(&self) -> i64 {
        i64::try_from(self.stages.len()).unwrap_or(i64::MAX) - 1
    }

    /// The place of the stage called `name`, which the field `field` of a call names.
    pub(crate) fn place(&self, field: &'static str, name: &str) -> Result<i64, Error> {
        if name == FAILED_NAME {
            return Ok(FAILED);
        }
        let found = self.stages.iter().position(|stage| stage == name);
        let place = found.and_then(|place| i64::try_from(place).ok());
        place.ok_or_else(|| Error::invalid(field, format!("names no stage: there are {}", self.stages.join(", "))))
    }

    /// The name of the stage at `place`.
    pub(crate) fn name(&self, place: i64) -> &str {
        let found = usize::try_from(place).ok().and_then(|place| self.stages.get(place));
        found.map_or(FAILED_NAME, String::as_str)
    }
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Names it for ever: a queue that is deleted and made again has another.
    pub id: i64,
    /// What it is for.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What it does.
    pub spec: Spec,
    /// When it was made, in milliseconds since 1970, by the database's clock.
    pub created_ms: i64,
    /// When it was changed, paused or resumed last.
    pub updated_ms: i64,
    /// Nothing is claimed from it, and nothing is searched for it.
    pub paused: bool,
    /// Claims with a token up to this one were made for what the queue did before it was changed; 0: never.
    pub generation: i64,
}

/// Why an item is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A worker said that trying again is no use.
    Permanent,
    /// It failed in every attempt.
    Attempts,
    /// Its workers were not heard of again.
    Leases,
    /// A caller put it there.
    Requested,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Permanent, Self::Attempts, Self::Leases, Self::Requested];

    /// For metrics and the published status.
    pub fn label(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Attempts => "attempts",
            Self::Leases => "leases",
            Self::Requested => "requested",
        }
    }
}

/// What an item does in its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It waits to be claimed.
    Ready,
    /// It waits for its next attempt.
    Delayed,
    /// A worker has it.
    Leased,
    /// It is in the last stage.
    Done,
    /// It failed for good.
    Dead(Reason),
}

impl Standing {
    /// As it is stored. The statements and the partial indexes name some of these numbers.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Ready => 0,
            Self::Delayed => 1,
            Self::Leased => 2,
            Self::Done => 3,
            Self::Dead(Reason::Permanent) => 10,
            Self::Dead(Reason::Attempts) => 11,
            Self::Dead(Reason::Leases) => 12,
            Self::Dead(Reason::Requested) => 13,
        }
    }

    pub(crate) fn from_code(code: i64) -> Result<Self, Error> {
        let all = [Self::Ready, Self::Delayed, Self::Leased, Self::Done].into_iter().chain(Reason::ALL.map(Self::Dead));
        let found = all.into_iter().find(|standing| standing.code() == code);
        found.ok_or_else(|| Error::Broken(format!("an item's state is {code}")))
    }

    /// Whether nothing will happen to it by itself.
    pub fn ended(self) -> bool {
        matches!(self, Self::Done | Self::Dead(_))
    }
}

/// What was stored of an item's stage: names an object that is never written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Body {
    /// When it was made, by the database's clock, in milliseconds since 1970.
    pub minted_ms: i64,
    /// The first 64 bits of the content's SHA-256.
    pub digest: i64,
    /// How many chunks it has.
    pub chunks: u32,
    /// Where it is in an object that several bodies share; none: it is an object of its own.
    pub pack: Option<InPack>,
}

/// A body's part of an object that several bodies share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InPack {
    /// Names the object.
    pub id: i64,
    /// The body's first byte there.
    pub start: u32,
    /// Its length in bytes, compressed.
    pub bytes: u32,
}

impl InPack {
    /// From its columns.
    pub(crate) fn read(id: Option<i64>, place: Option<i64>) -> Option<Self> {
        let (id, place) = id.zip(place)?;
        let half = |bits: i64| u32::try_from(bits & i64::from(u32::MAX)).unwrap_or_default();
        Some(Self { id, start: half(place >> 32), bytes: half(place) })
    }

    /// Its place as a column.
    pub(crate) fn place(self) -> i64 {
        i64::from(self.start) << 32 | i64::from(self.bytes)
    }
}

/// An item as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemView {
    /// Its id.
    pub item: String,
    /// The name of its stage.
    pub stage: String,
    /// What it does there. A lease or a wait that is over has ended here already.
    pub standing: Standing,
    /// Larger is claimed first.
    pub priority: u8,
    /// Claims in this stage.
    pub attempts: u32,
    /// Leases that ran out.
    pub strikes: u32,
    /// Of what was staged.
    pub version: i64,
    /// When its lease or wait ends.
    pub wake_ms: Option<i64>,
    /// Who has it.
    pub worker: Option<String>,
    /// What was staged.
    pub body: Option<Body>,
}

/// An item that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its id.
    pub item: String,
    /// Proof of this claim.
    pub token: i64,
    /// Of what was staged.
    pub version: i64,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// What was staged.
    pub body: Option<Body>,
}

/// An item, and what must be true of it for a call to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub item: String,
    /// The claim's token.
    pub token: Option<i64>,
    /// Of what was staged.
    pub version: Option<i64>,
}

impl Held {
    /// An item of which nothing must be true.
    pub fn any(item: impl Into<String>) -> Self {
        Self { item: item.into(), token: None, version: None }
    }

    /// An item that must be held under `token`.
    pub fn under(item: impl Into<String>, token: i64) -> Self {
        Self { token: Some(token), ..Self::any(item) }
    }
}

/// What must be true of every item of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    /// Who has it under a lease.
    pub worker: Option<String>,
    /// The stage that it is in.
    pub stage: Option<String>,
}

/// Why a call did not count for an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such item.
    NotFound,
    /// Somebody else has claimed or moved it since.
    StaleToken,
    /// It was staged again since.
    StaleVersion,
    /// The lease is over, or there was none.
    NotLeased,
    /// Another worker has it.
    OtherWorker,
    /// It is in another stage.
    WrongStage,
}

/// Whether a call counted for an item.
pub type Verdict = Result<(), Refusal>;

/// What became of an item in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its id.
    pub item: String,
    /// Whether the call counted, now or before.
    pub verdict: Verdict,
    /// The name of the stage that it is in now; none where there is no such item.
    pub stage: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_they_were_stored() {
        for standing in [Standing::Ready, Standing::Leased, Standing::Done, Standing::Dead(Reason::Leases)] {
            assert_eq!(Standing::from_code(standing.code()).unwrap(), standing);
        }
        assert!(Standing::from_code(4).is_err());
    }

    #[test]
    fn a_queue_that_cannot_work_is_refused_by_the_fields_name() {
        let refused = |change: fn(&mut Spec), field: &str| {
            let mut spec = Spec::default();
            change(&mut spec);
            let error = spec.validate().expect_err(field).to_string();
            assert!(error.contains(field), "{error}");
        };
        Spec::default().validate().unwrap();
        refused(|s| s.stages.truncate(1), "stages");
        refused(|s| s.stages[1] = "pending".to_owned(), "stages");
        refused(|s| s.stages[1] = "failed".to_owned(), "stages");
        refused(|s| s.stages[1] = "a b".to_owned(), "stages");
        refused(|s| s.retry.attempts_max = 0, "retry.attempts_max");
        refused(|s| s.retry.leases_lost_max = 0, "retry.leases_lost_max");
        refused(|s| s.retry.initial_backoff_ms = 300_001, "retry.max_backoff_ms");
    }

    #[test]
    fn stages_are_found_by_name() {
        let spec = Spec::default();
        assert_eq!((spec.place("stage", "embedding").unwrap(), spec.last()), (1, 2));
        assert_eq!(spec.place("stage", "failed").unwrap(), FAILED);
        assert!(spec.place("stage", "x").unwrap_err().to_string().contains("`stage`"));
        assert_eq!((spec.name(0), spec.name(FAILED)), ("pending", "failed"));
    }
}
