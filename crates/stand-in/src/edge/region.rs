//! An optional region as the first segment of the path.
//!
//! The Go and TypeScript suites name a region, and an SDK that is given one demands `{region}` in the base URL. With a
//! base URL of `http://127.0.0.1:PORT/{region}` their requests arrive as `/gcp-us-central1/v2/…`. The segment is
//! dropped; it selects nothing, since the stand-in is one region. Only a segment that reads like a cloud region and is
//! followed by `/v1/` or `/v2/` is dropped, so no route of the wire can be mistaken for one.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{Uri, uri::PathAndQuery};

pub(super) async fn strip(mut request: Request, next: Next) -> Response {
    if let Some(uri) = without_region(request.uri()) {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

fn without_region(uri: &Uri) -> Option<Uri> {
    let whole = uri.path_and_query()?.as_str();
    let (region, rest) = whole.strip_prefix('/')?.split_once('/')?;
    if !looks_like_region(region) || !(rest.starts_with("v1/") || rest.starts_with("v2/")) {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(&whole[1 + region.len()..]).ok()?);
    Uri::from_parts(parts).ok()
}

fn looks_like_region(segment: &str) -> bool {
    let known_cloud = ["aws-", "gcp-", "azure-"].iter().any(|cloud| segment.starts_with(cloud));
    known_cloud && segment.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(path: &'static str) -> Option<String> {
        without_region(&Uri::from_static(path)).map(|uri| uri.to_string())
    }

    #[test]
    fn one_leading_region_is_dropped_and_the_rest_kept_as_written() {
        let kept = stripped("/gcp-us-central1/v2/namespaces/a%20b/query?x=%2F&y");
        assert_eq!(kept.as_deref(), Some("/v2/namespaces/a%20b/query?x=%2F&y"));
        assert_eq!(stripped("/aws-us-east-1/v1/namespaces").as_deref(), Some("/v1/namespaces"));
    }

    #[test]
    fn nothing_else_is_taken_for_a_region() {
        for path in ["/v1/namespaces", "/v2/namespaces/gcp-x", "/gcp-x/v3/a", "/gcp-x", "/Gcp-x/v1/a", "/x/v1/a", "/"] {
            assert_eq!(stripped(path), None, "{path}");
        }
        let once = stripped("/gcp-a/v1/gcp-b/v1/x");
        assert_eq!(once.as_deref(), Some("/v1/gcp-b/v1/x"));
    }
}
