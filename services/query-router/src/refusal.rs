//! Layer's own answers when a call goes wrong: one envelope, `{"error": code, "message": text}`.
//!
//! What the origin answered is never touched by this; it is relayed as it came.

use http::{
    HeaderValue, Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER},
};
use layer_wire::Rejection;
use serde_json::json;

use crate::{body::ResponseBody, headers::served_by_layer};

/// Why Layer did not relay a call.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No bearer, or no readable one.
    #[error("header `authorization` must be `Bearer <key>`: {0}")]
    Unauthorized(&'static str),
    /// A bearer that is not the right one.
    #[error("the key in header `authorization` is not valid here")]
    Forbidden,
    /// A web page from elsewhere, in mode `open`.
    #[error("header `{0}` names another machine; mode `open` is for programs of this one (auth.open_anywhere)")]
    Foreign(&'static str),
    /// A value that cannot be used; the message names the field.
    #[error("{0}")]
    Invalid(String),
    /// A body that Layer must read in an encoding that it cannot.
    #[error("header `content-encoding`: `{0}` is not supported for this call; send gzip or identity")]
    Encoding(String),
    /// A body over the limit.
    #[error("the request body is larger than {limit} bytes (limits.body_bytes)")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// No such route.
    #[error("no route {method} {path}; Layer serves Turbopuffer's wire under /v1 and /v2")]
    NotFound {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// The caller's body stood still.
    #[error("the request body stood still for {limit_ms} ms (limits.body_stall_timeout_ms)")]
    Stalled {
        /// The limit.
        limit_ms: u64,
    },
    /// The caller's body broke off.
    #[error("the request body broke off: {0}")]
    BrokenOff(String),
    /// Too many requests in flight.
    #[error("Layer has {limit} requests in flight (limits.requests_max); try again shortly")]
    Overloaded {
        /// The limit.
        limit: usize,
    },
    /// Too much waits to be read from the origin.
    #[error("too many documents are being read from the origin: {0}; try again shortly")]
    Crowded(String),
    /// Every connection to the origin is in use.
    #[error("{0}; try again shortly")]
    Saturated(String),
    /// The origin cannot be reached or broke off.
    #[error("{0}")]
    Upstream(String),
    /// The time ran out; whether the origin acted is unknown.
    #[error("the time ran out before the origin answered; a write may still have been applied")]
    Timeout,
    /// The deadline passed before the request was sent whole, so the origin did nothing.
    #[error("the time ran out before the write was sent whole; nothing of it was applied")]
    Expired,
    /// Sending it would not have been safe any more; the origin did nothing.
    #[error("{0}; nothing of it was applied: try again")]
    Unsent(String),
    /// The document cache could not be told of a write, and writes are not sent without.
    #[error("doc-cache: {0}")]
    CacheAway(String),
    /// The document cache is away, and there is nothing to do without it.
    #[error("doc-cache: no replica of the document cache answers; try again shortly")]
    CacheCold,
    /// The object store is away.
    #[error("{0}; try again shortly")]
    StoreAway(String),
    /// What the call needs is not configured.
    #[error("{0}")]
    NoStore(&'static str),
    /// No such blob.
    #[error("the namespace has no blob with this hash")]
    NoBlob,
    /// No such job.
    #[error("the namespace has no warm job with this id")]
    NoJob,
    /// A blob over the limit.
    #[error("the blob is larger than {limit} bytes (blobs.bytes_max)")]
    BlobTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The process is stopping.
    #[error("this router is stopping")]
    Draining,
    /// Another part says so, or is away.
    #[error("{}", .0.message)]
    Told(Box<Told>),
}

/// What another part told, in the terms of the envelope.
#[derive(Debug)]
pub struct Told {
    /// The status.
    pub status: StatusCode,
    /// The envelope's code.
    pub code: &'static str,
    /// The contract's reason; empty where there is none.
    pub reason: String,
    /// What happened, for people.
    pub message: String,
    /// Seconds to wait.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// The envelope's code and the status that goes with it.
    pub fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Forbidden | Self::Foreign(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "validation_error"),
            Self::Encoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            Self::Stalled { .. } => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::BrokenOff(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::Overloaded { .. } | Self::Crowded(_) => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
            Self::Saturated(_) => (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable"),
            Self::Upstream(_) => (StatusCode::BAD_GATEWAY, "upstream_error"),
            Self::Unsent(_) => (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable"),
            Self::CacheAway(_) => (StatusCode::SERVICE_UNAVAILABLE, "doc_cache_unavailable"),
            Self::Timeout | Self::Expired => (StatusCode::GATEWAY_TIMEOUT, "gateway_timeout"),
            Self::StoreAway(_) => (StatusCode::SERVICE_UNAVAILABLE, "object_store_unavailable"),
            Self::NoStore(_) => (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable"),
            Self::CacheCold => (StatusCode::SERVICE_UNAVAILABLE, "cache_cold"),
            Self::NoBlob | Self::NoJob => (StatusCode::NOT_FOUND, "not_found"),
            Self::BlobTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "gateway_draining"),
            Self::Told(told) => (told.status, told.code),
        }
    }

    /// The answer that says so.
    pub fn into_response(self) -> Response<ResponseBody> {
        let (status, code) = self.code();
        let mut body = json!({"error": code, "message": self.to_string()});
        if let Self::Told(told) = &self
            && !told.reason.is_empty()
        {
            body["reason"] = json!(told.reason);
        }
        let mut response = Response::new(ResponseBody::whole(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        served_by_layer(headers);
        match self {
            Self::Overloaded { .. }
            | Self::Crowded(_)
            | Self::Saturated(_)
            | Self::Unsent(_)
            | Self::CacheAway(_)
            | Self::CacheCold
            | Self::StoreAway(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Draining => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Told(told) => {
                if let Some(seconds) = told.retry_after {
                    headers.insert(RETRY_AFTER, seconds.into());
                }
            }
            _ => {}
        }
        response
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Invalid(rejection.to_string())
    }
}

impl From<layer_origin::Error> for Refusal {
    fn from(error: layer_origin::Error) -> Self {
        match error {
            layer_origin::Error::Saturated { .. } => Self::Saturated(format!("the origin: {error}")),
            other => Self::Upstream(format!("the origin: {other}")),
        }
    }
}
