//! Every error of the gRPC API, in one place: how what went wrong becomes a status with google.rpc details.
//!
//! Each error has an `ErrorInfo` of domain `layer` whose reason is stable; the text of a status is for people and may
//! change. `docs/grpc-errors.md` lists the reasons for callers, each with what to do:
//!
//! | reason | status | what happened |
//! |---|---|---|
//! | `INVALID_REQUEST` | INVALID_ARGUMENT | the typed request is wrong; `BadRequest` names the fields; nothing was sent |
//! | `ORIGIN_ERROR` | by its HTTP status, see [`origin_code`] | the origin refused or failed; `http_status` says how |
//! | `INDEX_BUILDING` | UNAVAILABLE | the origin still builds an index that the query needs |
//! | `UNREADABLE_ANSWER` | INTERNAL | an answer that breaks the wire's promises; `field` says where |
//! | any other | see [`layer_code`] | Layer's own answer: its code in upper case, such as `GATEWAY_DRAINING` |

use std::collections::HashMap;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::decode::Unreadable;

/// The domain of every reason.
const ERROR_DOMAIN: &str = "layer";
/// Bytes of an origin's message that are passed on at most: all of an error must fit 8 KiB of metadata.
const MAX_MESSAGE_BYTES: usize = 1024;
/// Further texts of an error body that are passed on at most, and their length.
const MAX_EXTRA_FIELDS: usize = 6;
const MAX_EXTRA_BYTES: usize = 128;
/// Longest wait that is passed on, as the origin's own clients do.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(30 * 60);

/// A request that is wrong, with every fault found.
pub(super) fn invalid(violations: Vec<FieldViolation>) -> Status {
    let message = match violations.as_slice() {
        [only] => format!("{} {}", only.field, only.description),
        [first, rest @ ..] => format!("{} {} (and {} more)", first.field, first.description, rest.len()),
        [] => "the request is not valid".to_owned(),
    };
    let mut details = info("INVALID_REQUEST", HashMap::new());
    details.set_bad_request(violations);
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// A metadata entry that is wrong.
pub(super) fn invalid_metadata(name: &'static str, description: &str) -> Status {
    invalid(vec![FieldViolation::new(name, description)])
}

/// An answer that breaks the wire's promises.
pub(super) fn unreadable(unreadable: &Unreadable) -> Status {
    let field = if unreadable.field.is_empty() { "the body" } else { unreadable.field };
    let metadata = HashMap::from([("field".to_owned(), field.to_owned())]);
    let message = format!("the answer of the origin cannot be read: {field}");
    Status::with_error_details(Code::Internal, message, info("UNREADABLE_ANSWER", metadata))
}

/// An answer of the core that is no success. `metadata` goes with it to the caller.
pub(super) fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8], metadata: MetadataMap) -> Status {
    let body = ErrorBody::read(body);
    let layers_own = headers.get("x-layer-served-by").is_some_and(|by| by == "layer");
    let (code, reason) = if status == StatusCode::ACCEPTED {
        (Code::Unavailable, "INDEX_BUILDING".to_owned())
    } else if layers_own {
        (layer_code(&body.error, status), upper(&body.error))
    } else {
        (origin_code(status), "ORIGIN_ERROR".to_owned())
    };
    let mut info_metadata = body.extra;
    info_metadata.insert("http_status".to_owned(), status.as_u16().to_string());
    let mut details = info(&reason, info_metadata);
    if let Some(delay) = retry_delay(headers) {
        details.set_retry_info(Some(delay));
    }
    let message = if body.message.is_empty() { format!("HTTP status {}", status.as_u16()) } else { body.message };
    Status::with_error_details_and_metadata(code, message, details, metadata)
}

/// The status of an error that the origin answered, relayed by Layer.
///
/// 409 is ABORTED: the origin's own clients try it again, which is what ABORTED says. 413 is INVALID_ARGUMENT: the same
/// request can never pass. 500 is INTERNAL and not UNAVAILABLE, so that callers which blindly repeat UNAVAILABLE do not
/// repeat what breaks the origin; 502 and 503 are UNAVAILABLE.
pub(super) fn origin_code(status: StatusCode) -> Code {
    match status.as_u16() {
        400 | 405 | 411 | 413 | 414 | 415 | 422 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        402 | 403 => Code::PermissionDenied,
        404 | 410 => Code::NotFound,
        408 | 504 => Code::DeadlineExceeded,
        409 => Code::Aborted,
        412 => Code::FailedPrecondition,
        429 => Code::ResourceExhausted,
        501 => Code::Unimplemented,
        502 | 503 => Code::Unavailable,
        500..=599 => Code::Internal,
        _ => Code::Unknown,
    }
}

/// The status of an error that Layer itself answered, by the code in its body.
pub(super) fn layer_code(code: &str, status: StatusCode) -> Code {
    match code {
        "validation_error" | "payload_too_large" => Code::InvalidArgument,
        "unauthorized" => Code::Unauthenticated,
        "forbidden" => Code::PermissionDenied,
        "not_found" => Code::NotFound,
        "conflict" => Code::Aborted,
        "precondition_failed" => Code::FailedPrecondition,
        "overloaded" => Code::ResourceExhausted,
        "request_timeout" | "gateway_timeout" => Code::DeadlineExceeded,
        "upstream_error" if status == StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        "upstream_error" | "service_unavailable" | "gateway_draining" => Code::Unavailable,
        _ => origin_code(status),
    }
}

fn info(reason: &str, metadata: HashMap<String, String>) -> ErrorDetails {
    ErrorDetails::with_error_info(reason, ERROR_DOMAIN, metadata)
}

/// `validation_error` → `VALIDATION_ERROR`; an answer without a code is `UNSPECIFIED`.
fn upper(code: &str) -> String {
    let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if code.is_empty() || !plain { "UNSPECIFIED".to_owned() } else { code.to_ascii_uppercase() }
}

/// What a body says of its error, whichever of the shapes it has.
#[derive(Debug, Default)]
struct ErrorBody {
    /// Layer's code.
    error: String,
    message: String,
    extra: HashMap<String, String>,
}

impl ErrorBody {
    /// Reads `{"error": code, "message": text, …}`, `{"status": "error", "error": text, …}` or plain text.
    fn read(body: &[u8]) -> Self {
        let Ok(mut object) = serde_json::from_slice::<Map<String, Value>>(body) else {
            let text = String::from_utf8_lossy(&body[..body.len().min(MAX_MESSAGE_BYTES)]);
            return Self { message: text.trim().to_owned(), ..Self::default() };
        };
        object.remove("status");
        let mut take = |name| object.remove(name).and_then(|value| value.as_str().map(str::to_owned));
        let error = take("error").map(|text| bounded(text, MAX_MESSAGE_BYTES)).unwrap_or_default();
        let message = take("message").map_or_else(|| error.clone(), |text| bounded(text, MAX_MESSAGE_BYTES));
        Self { error, message, extra: extra(object) }
    }
}

/// Further texts, such as the `attribute` of a refused schema change.
fn extra(object: Map<String, Value>) -> HashMap<String, String> {
    let texts = object.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) if name.len() <= MAX_EXTRA_BYTES => Some((name, bounded(text, MAX_EXTRA_BYTES))),
        _ => None,
    });
    texts.take(MAX_EXTRA_FIELDS).collect()
}

fn bounded(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
        text.push('…');
    }
    text
}

/// When to try again: `retry-after-ms`, else `retry-after` in seconds or as a date.
fn retry_delay(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let seconds = |text: &str| text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let delay = match text(http::HeaderName::from_static("retry-after-ms")) {
        Some(milliseconds) => Duration::from_millis(milliseconds.trim().parse().ok()?),
        None => {
            let after = text(header::RETRY_AFTER)?;
            seconds(after)
                .or_else(|| httpdate::parse_http_date(after).ok()?.duration_since(std::time::SystemTime::now()).ok())?
        }
    };
    Some(delay.min(MAX_RETRY_DELAY))
}

#[cfg(test)]
#[path = "errors_test.rs"]
mod tests;
