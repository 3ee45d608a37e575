//! Errors of gRPC calls with google.rpc details: an ErrorInfo of domain `layer` whose reason is stable, and what goes with
//! it.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

/// The domain of every reason.
const DOMAIN: &str = "layer";
/// When to try again after a call was shed: what is in flight is over by then.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Faults named at most: all of an error must fit 8 KiB of metadata.
const VIOLATIONS_MAX: usize = 16;

/// Details that say nothing but the reason.
pub fn details(reason: &str) -> ErrorDetails {
    ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new())
}

/// An error with its reason.
pub fn error(code: Code, reason: &str, message: impl Into<String>) -> Status {
    Status::with_error_details(code, message, details(reason))
}

/// An error that passes; callers may try again after `retry`.
pub fn passing(code: Code, reason: &str, message: impl Into<String>, retry: Duration) -> Status {
    let mut details = details(reason);
    details.set_retry_info(Some(retry));
    Status::with_error_details(code, message, details)
}

/// A request that is wrong, with its faults.
pub fn invalid(mut violations: Vec<FieldViolation>) -> Status {
    let count = violations.len();
    violations.truncate(VIOLATIONS_MAX);
    let first = violations.first().map(|first| format!("{} {}", first.field, first.description)).unwrap_or_default();
    let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
    let mut details = details("INVALID_ARGUMENT");
    details.set_bad_request(violations);
    Status::with_error_details(Code::InvalidArgument, first + &more, details)
}

/// A request with one fault.
pub fn invalid_field(field: impl Into<String>, reason: impl Into<String>) -> Status {
    invalid(vec![FieldViolation::new(field, reason)])
}

/// Too many calls are in flight.
pub fn overloaded(limit: usize) -> Status {
    let mut details =
        ErrorDetails::with_error_info("OVERLOADED", DOMAIN, HashMap::from([("limit".to_owned(), limit.to_string())]));
    details.set_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::ResourceExhausted, format!("{limit} calls are in flight already"), details)
}

/// The call's time ran out before it was answered.
pub fn too_late() -> Status {
    error(Code::DeadlineExceeded, "REQUEST_TIMEOUT", "the call was not answered within its deadline")
}

/// The deadline of a call cannot be read.
pub fn invalid_timeout(accepts: &str) -> Status {
    invalid_field("grpc-timeout", format!("must be {accepts}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
