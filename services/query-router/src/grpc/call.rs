//! One call into the core: what of a gRPC call goes along, and what of the answer comes back.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use layer_service::deadline::{REQUEST_TIMEOUT_MS, parse_grpc_timeout};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Response, Status};

use super::WireCall;
use super::decode::Unreadable;
use super::encode::{Encoded, EncodedFetch, WireRequest};
use super::errors;
use crate::{
    fetch::{Batch, Carried, Failure, absent},
    headers::served_by_layer,
    refusal::Refusal,
};

/// The longest time that the core takes; a longer one is as good as this.
const TIMEOUT_MAX: Duration = Duration::from_millis(86_400_000);
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Who calls, and under which deadline and trace.
#[derive(Debug)]
pub(super) struct Caller {
    headers: HeaderMap,
    extensions: Extensions,
}

impl Caller {
    /// Takes a gRPC request apart.
    pub(super) fn of<T>(request: tonic::Request<T>) -> Result<(Self, T), Status> {
        let (metadata, extensions, message) = request.into_parts();
        let metadata = metadata.into_headers();
        let mut headers = HeaderMap::new();
        for (name, value) in metadata.iter().filter(|(name, _)| goes_along(name)) {
            headers.append(name.clone(), value.clone());
        }
        if let Some(timeout) = metadata.get("grpc-timeout") {
            headers.insert(REQUEST_TIMEOUT_MS, timeout_ms(timeout)?.into());
        }
        Ok((Self { headers, extensions }, message))
    }

    /// Sends what was encoded, if nothing is wrong with it.
    pub(super) async fn send<C: WireCall>(self, core: &C, encoded: Encoded) -> Result<Answer, Status> {
        let wire = encoded.map_err(errors::invalid)?;
        let (parts, body) = core.call(self.into_http(wire)?).await.into_parts();
        let carried = parts.extensions.get().cloned();
        Ok(Answer { status: parts.status, headers: parts.headers, body, carried })
    }

    /// The same for a fetch, which goes along in typed form.
    pub(super) async fn fetch<C: WireCall>(mut self, core: &C, encoded: EncodedFetch) -> Result<Answer, Status> {
        let (wire, typed) = encoded.map_err(errors::invalid)?;
        self.extensions.insert(typed);
        self.send(core, Ok(wire)).await
    }

    fn into_http(self, wire: WireRequest) -> Result<Request<Bytes>, Status> {
        let uri =
            Uri::try_from(wire.target).map_err(|_| errors::invalid_metadata("namespace", "makes no valid path"))?;
        let mut request = Request::new(wire.body);
        *request.method_mut() = wire.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers;
        *request.extensions_mut() = self.extensions;
        request.headers_mut().insert(header::ACCEPT, JSON);
        // Read here and now: compression would be undone at once.
        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if !request.body().is_empty() {
            request.headers_mut().insert(header::CONTENT_TYPE, JSON);
        }
        Ok(request)
    }
}

/// Authorization, trace context and `x-*`, as text; binary metadata has no place in HTTP/1.
fn goes_along(name: &HeaderName) -> bool {
    let name = name.as_str();
    let known = matches!(name, "authorization" | "traceparent" | "tracestate");
    known || (name.starts_with("x-") && !name.ends_with("-bin"))
}

/// The caller's `grpc-timeout` as the core takes it: whole milliseconds, rounded up, at most a day. Time that is up
/// already ends the call here: the core knows no deadline of nothing.
fn timeout_ms(value: &HeaderValue) -> Result<u64, Status> {
    let left = value.to_str().ok().and_then(parse_grpc_timeout).ok_or_else(|| {
        errors::invalid_metadata("grpc-timeout", "must be at most 8 digits and one of H, M, S, m, u, n")
    })?;
    if left.is_zero() {
        return Err(timed_out());
    }
    Ok(left.min(TIMEOUT_MAX).as_nanos().div_ceil(1_000_000).try_into().unwrap_or(u64::MAX))
}

/// What the core says when the time runs out.
fn timed_out() -> Status {
    let (status, code) = Refusal::Timeout.code();
    let body = serde_json::json!({"error": code, "message": "the deadline was over when the call came"}).to_string();
    layers_own(status, body.as_bytes(), MetadataMap::new())
}

/// What the core says of a document that is not there.
pub(super) fn not_found(namespace: &str, metadata: MetadataMap) -> Status {
    layers_own(StatusCode::NOT_FOUND, &absent(namespace), metadata)
}

/// What the core says of documents that could not be read.
pub(super) fn failed(failure: Failure) -> Status {
    match failure.into_answer() {
        Ok(told) => errors::from_answer(told.status(), told.headers(), told.body(), MetadataMap::new()),
        Err(refusal) => {
            let (status, code) = refusal.code();
            let body = serde_json::json!({"error": code, "message": refusal.to_string()}).to_string();
            layers_own(status, body.as_bytes(), MetadataMap::new())
        }
    }
}

fn layers_own(status: StatusCode, body: &[u8], metadata: MetadataMap) -> Status {
    let mut headers = HeaderMap::new();
    served_by_layer(&mut headers);
    errors::from_answer(status, &headers, body, metadata)
}

/// What the core answered.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    carried: Option<Carried>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Answer {
    /// The documents that were fetched, and what callers learn beside them.
    pub(super) fn batch(self) -> Result<(MetadataMap, Batch), Status> {
        let metadata = answer_metadata(&self.headers);
        if !self.status.is_success() {
            return Err(errors::from_answer(self.status, &self.headers, &self.body, metadata));
        }
        let batch = self.carried.and_then(|carried| carried.take());
        let batch = batch.ok_or_else(|| errors::unreadable(&Unreadable { field: "documents" }))?;
        Ok((metadata, batch))
    }

    /// The typed answer, if the core's is a success.
    pub(super) fn read<T>(self, read: impl FnOnce(&[u8]) -> Result<T, Unreadable>) -> Result<Response<T>, Status> {
        let metadata = answer_metadata(&self.headers);
        if !self.status.is_success() {
            return Err(errors::from_answer(self.status, &self.headers, &self.body, metadata));
        }
        let message = read(&self.body).map_err(|unreadable| errors::unreadable(&unreadable))?;
        Ok(Response::from_parts(metadata, message, Extensions::default()))
    }

    /// The same for queries, which the origin answers with 202 while it builds an index that they need.
    pub(super) fn read_query<T>(
        self,
        read: impl FnOnce(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<Response<T>, Status> {
        if self.status == StatusCode::ACCEPTED {
            let metadata = answer_metadata(&self.headers);
            return Err(errors::from_answer(self.status, &self.headers, &self.body, metadata));
        }
        self.read(read)
    }
}

/// What callers learn beside the answer: who made it, how long it took, and the trace.
pub(super) fn answer_metadata(headers: &HeaderMap) -> MetadataMap {
    let told = |name: &str| name.starts_with("x-layer-") || matches!(name, "server-timing" | "traceparent");
    let mut metadata = HeaderMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| told(name.as_str())) {
        metadata.append(name.clone(), value.clone());
    }
    MetadataMap::from_headers(metadata)
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn timeouts_become_milliseconds_of_a_day_at_most() {
        for (text, expected) in [
            ("1H", 3_600_000),
            ("2M", 120_000),
            ("3S", 3000),
            ("250m", 250),
            ("1u", 1),
            ("1001u", 2),
            ("1n", 1),
            ("24H", 86_400_000),
            ("25H", 86_400_000),
            ("99999999H", 86_400_000),
        ] {
            assert_eq!(timeout_ms(&HeaderValue::from_static(text)).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_by_name_and_no_time_left_is_a_deadline() {
        for text in ["100000000m", "m", "", "+1m", "1x", "1", "1µ"] {
            let refused = timeout_ms(&HeaderValue::from_bytes(text.as_bytes()).unwrap()).unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{text}");
            assert!(refused.message().contains("grpc-timeout"), "{refused}");
        }
        let over = timeout_ms(&HeaderValue::from_static("0m")).unwrap_err();
        assert_eq!(over.code(), Code::DeadlineExceeded);
        assert_eq!(over.get_details_error_info().unwrap().reason, "GATEWAY_TIMEOUT");
    }
}
