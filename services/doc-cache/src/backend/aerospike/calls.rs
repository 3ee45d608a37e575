//! One batch to Aerospike: its deadline, its rows, and what each row's answer means to the protocol.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aerospike::{BatchOperation, BatchPolicy, Client, Error, ErrorKind, Key, Record, ResultCode, WritePolicy};

use super::{connection::Connection, observe};
use crate::backend::BackendError;

/// Every step is idempotent, so a call that met a cold pool or a broken connection may be repeated within its deadline.
const RETRIES: usize = 3;
/// Rows of one request. A server refuses more than its `batch-max-requests` (5,000 unless configured) as a whole, and a
/// call has up to 10,000 keys.
const ROWS_MAX: usize = 2500;
/// Pause before a retry: a connection that is being opened is there after this.
const RETRY_PAUSE_MS: u32 = 2;

/// What became of one record's part.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every row is a record; a box for each would be an allocation per key"
)]
pub enum Row {
    /// Done, with what was read.
    Done(Record),
    /// There is no such record.
    Absent,
    /// The condition did not hold.
    Filtered,
    /// The record was there already.
    Exists,
    /// The server refuses writes: stop-writes, a set's limit, an overloaded device.
    Refused,
    /// The record is larger than the server takes.
    TooLarge,
    /// It came to nothing.
    Failed(BackendError),
}

/// A batch of one set under one name.
pub struct Call<'a> {
    /// What the batch does, for metrics.
    pub operation: &'static str,
    /// The set that it is about, for metrics.
    pub set: &'a str,
    /// When it must have ended.
    pub until: Instant,
}

impl Connection {
    /// Sends `operations` as one batch, or as several at once where the server would refuse one; the answer has a row for
    /// each, in order.
    ///
    /// # Errors
    /// [`BackendError`] where not one row was answered.
    pub async fn batch(
        self: &Arc<Self>,
        call: &Call<'_>,
        mut operations: Vec<BatchOperation>,
    ) -> Result<Vec<Row>, BackendError> {
        if operations.is_empty() {
            return Ok(Vec::new());
        }
        let started = Instant::now();
        let _flying = self.observe().begin();
        let answered = self.send(call.until, &mut operations).await;
        let rows = answered.map(|()| operations.into_iter().map(row).collect::<Vec<_>>()).and_then(whole);
        let status = match &rows {
            Ok(rows) if rows.iter().any(|row| matches!(row, Row::Refused)) => "aerospike_stop_writes",
            Ok(rows) => observe::status(rows.iter().find_map(failure)),
            Err(error) => observe::status(Some(error)),
        };
        self.observe().ended(call.operation, call.set, status, started.elapsed());
        rows
    }

    /// Removes one record by a call of its own.
    ///
    /// # Errors
    /// [`BackendError`] where it may still be there.
    pub async fn remove_one(&self, call: &Call<'_>, key: &Key) -> Result<(), BackendError> {
        let started = Instant::now();
        let client = self.client().ok_or_else(|| BackendError::Unavailable("not connected yet".to_owned()))?;
        let policy = WritePolicy { base_policy: policy(remaining(call.until)?).base_policy, ..WritePolicy::default() };
        let removed = match tokio::time::timeout_at(call.until.into(), client.delete(&policy, key)).await {
            Err(_) => Err(BackendError::Timeout),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if refuses(&error) => Err(BackendError::StopWrites),
            Ok(Err(error)) => Err(meaning(&error)),
        };
        self.observe().ended(call.operation, call.set, observe::status(removed.as_ref().err()), started.elapsed());
        removed
    }

    /// A batch that must end at `until` would be sent.
    ///
    /// # Errors
    /// As [`Connection::batch`] would fail before it sends anything.
    pub fn may_send(&self, until: Instant) -> Result<(), BackendError> {
        self.ready(until).map(drop)
    }

    /// The client, and the time left.
    fn ready(&self, until: Instant) -> Result<(&Client, Duration), BackendError> {
        let client = self.client().ok_or_else(|| BackendError::Unavailable("not connected yet".to_owned()))?;
        Ok((client, remaining(until)?))
    }

    async fn send(&self, until: Instant, operations: &mut [BatchOperation]) -> Result<(), BackendError> {
        let (client, remaining) = self.ready(until)?;
        let policy = policy(remaining);
        let requests = operations.chunks_mut(ROWS_MAX).map(|rows| client.batch(&policy, rows));
        let sent = futures_util::future::join_all(requests);
        let ended = tokio::time::timeout(remaining, sent).await.map_err(|_| BackendError::Timeout)?;
        match ended.into_iter().find_map(Result::err) {
            // A node's failure is in its rows too; other nodes' rows may be good.
            Some(error) if operations.iter().all(unanswered) => Err(meaning(&error)),
            _ => Ok(()),
        }
    }
}

/// The time left; the client takes nothing below a millisecond, and nothing for no limit at all.
fn remaining(until: Instant) -> Result<Duration, BackendError> {
    let remaining = until.saturating_duration_since(Instant::now());
    match remaining < Duration::from_millis(1) {
        true => Err(BackendError::Timeout),
        false => Ok(remaining),
    }
}

/// The server takes no writes now: stop-writes, a set's limit, an overloaded device. The client tries again after the
/// last of these, and then its error is about the tries.
fn refuses(error: &Error) -> bool {
    const REFUSALS: &[ResultCode] =
        &[ResultCode::ServerMemError, ResultCode::DeviceOverload, ResultCode::FailForbidden];
    error.matches(REFUSALS) || error.sub_errors().iter().any(|tried| tried.matches(REFUSALS))
}

fn policy(remaining: Duration) -> BatchPolicy {
    let mut policy = BatchPolicy::default();
    let millis = u32::try_from(remaining.as_millis()).unwrap_or(u32::MAX);
    policy.base_policy.total_timeout = millis;
    policy.base_policy.socket_timeout = millis;
    policy.base_policy.max_retries = RETRIES;
    policy.base_policy.sleep_between_retries = RETRY_PAUSE_MS;
    policy
}

fn unanswered(operation: &BatchOperation) -> bool {
    let answer = operation.batch_record();
    answer.record.is_none() && answer.error().is_none()
}

fn row(operation: BatchOperation) -> Row {
    let answer = operation.into_batch_record();
    let failed = answer.error().map(meaning);
    let refused = answer.error().is_some_and(refuses);
    match (answer.result_code(), answer.record) {
        (Some(ResultCode::Ok), Some(record)) => Row::Done(record),
        (Some(ResultCode::KeyNotFoundError), _) => Row::Absent,
        (Some(ResultCode::FilteredOut), _) => Row::Filtered,
        (Some(ResultCode::KeyExistsError), _) => Row::Exists,
        (Some(ResultCode::RecordTooBig), _) => Row::TooLarge,
        _ if refused => Row::Refused,
        _ => Row::Failed(failed.unwrap_or_else(|| BackendError::Failed("a record was not answered".to_owned()))),
    }
}

/// Rows of which at least one was answered.
fn whole(rows: Vec<Row>) -> Result<Vec<Row>, BackendError> {
    let failed = rows.iter().filter_map(failure).count();
    match rows.iter().find_map(failure) {
        Some(error) if failed == rows.len() => Err(error.clone()),
        _ => Ok(rows),
    }
}

fn failure(row: &Row) -> Option<&BackendError> {
    match row {
        Row::Failed(error) => Some(error),
        _ => None,
    }
}

/// What a client error means to callers.
pub fn meaning(error: &Error) -> BackendError {
    match error.kind() {
        ErrorKind::Timeout if error.client_result_code().is_none() => BackendError::Timeout,
        ErrorKind::Server { rc: ResultCode::Timeout, .. } => BackendError::Timeout,
        ErrorKind::Server { rc, .. } => BackendError::Failed(format!("result code {rc:?}")),
        ErrorKind::InvalidNamespace => {
            BackendError::Failed("aerospike.namespace does not exist on the server".to_owned())
        }
        _ => BackendError::Unavailable(error.base_message()),
    }
}
