//! A warm job, as callers see it and as it is kept.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{clock, fetch::DocId, refusal::Refusal};

/// Digits of an id: 12 of the time of creation in milliseconds, 16 by chance.
const ID_DIGITS: usize = 28;
/// Digits of the time.
const TIME_DIGITS: usize = 12;
const TIME_MAX: u64 = (1 << (4 * TIME_DIGITS)) - 1;

/// How a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It goes on, or will when a router takes it over.
    Running,
    /// It came to the last id.
    Completed,
    /// It gave up; `error` says why.
    Failed,
    /// A caller ended it.
    Cancelled,
}

impl Status {
    /// The word that callers and metrics see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// What it warms.
    pub namespace: String,
    /// How it is.
    pub status: Status,
    /// From 0 to 1, by the origin's estimate of the rows.
    pub progress: f64,
    /// Ids that it has gone through.
    pub documents_scanned: u64,
    /// Rows that were read from the origin and handed to the cache.
    pub documents_warmed: u64,
    /// When it was asked for (RFC 3339).
    pub created_at: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Job {
    /// A job that begins now.
    pub fn new(namespace: &str) -> Self {
        let created = u64::try_from(clock::epoch_ms()).unwrap_or(0).min(TIME_MAX);
        Self {
            id: format!("{created:012x}{:016x}", fastrand::u64(..)),
            namespace: namespace.to_owned(),
            status: Status::Running,
            progress: 0.0,
            documents_scanned: 0,
            documents_warmed: 0,
            created_at: now(),
            completed_at: None,
            error: None,
        }
    }

    /// The same job at its end.
    #[must_use]
    pub fn ended(mut self, status: Status, error: Option<String>) -> Self {
        self.status = status;
        self.completed_at = Some(now());
        self.error = error;
        if status == Status::Completed {
            self.progress = 1.0;
        }
        self
    }
}

/// The present time (RFC 3339).
fn now() -> String {
    prost_types::Timestamp::from(SystemTime::now()).to_string()
}

/// Where a job's record is among those of its namespace: the newest first.
///
/// # Errors
/// [`Refusal::NoJob`] where the text is no job's id.
pub fn place(id: &str) -> Result<String, Refusal> {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let time = id.get(..TIME_DIGITS).filter(|_| id.len() == ID_DIGITS && id.bytes().all(digit));
    let time = time.and_then(|time| u64::from_str_radix(time, 16).ok()).ok_or(Refusal::NoJob)?;
    Ok(format!("{:012x}-{id}", TIME_MAX - time))
}

/// A job that runs, as its router keeps it for others to go on with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Slot {
    /// The job.
    pub job: Job,
    /// Who runs it: chosen by chance for each run.
    pub owner: String,
    /// Changes with every renewal.
    pub beat: u64,
    /// Ids of a page.
    pub page_size: usize,
    /// Rows that the origin said it has.
    pub total: u64,
    /// The last id that is done, as JSON text.
    pub after: Option<String>,
}

impl Slot {
    /// A job that begins.
    pub fn new(job: Job, page_size: usize, total: u64) -> Self {
        Self { job, owner: owner(), beat: 0, page_size, total, after: None }
    }

    /// The last id that is done.
    pub fn after(&self) -> Option<DocId> {
        let raw: &RawValue = serde_json::from_str(self.after.as_deref()?).ok()?;
        DocId::of_row(raw)
    }

    /// So much of it is done, up to `last`.
    pub fn advance(&mut self, scanned: usize, warmed: usize, last: &DocId) {
        self.job.documents_scanned += scanned as u64;
        self.job.documents_warmed += warmed as u64;
        self.after = Some(last.json());
        // Counts of rows are far below 2^53. Only the end is 1: the origin's count is an estimate.
        #[allow(clippy::cast_precision_loss)]
        let part = self.job.documents_scanned as f64 / self.total.max(1) as f64;
        self.job.progress = part.min(0.99);
    }
}

/// A name for one run of a job.
pub fn owner() -> String {
    format!("{:032x}", fastrand::u128(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_newer_jobs_come_first() {
        let id = |time: u64| format!("{time:012x}{:016x}", 7);
        assert!(place(&id(2)).unwrap() < place(&id(1)).unwrap());
        assert!(place(&Job::new("n").id).is_ok());
        for wrong in ["", "../x", &"g".repeat(28), &"A".repeat(28), &"a".repeat(29), "ääääääääääääää"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_slot_remembers_where_it_is() {
        let mut slot = Slot::new(Job::new("n"), 10, 20);
        assert_eq!(slot.after(), None);
        for last in [DocId::Uint(u64::MAX), DocId::Text("a\"b".into())] {
            slot.advance(10, 3, &last);
            let kept: Slot = serde_json::from_slice(&serde_json::to_vec(&slot).unwrap()).unwrap();
            assert_eq!(kept.after(), Some(last));
        }
        assert_eq!((slot.job.documents_scanned, slot.job.documents_warmed), (20, 6));
        assert!(slot.job.progress < 1.0);
        let ended = slot.job.ended(Status::Completed, None);
        assert!((ended.progress - 1.0).abs() < f64::EPSILON && ended.completed_at.is_some());
    }
}
