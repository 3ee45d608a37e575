//! What the router answered instead, sorted by what it means for an item; and errors of the service's own.

use std::time::Duration;

use layer_service::grpc::status;
use tonic::{Code, Status};

use crate::{failure::Failure, router::RouterError, state};

/// When to try again after a call was shed.
const RETRY: Duration = Duration::from_secs(1);
/// The longest message of another part that is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 512;

/// Too much is in flight.
pub(crate) fn overloaded(what: &str) -> Status {
    let message = format!("too many calls wait for {what} already");
    status::passing(Code::ResourceExhausted, "OVERLOADED", message, RETRY)
}

/// What the state store answered instead.
pub(crate) fn state(error: state::Error) -> Status {
    Failure::State(error).into()
}

/// What became of a call to the router.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// There is no such namespace.
    NoNamespace,
    /// The same call can never pass: why.
    Refused(String),
    /// Nobody answered, or not now, or not to this service.
    Away(RouterError),
}

/// Sorts the router's errors.
pub(crate) fn trouble(error: RouterError) -> Trouble {
    if error.is_not_found() {
        return Trouble::NoNamespace;
    }
    match error {
        RouterError::Origin {
            code: Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition | Code::Unimplemented,
            message,
            ..
        } => Trouble::Refused(cut(&message)),
        // The router itself refuses what it cannot write: a value that is no number, a body that is too large.
        RouterError::Refused { reason, message } if OF_THE_REQUEST.contains(&reason.as_str()) => {
            Trouble::Refused(cut(&message))
        }
        away => Trouble::Away(away),
    }
}

/// The router's reasons that are about a request, not about who sends it.
const OF_THE_REQUEST: [&str; 3] = ["INVALID_REQUEST", "VALIDATION_ERROR", "PAYLOAD_TOO_LARGE"];

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
            Trouble::NoNamespace => status::error(Code::NotFound, "ORIGIN_ERROR", "there is no such namespace"),
            Trouble::Refused(message) => status::error(Code::InvalidArgument, "ORIGIN_ERROR", message),
            Trouble::Away(error) => Failure::Router(error).into(),
        }
    }
}

fn cut(message: &str) -> String {
    message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    fn origin(code: Code, http_status: u16) -> RouterError {
        RouterError::Origin { code, http_status: Some(http_status), message: "no!".to_owned() }
    }

    fn refused(reason: &str) -> RouterError {
        RouterError::Refused { reason: reason.to_owned(), message: "no!".to_owned() }
    }

    #[test]
    fn only_what_is_about_the_request_is_held_against_it() {
        let label = |error| trouble(error).label();
        assert_eq!(label(origin(Code::NotFound, 404)), "no_namespace");
        assert_eq!(label(origin(Code::InvalidArgument, 400)), "refused");
        assert_eq!(label(origin(Code::PermissionDenied, 403)), "unavailable");
        assert_eq!((label(refused("VALIDATION_ERROR")), label(refused("FORBIDDEN"))), ("refused", "unavailable"));
        let away = RouterError::Unavailable { reason: "x".to_owned(), retry: RETRY };
        assert_eq!(label(away), "unavailable");
    }

    #[test]
    fn callers_are_told_who_said_no() {
        let told = |error| {
            let status = Status::from(trouble(error));
            (status.code(), status.get_details_error_info().unwrap().reason)
        };
        assert_eq!(told(origin(Code::InvalidArgument, 400)), (Code::InvalidArgument, "ORIGIN_ERROR".to_owned()));
        assert_eq!(told(origin(Code::PermissionDenied, 403)), (Code::PermissionDenied, "ORIGIN_ERROR".to_owned()));
        assert_eq!(told(refused("FORBIDDEN")), (Code::FailedPrecondition, "ROUTER_REFUSED".to_owned()));
    }
}
