//! One call into the core: what of a gRPC call goes along, and what of the answer comes back.

use std::str::FromStr as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Response, Status};

use super::WireCall;
use super::decode::Unreadable;
use super::encode::{Encoded, WireRequest};
use super::errors;

const TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");
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
            let milliseconds = timeout_ms(timeout).ok_or_else(|| {
                errors::invalid_metadata("grpc-timeout", "must be at most 8 digits and one of H, M, S, m, u, n")
            })?;
            headers.insert(TIMEOUT, milliseconds.into());
        }
        Ok((Self { headers, extensions }, message))
    }

    /// Sends what was encoded, if nothing is wrong with it.
    pub(super) async fn send<C: WireCall>(self, core: &C, encoded: Encoded) -> Result<Answer, Status> {
        let wire = encoded.map_err(errors::invalid)?;
        let (parts, body) = core.call(self.into_http(wire)?).await.into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
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

/// Reads `grpc-timeout` (at most 8 digits and a unit) as milliseconds, rounded up: less than one is one.
fn timeout_ms(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount = u64::from_str(digits).ok()?;
    Some(match unit {
        "H" => amount * 3_600_000,
        "M" => amount * 60_000,
        "S" => amount * 1000,
        "m" => amount,
        "u" => amount.div_ceil(1000),
        "n" => amount.div_ceil(1_000_000),
        _ => return None,
    })
}

/// What the core answered.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
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
    use super::*;

    #[test]
    fn timeouts_become_milliseconds() {
        for (text, expected) in [
            ("1H", Some(3_600_000)),
            ("2M", Some(120_000)),
            ("3S", Some(3000)),
            ("250m", Some(250)),
            ("1u", Some(1)),
            ("1001u", Some(2)),
            ("1n", Some(1)),
            ("0m", Some(0)),
            ("99999999H", Some(359_999_996_400_000)),
            ("100000000m", None),
            ("m", None),
            ("", None),
            ("+1m", None),
            ("1x", None),
            ("1", None),
        ] {
            assert_eq!(timeout_ms(&HeaderValue::from_static(text)), expected, "{text}");
        }
        assert_eq!(timeout_ms(&HeaderValue::from_bytes("1µ".as_bytes()).unwrap()), None);
    }
}
