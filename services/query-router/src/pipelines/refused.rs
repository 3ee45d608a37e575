//! What pipeline-worker refuses, as an answer over HTTP.
//!
//! The statuses and codes are those of the published envelope; `reason` is the contract's, and stable.

use std::collections::HashMap;

use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::refusal::{Refusal, Told};

/// What an error of the contract is over HTTP.
pub(crate) fn refusal(status: Status) -> Refusal {
    let details = status.get_error_details();
    let (reason, metadata) = match details.error_info() {
        Some(info) => (info.reason.clone(), info.metadata.clone()),
        None => (String::new(), HashMap::new()),
    };
    let wait = details.retry_info().and_then(|info| info.retry_delay);
    let (status_code, code) = match origin_status(&reason, &metadata) {
        Some(status) => (status, "origin_error"),
        None => of_code(status.code(), &reason),
    };
    let retry_after = match status_code {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Some(wait.map_or(1, |wait| wait.as_secs_f64().ceil().clamp(1.0, 3600.0) as u64))
        }
        _ => None,
    };
    let message = status.message().to_owned();
    Refusal::Told(Box::new(Told { status: status_code, code, reason, message, retry_after }))
}

/// The origin's own status, where an error is the origin's.
fn origin_status(reason: &str, metadata: &HashMap<String, String>) -> Option<StatusCode> {
    let status = metadata.get("http_status").filter(|_| reason == "ORIGIN_ERROR")?;
    let status = status.parse::<u16>().ok().filter(|status| (400..=599).contains(status))?;
    StatusCode::from_u16(status).ok()
}

/// The status and the envelope's code of an error.
fn of_code(code: Code, reason: &str) -> (StatusCode, &'static str) {
    match code {
        // The caller can do nothing about it: operators must.
        Code::FailedPrecondition if reason == "ROUTER_REFUSED" => (StatusCode::BAD_GATEWAY, "router_refused"),
        Code::DataLoss => (StatusCode::INTERNAL_SERVER_ERROR, "data_loss"),
        Code::InvalidArgument | Code::OutOfRange => (StatusCode::UNPROCESSABLE_ENTITY, "validation_error"),
        Code::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        Code::AlreadyExists | Code::Aborted => (StatusCode::CONFLICT, "conflict"),
        Code::FailedPrecondition => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
        Code::PermissionDenied => (StatusCode::FORBIDDEN, "forbidden"),
        Code::ResourceExhausted => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
        Code::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "gateway_timeout"),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, away(reason)),
        Code::Unimplemented => (StatusCode::NOT_IMPLEMENTED, "not_implemented"),
        _ => (StatusCode::BAD_GATEWAY, "upstream_error"),
    }
}

/// Which part is away.
fn away(reason: &str) -> &'static str {
    match reason {
        "PIPELINE_WORKER_UNAVAILABLE" => "pipeline_worker_unavailable",
        "STATE_UNAVAILABLE" => "state_unavailable",
        "OBJECT_STORE_UNAVAILABLE" => "object_store_unavailable",
        "ROUTER_UNAVAILABLE" => "router_unavailable",
        _ => "service_unavailable",
    }
}

/// The HTTP status that stands for a gRPC one where calls are counted.
pub(super) fn counted(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        code => of_code(code, "").0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic_types::ErrorDetails;

    use super::*;

    fn told(code: Code, reason: &str, metadata: &[(&str, &str)]) -> Told {
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let metadata: HashMap<_, _> = metadata.collect();
        let details = ErrorDetails::with_error_info(reason, "layer", metadata);
        match refusal(Status::with_error_details(code, "the message", details)) {
            Refusal::Told(told) => *told,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_error_has_its_status_its_code_and_its_reason() {
        for (code, reason, status, error, retry_after) in [
            (Code::InvalidArgument, "INVALID_ARGUMENT", 422, "validation_error", None),
            (Code::NotFound, "DOCUMENT_NOT_FOUND", 404, "not_found", None),
            (Code::AlreadyExists, "PIPELINE_EXISTS", 409, "conflict", None),
            (Code::Aborted, "STALE_VERSION", 409, "conflict", None),
            (Code::Aborted, "BODY_EXPIRED", 409, "conflict", None),
            (Code::Unavailable, "STATE_UNAVAILABLE", 503, "state_unavailable", Some(1)),
            (Code::Unavailable, "PIPELINE_WORKER_UNAVAILABLE", 503, "pipeline_worker_unavailable", Some(1)),
            (Code::Unavailable, "NEW", 503, "service_unavailable", Some(1)),
            (Code::ResourceExhausted, "OVERLOADED", 429, "overloaded", Some(1)),
            (Code::DeadlineExceeded, "GATEWAY_TIMEOUT", 504, "gateway_timeout", None),
            (Code::Internal, "", 502, "upstream_error", None),
            (Code::FailedPrecondition, "ROUTER_REFUSED", 502, "router_refused", None),
            (Code::FailedPrecondition, "NEW", 412, "precondition_failed", None),
            (Code::DataLoss, "BODY_LOST", 500, "data_loss", None),
            (Code::Unauthenticated, "", 502, "upstream_error", None),
        ] {
            let told = told(code, reason, &[]);
            let seen = (told.status.as_u16(), told.code, told.retry_after);
            assert_eq!(seen, (status, error, retry_after), "{reason}");
            assert_eq!((told.reason.as_str(), told.message.as_str()), (reason, "the message"));
        }
    }

    #[test]
    fn the_origins_own_status_is_kept() {
        let of = |reason, status| told(Code::Unknown, reason, &[("http_status", status)]);
        assert_eq!((of("ORIGIN_ERROR", "402").status.as_u16(), of("ORIGIN_ERROR", "402").code), (402, "origin_error"));
        assert_eq!(of("ORIGIN_ERROR", "429").retry_after, Some(1));
        for (reason, status) in [("ORIGIN_ERROR", "200"), ("ORIGIN_ERROR", "x"), ("OTHER", "402")] {
            assert_eq!(of(reason, status).status.as_u16(), 502, "{reason} {status}");
        }
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds() {
        let mut details = ErrorDetails::with_error_info("OVERLOADED", "layer", HashMap::new());
        details.set_retry_info(Some(Duration::from_millis(2100)));
        let Refusal::Told(told) = refusal(Status::with_error_details(Code::ResourceExhausted, "", details)) else {
            panic!("it was told")
        };
        assert_eq!(told.retry_after, Some(3));
    }
}
