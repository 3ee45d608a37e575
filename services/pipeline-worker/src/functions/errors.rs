//! Every error of the service, in one place: how what went wrong becomes a status with google.rpc details.
//!
//! The reasons are listed in the contract, at the service.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::state::Error;

/// The domain of every reason.
const DOMAIN: &str = "layer";
/// When to try again after a call was shed.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Faults named at most: all of an error must fit 8 KiB of metadata.
const VIOLATIONS_MAX: usize = 16;
/// The longest message of another part that is passed on, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024;

fn status(code: Code, reason: &str, message: impl Into<String>) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new()))
}

/// A request that is wrong, with its faults.
pub(crate) fn invalid(mut violations: Vec<FieldViolation>) -> Status {
    let count = violations.len();
    violations.truncate(VIOLATIONS_MAX);
    let first = violations.first().map(|first| format!("{} {}", first.field, first.description)).unwrap_or_default();
    let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
    let mut details = ErrorDetails::with_error_info("INVALID_ARGUMENT", DOMAIN, HashMap::new());
    details.set_bad_request(violations);
    Status::with_error_details(Code::InvalidArgument, first + &more, details)
}

/// One wrong field.
pub(crate) fn invalid_field(field: impl Into<String>, reason: impl Into<String>) -> Status {
    invalid(vec![FieldViolation::new(field, reason)])
}

/// Too much is in flight.
pub(crate) fn overloaded(what: &str) -> Status {
    let mut details = ErrorDetails::with_error_info("OVERLOADED", DOMAIN, HashMap::new());
    details.set_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::ResourceExhausted, format!("too many calls wait for {what} already"), details)
}

/// What the state store answered instead.
pub(crate) fn state(error: Error) -> Status {
    match error {
        Error::Unavailable(_) => status(Code::Unavailable, "STATE_UNAVAILABLE", "the state store is not available"),
        Error::QueueNotFound { name, .. } => {
            status(Code::NotFound, "FUNCTION_NOT_FOUND", format!("there is no function `{name}`"))
        }
        Error::QueueExists { name, .. } => status(
            Code::AlreadyExists,
            "FUNCTION_EXISTS",
            format!("there is a function `{name}` already, which marks rows by the same attribute"),
        ),
        Error::Invalid { field, reason } => invalid_field(field, reason),
        Error::BodyExpired | Error::Broken(_) => {
            tracing::error!(%error, "the state store's answer makes no sense");
            status(Code::Internal, "INTERNAL", "the state store's answer makes no sense")
        }
    }
}

/// What became of a call to the router.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// There is no such namespace.
    NoNamespace,
    /// The same call can never pass: what the origin said.
    Refused(String),
    /// The origin, or the router, did not answer, or not now.
    Away(Status),
}

/// Sorts the router's errors.
pub(crate) fn trouble(status: Status) -> Trouble {
    match status.code() {
        Code::NotFound => Trouble::NoNamespace,
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition | Code::Unimplemented => {
            Trouble::Refused(cut(status.message()))
        }
        _ => Trouble::Away(status),
    }
}

impl Trouble {
    /// For metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::NoNamespace => "no_namespace",
            Self::Refused(_) => "refused",
            Self::Away(_) => "unavailable",
        }
    }
}

impl From<Trouble> for Status {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NoNamespace => status(Code::NotFound, "ORIGIN_ERROR", "there is no such namespace"),
            Trouble::Refused(message) => status(Code::InvalidArgument, "ORIGIN_ERROR", message),
            Trouble::Away(away) => {
                let info = away.get_details_error_info();
                let of_origin = info.is_some_and(|info| info.reason == "ORIGIN_ERROR");
                match of_origin {
                    true => status(away.code(), "ORIGIN_ERROR", cut(away.message())),
                    false => {
                        status(Code::Unavailable, "ROUTER_UNAVAILABLE", "rows can be neither read nor written now")
                    }
                }
            }
        }
    }
}

fn cut(message: &str) -> String {
    message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Kind;

    fn told(status: &Status) -> (Code, String) {
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.domain, "layer");
        (status.code(), info.reason)
    }

    #[test]
    fn every_failure_of_the_state_has_its_reason() {
        let name = || "f".to_owned();
        let reason = |error| told(&state(error));
        assert_eq!(reason(Error::Unavailable(name())), (Code::Unavailable, "STATE_UNAVAILABLE".to_owned()));
        let none = Error::QueueNotFound { kind: Kind::Function, name: name() };
        assert_eq!(reason(none), (Code::NotFound, "FUNCTION_NOT_FOUND".to_owned()));
        let one = Error::QueueExists { kind: Kind::Function, name: name() };
        assert_eq!(reason(one), (Code::AlreadyExists, "FUNCTION_EXISTS".to_owned()));
        assert_eq!(reason(Error::Broken(name())), (Code::Internal, "INTERNAL".to_owned()));
        let wrong = state(Error::Invalid { field: "id", reason: "is wrong".to_owned() });
        assert_eq!(wrong.get_details_bad_request().unwrap().field_violations[0].field, "id");
    }

    #[test]
    fn the_origins_words_are_passed_on_and_the_routers_absence_is_named() {
        let details = ErrorDetails::with_error_info("ORIGIN_ERROR", "layer", HashMap::new());
        let origin = |code| Status::with_error_details(code, "no!", details.clone());
        let passed = |status| told(&Status::from(trouble(status)));
        assert_eq!(passed(origin(Code::InvalidArgument)), (Code::InvalidArgument, "ORIGIN_ERROR".to_owned()));
        assert_eq!(passed(origin(Code::ResourceExhausted)), (Code::ResourceExhausted, "ORIGIN_ERROR".to_owned()));
        assert_eq!(passed(Status::unavailable("x")), (Code::Unavailable, "ROUTER_UNAVAILABLE".to_owned()));
        assert!(matches!(trouble(origin(Code::NotFound)), Trouble::NoNamespace));
    }

    #[test]
    fn faults_are_named_but_not_without_end() {
        let status = invalid((0..100).map(|at| FieldViolation::new(format!("items[{at}]"), "is empty")).collect());
        assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), VIOLATIONS_MAX);
        assert_eq!(status.message(), "items[0] is empty (and 99 more)");
    }
}
