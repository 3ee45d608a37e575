//! Deadlines as callers state them: `grpc-timeout` on gRPC, `x-request-timeout-ms` on HTTP.
//!
//! A hop takes the time left, works within it, and passes on what is left then.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The HTTP header that carries the time left, in whole milliseconds.
pub const REQUEST_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-request-timeout-ms");
/// gRPC's header for the same (PROTOCOL-HTTP2: up to eight digits and a unit).
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// A header that does not hold a time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("header `{header}` must be {accepts}")]
pub struct InvalidTimeout {
    /// The header's name.
    pub header: &'static str,
    /// What it accepts.
    pub accepts: &'static str,
}

/// When `headers` ask to be answered by, counted from `start`; `None` where they name no time.
///
/// # Errors
/// [`InvalidTimeout`] when a header is there but holds no time; zero is no time.
pub fn deadline(headers: &HeaderMap, start: Instant) -> Result<Option<Instant>, InvalidTimeout> {
    if let Some(value) = headers.get(REQUEST_TIMEOUT_MS) {
        let accepts = "a whole number of milliseconds from 1 to 86400000";
        let invalid = InvalidTimeout { header: "x-request-timeout-ms", accepts };
        let millis = value.to_str().ok().and_then(|text| text.parse::<u64>().ok());
        return match millis {
            Some(millis @ 1..=86_400_000) => Ok(Some(start + Duration::from_millis(millis))),
            _ => Err(invalid),
        };
    }
    let Some(value) = headers.get(GRPC_TIMEOUT) else { return Ok(None) };
    let accepts = "one to eight digits and a unit of H, M, S, m, u, n";
    let left = value.to_str().ok().and_then(parse_grpc_timeout);
    let left = left.ok_or(InvalidTimeout { header: "grpc-timeout", accepts })?;
    Ok(Some(start + left))
}

/// The time left until `deadline` as the value of [`REQUEST_TIMEOUT_MS`], at least 1 ms.
pub fn remaining_ms(deadline: Instant) -> HeaderValue {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis().max(1);
    HeaderValue::from(u64::try_from(left).unwrap_or(u64::MAX))
}

/// gRPC's timeout text as a duration.
pub fn parse_grpc_timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = &text[..text.len() - unit.len_utf8()];
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(amount * 3600)),
        'M' => Some(Duration::from_secs(amount * 60)),
        'S' => Some(Duration::from_secs(amount)),
        'm' => Some(Duration::from_millis(amount)),
        'u' => Some(Duration::from_micros(amount)),
        'n' => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn reads_both_forms() {
        let start = Instant::now();
        let left = |map| deadline(&map, start).unwrap().map(|at| at - start);
        assert_eq!(left(headers(REQUEST_TIMEOUT_MS, "250")), Some(Duration::from_millis(250)));
        assert_eq!(left(headers(GRPC_TIMEOUT, "3S")), Some(Duration::from_secs(3)));
        assert_eq!(left(headers(GRPC_TIMEOUT, "99999999n")), Some(Duration::from_nanos(99_999_999)));
        assert_eq!(left(HeaderMap::new()), None);
    }

    #[test]
    fn refuses_what_is_no_time_by_the_headers_name() {
        for value in ["", "0", "-1", "1.5", "1s", "86400001", "99999999999999999999"] {
            let refused = deadline(&headers(REQUEST_TIMEOUT_MS, value), Instant::now()).unwrap_err();
            assert!(refused.to_string().contains("x-request-timeout-ms"), "{value}");
        }
        for value in ["", "S", "123456789S", "-1S", "1", "1x", "1é"] {
            let refused = deadline(&headers(GRPC_TIMEOUT, value), Instant::now());
            assert!(refused.is_err() || value.is_empty(), "{value}");
        }
    }
}
