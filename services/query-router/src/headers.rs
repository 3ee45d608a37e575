//! Headers that a proxy takes off or puts on.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, EXPECT, LOCATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use layer_origin::Target;

/// Who made an answer: `origin` when it was relayed, `layer` when it is Layer's own. The SDKs decide by it.
pub const SERVED_BY: HeaderName = HeaderName::from_static("x-layer-served-by");
/// Credential of Layer's own services. It never leaves the mesh.
pub const INTERNAL_KEY: HeaderName = HeaderName::from_static("x-layer-internal-key");
/// On writes that functions' results are: nobody is told of them. It never leaves the mesh.
pub const OF_FUNCTION: HeaderName = HeaderName::from_static("x-layer-function");
/// Where the time went, in milliseconds (W3C Server-Timing).
pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authorization"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Takes off what belongs to one hop only (RFC 9110, section 7.6.1).
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Most messages have none of them, and looking through the names is cheaper than asking for each.
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    let named: Vec<HeaderName> = headers.get_all(CONNECTION).iter().flat_map(names).collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.iter().any(|hop| hop == name)
}

fn names(value: &HeaderValue) -> impl Iterator<Item = HeaderName> {
    let text = value.to_str().unwrap_or_default();
    text.split(',').filter_map(|name| name.trim().parse().ok())
}

/// Takes off a request what must not reach the origin.
pub fn strip_request(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    // The body was asked for already, by reading it.
    headers.remove(EXPECT);
    headers.remove(INTERNAL_KEY);
    headers.remove(OF_FUNCTION);
}

/// Marks an answer as Layer's own.
pub fn served_by_layer(headers: &mut HeaderMap) {
    headers.insert(SERVED_BY, HeaderValue::from_static("layer"));
}

/// Marks an answer as the origin's.
pub fn served_by_origin(headers: &mut HeaderMap) {
    headers.insert(SERVED_BY, HeaderValue::from_static("origin"));
}

/// Makes a `Location` at the origin one at the router: the SDKs refuse to follow it to another host.
pub fn localize(headers: &mut HeaderMap, origin: &Target) {
    let Some(location) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else { return };
    if let Some(local) = origin.local_location(location)
        && let Ok(value) = HeaderValue::try_from(local)
    {
        headers.insert(LOCATION, value);
    }
}

/// Says where the time until now went: `layer` before the origin was asked, `origin` since.
pub fn timing(headers: &mut HeaderMap, started: Instant, asked: Option<Instant>) {
    let now = Instant::now();
    let asked = asked.unwrap_or(now);
    let (layer, origin) = (asked.saturating_duration_since(started), now.saturating_duration_since(asked));
    let mut text = Vec::with_capacity(64);
    text.extend_from_slice(b"layer;dur=");
    write_millis(&mut text, layer);
    text.extend_from_slice(b", origin;dur=");
    write_millis(&mut text, origin);
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
        headers.append(SERVER_TIMING, value);
    }
}

/// Appends a duration in milliseconds with three places. By hand: it is on the way of every answer, and the standard
/// library's formatting costs ten times as much.
fn write_millis(text: &mut Vec<u8>, duration: Duration) {
    let mut digits = [b'0'; 20];
    let mut left = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let mut first = digits.len();
    while left > 0 || first > digits.len() - 4 {
        first -= 1;
        digits[first] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    let (whole, places) = digits[first..].split_at(digits.len() - first - 3);
    text.extend_from_slice(whole);
    text.push(b'.');
    text.extend_from_slice(places);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timing_has_three_places() {
        for (micros, text) in [
            (0, "0.000"),
            (7, "0.007"),
            (999, "0.999"),
            (1_250, "1.250"),
            (61_000_001, "61000.001"),
            (u64::MAX, "18446744073709551.615"),
        ] {
            let mut written = Vec::new();
            write_millis(&mut written, Duration::from_micros(micros));
            assert_eq!(written, text.as_bytes());
        }
    }

    #[test]
    fn takes_off_what_connection_names_and_nothing_else() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Once"),
            ("connection", "x-twice"),
            ("x-once", "1"),
            ("x-twice", "1"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("x-layer-internal-key", "s"),
            ("x-layer-function", "true"),
            ("prefer", "respond-async"),
            ("content-encoding", "gzip"),
        ] {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value));
        }
        strip_request(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-encoding", "prefer"]);
    }
}
