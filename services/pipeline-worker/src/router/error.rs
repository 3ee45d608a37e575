//! What the router may answer instead.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::is_away;

/// When to try again where the router does not say.
const RETRY: Duration = Duration::from_secs(1);

/// Why a call of the router failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RouterError {
    /// It, or the origin behind it, did not answer, or has too much to do. What was asked for may have happened.
    #[error("the query-router is not available: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// When trying again makes sense.
        retry: Duration,
    },
    /// The origin refused the call.
    #[error("the origin refused: {message}")]
    Origin {
        /// The status of its answer as gRPC has it.
        code: Code,
        /// The status of its answer as HTTP has it, where the router told.
        http_status: Option<u16>,
        /// Its own words.
        message: String,
    },
    /// The router refused the call, and would again: keys, or a request of ours that it cannot read.
    #[error("the query-router refused: {reason}: {message}")]
    Refused {
        /// Its reason, a word.
        reason: String,
        /// Its own words.
        message: String,
    },
}

impl RouterError {
    /// Reads a status of the router.
    pub(super) fn from_status(status: &Status) -> Self {
        let message = status.message().to_owned();
        let info = status.get_details_error_info();
        let reason = info.as_ref().map(|info| info.reason.clone()).unwrap_or_default();
        if reason == "ORIGIN_ERROR" {
            let http_status = info.and_then(|info| info.metadata.get("http_status")?.parse().ok());
            return match http_status {
                // The origin is overloaded, or has an outage of its own: what passes, passes.
                Some(408 | 429 | 500..) => Self::Unavailable { reason: message, retry: retry(status) },
                _ => Self::Origin { code: status.code(), http_status, message },
            };
        }
        let passes = is_away(status.code()) || status.code() == Code::ResourceExhausted;
        match passes {
            true => Self::Unavailable { reason: message, retry: retry(status) },
            false => Self::Refused { reason, message },
        }
    }

    /// Whether the namespace is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Origin { http_status: Some(404), .. } | Self::Origin { code: Code::NotFound, .. })
    }
}

fn retry(status: &Status) -> Duration {
    status.get_details_retry_info().and_then(|info| info.retry_delay).unwrap_or(RETRY)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn status(code: Code, reason: &str, http: &str) -> Status {
        let metadata = HashMap::from([("http_status".to_owned(), http.to_owned())]);
        Status::with_error_details(code, "words", ErrorDetails::with_error_info(reason, "layer", metadata))
    }

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        let read = |code, reason, http| RouterError::from_status(&status(code, reason, http));
        assert!(matches!(read(Code::Unavailable, "GATEWAY_DRAINING", "503"), RouterError::Unavailable { .. }));
        assert!(matches!(read(Code::ResourceExhausted, "OVERLOADED", "429"), RouterError::Unavailable { .. }));
        assert!(matches!(read(Code::ResourceExhausted, "ORIGIN_ERROR", "429"), RouterError::Unavailable { .. }));
        assert!(matches!(read(Code::Internal, "ORIGIN_ERROR", "500"), RouterError::Unavailable { .. }));
        assert!(matches!(read(Code::InvalidArgument, "ORIGIN_ERROR", "400"), RouterError::Origin { .. }));
        assert!(matches!(read(Code::PermissionDenied, "FORBIDDEN", "403"), RouterError::Refused { .. }));
        assert!(read(Code::NotFound, "ORIGIN_ERROR", "404").is_not_found());
        let bare = RouterError::from_status(&Status::deadline_exceeded("late"));
        assert!(matches!(bare, RouterError::Unavailable { .. }));
    }
}
