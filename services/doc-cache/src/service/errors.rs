//! Every error of the service, in one place: how what went wrong becomes a status with google.rpc details.
//!
//! The reasons are listed for callers in `docs/grpc-errors.md`, each with what to do.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::backend::BackendError;

/// The domain of every reason.
const DOMAIN: &str = "layer";
/// When to try again after a call was shed: what is in flight is over by then.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Faults named at most: all of an error must fit 8 KiB of metadata.
const VIOLATIONS_MAX: usize = 16;

fn details(reason: &str, metadata: HashMap<String, String>) -> ErrorDetails {
    ErrorDetails::with_error_info(reason, DOMAIN, metadata)
}

/// A request that is wrong, with its faults.
pub(super) fn invalid(mut violations: Vec<FieldViolation>) -> Status {
    let count = violations.len();
    violations.truncate(VIOLATIONS_MAX);
    let first = violations.first().map(|first| format!("{} {}", first.field, first.description)).unwrap_or_default();
    let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
    let mut details = details("INVALID_ARGUMENT", HashMap::new());
    details.set_bad_request(violations);
    Status::with_error_details(Code::InvalidArgument, first + &more, details)
}

/// The backend failed a call as a whole.
pub(super) fn backend(error: &BackendError) -> Status {
    let (code, reason) = match error {
        BackendError::StopWrites => (Code::ResourceExhausted, "STOP_WRITES"),
        BackendError::Unavailable(_) => (Code::Unavailable, "BACKEND_UNAVAILABLE"),
        BackendError::Timeout => (Code::DeadlineExceeded, "BACKEND_TIMEOUT"),
        BackendError::Failed(_) => (Code::Internal, "BACKEND_FAILED"),
    };
    Status::with_error_details(code, error.to_string(), details(reason, HashMap::new()))
}

/// Too many calls are in flight.
pub(crate) fn overloaded(limit: usize) -> Status {
    let metadata = HashMap::from([("limit".to_owned(), limit.to_string())]);
    let mut details = details("OVERLOADED", metadata);
    details.set_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::ResourceExhausted, format!("{limit} calls are in flight already"), details)
}

/// The call's time ran out before it was answered.
pub(crate) fn too_late() -> Status {
    let message = "the call was not answered within its deadline";
    Status::with_error_details(Code::DeadlineExceeded, message, details("REQUEST_TIMEOUT", HashMap::new()))
}

/// The deadline of a call cannot be read.
pub(crate) fn invalid_timeout(accepts: &str) -> Status {
    invalid(vec![FieldViolation::new("grpc-timeout", format!("must be {accepts}"))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_of_a_backend_has_its_reason() {
        let told = |error: BackendError| {
            let status = backend(&error);
            let info = status.get_details_error_info().unwrap();
            assert_eq!(info.domain, "layer");
            (status.code(), info.reason)
        };
        let text = || "x".to_owned();
        assert_eq!(told(BackendError::StopWrites), (Code::ResourceExhausted, "STOP_WRITES".to_owned()));
        assert_eq!(told(BackendError::Unavailable(text())), (Code::Unavailable, "BACKEND_UNAVAILABLE".to_owned()));
        assert_eq!(told(BackendError::Timeout), (Code::DeadlineExceeded, "BACKEND_TIMEOUT".to_owned()));
        assert_eq!(told(BackendError::Failed(text())), (Code::Internal, "BACKEND_FAILED".to_owned()));
    }

    #[test]
    fn shed_calls_say_when_to_try_again() {
        let status = overloaded(3);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(RETRY_AFTER));
    }

    #[test]
    fn faults_are_named_but_not_without_end() {
        let status = invalid((0..100).map(|at| FieldViolation::new(format!("ids[{at}]"), "is empty")).collect());
        assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), VIOLATIONS_MAX);
        assert_eq!(status.message(), "ids[0] is empty (and 99 more)");
    }
}
