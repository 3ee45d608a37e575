//! One call to one replica: bounded, measured, and judged.

use std::time::Duration;

use layer_service::telemetry::{record_rpc_status, rpc_client_span};
use tokio::time::{Instant, timeout_at};
use tonic::Code;
use tracing::Instrument;

use crate::{
    error::Away,
    observe::{Observe, Operation, Status},
};

/// How exact timers are.
const TIMER: Duration = Duration::from_millis(1);

/// Waits for a call until `until`, measures it, and says how it failed.
pub(crate) async fn call<T>(
    observe: &Observe,
    operation: Operation,
    until: Instant,
    call: impl Future<Output = Result<T, tonic::Status>>,
) -> Result<T, Away> {
    let started = Instant::now();
    let span = rpc_client_span("doc-cache", operation.name());
    let ended = timeout_at(until, call).instrument(span.clone()).await;
    let code =
        ended.as_ref().map_or(Code::DeadlineExceeded, |ended| ended.as_ref().map_or_else(|e| e.code(), |_| Code::Ok));
    record_rpc_status(&span, code.into());
    let (status, result) = match ended {
        Ok(Ok(answer)) => (Status::Ok, Ok(answer)),
        Err(_) => (Status::Deadline, Err(Away::Deadline)),
        Ok(Err(error)) => match error.code() {
            Code::DeadlineExceeded => (Status::Deadline, Err(Away::Deadline)),
            // tonic's own timer says so and may be a moment before ours; so does a connection that breaks.
            Code::Cancelled if left(until) <= TIMER => (Status::Deadline, Err(Away::Deadline)),
            Code::ResourceExhausted => (Status::StopWrites, Err(Away::Failed)),
            code => {
                tracing::debug!(?operation, ?code, "a call to the document cache failed");
                (Status::Failed, Err(Away::Failed))
            }
        },
    };
    observe.called(operation, status, started.elapsed());
    result
}

/// The time left until `until`.
pub(crate) fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// The sooner of a limit and a caller's deadline.
pub(crate) fn sooner(limit: Instant, deadline: Option<std::time::Instant>) -> Instant {
    deadline.map_or(limit, |deadline| limit.min(Instant::from_std(deadline)))
}
