//! Web pages that reach for a router on the reader's own machine.
//!
//! In mode `open` a router on loopback asks for no key, and lends the origin's. Any page in a browser on that machine can
//! send requests to loopback: across origins (the browser then names the page in `origin`), or by a name of its own that
//! it lets resolve to loopback (`host` then is that name). Both are refused.

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderValue,
    header::{HOST, ORIGIN},
    uri::Authority,
};

use crate::refusal::Refusal;

/// Refuses a request that names a host or comes from a page elsewhere than on loopback.
pub fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    let page = headers.get(ORIGIN).map(HeaderValue::as_bytes);
    if host.is_some_and(|host| !is_local(host)) {
        return Err(Refusal::Foreign("host"));
    }
    if page.is_some_and(|page| !is_local(after_scheme(page))) {
        return Err(Refusal::Foreign("origin"));
    }
    Ok(())
}

fn after_scheme(page: &[u8]) -> &[u8] {
    let at = page.windows(3).position(|window| window == b"://");
    at.map_or(page, |at| &page[at + 3..])
}

fn is_local(authority: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(authority) else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(host: &'static str, page: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
        if let Some(page) = page {
            headers.insert(ORIGIN, HeaderValue::from_static(page));
        }
        check(&headers).is_err()
    }

    #[test]
    fn programs_and_pages_of_this_machine_may() {
        for host in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"] {
            assert!(!refused(host, None) && !refused(host, Some("http://127.0.0.1:3000")), "{host}");
        }
        assert!(check(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn pages_from_elsewhere_may_not() {
        for host in ["evil.example", "127.0.0.1.evil.example:8080", "10.0.0.1", ""] {
            assert!(refused(host, None), "{host}");
        }
        for page in ["https://evil.example", "null", "http://localhost.evil.example"] {
            assert!(refused("127.0.0.1", Some(page)), "{page}");
        }
    }
}
