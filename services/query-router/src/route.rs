//! Which call a path and method are.
//!
//! Matching is by hand: a router crate would allocate and box on the way of every request, for a dozen fixed shapes.

use http::Method;

use crate::{functions::FunctionRoute, pipelines::PipelineRoute};

/// A call, with the namespace as it stands in the path (still percent-encoded).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// GET /health
    Health,
    /// GET /ready
    Ready,
    /// GET /metrics
    Metrics,
    /// GET /v1/namespaces
    List,
    /// POST /v2/namespaces/{ns}, also its asynchronous form
    Write(&'a str),
    /// DELETE /v2/namespaces/{ns}
    DeleteNamespace(&'a str),
    /// POST /v2/namespaces/{ns}/query
    Query(&'a str),
    /// POST /v1/namespaces/{ns}/query, an alias that published hevlayer clients use
    QueryAlias(&'a str),
    /// POST /v2/namespaces/{ns}/explain_query
    Explain(&'a str),
    /// GET and POST /v1/namespaces/{ns}/schema
    Schema(&'a str),
    /// GET /v1 and /v2, PATCH /v1 /namespaces/{ns}/metadata
    Metadata(&'a str),
    /// GET /v1/namespaces/{ns}/hint_cache_warm
    WarmHint(&'a str),
    /// POST /v2/namespaces/{ns}/invalidate
    Invalidate(&'a str),
    /// POST /v1/namespaces/{ns}/_debug/recall
    Recall(&'a str),
    /// GET /v1/namespaces/{ns}/operations/{token}
    Operation(&'a str),
    /// GET /v2/namespaces/{ns}/documents/{id}
    Document(&'a str, &'a str),
    /// POST /v2/namespaces/{ns}/documents
    Documents(&'a str),
    /// POST /v2/namespaces/{ns}/warm
    Warm(&'a str),
    /// GET /v2/namespaces/{ns}/warm-jobs
    WarmJobs(&'a str),
    /// GET /v2/namespaces/{ns}/warm-jobs/{id}
    WarmJob(&'a str, &'a str),
    /// DELETE /v2/namespaces/{ns}/warm-jobs/{id}
    CancelWarmJob(&'a str, &'a str),
    /// PUT /v1/namespaces/{ns}/blobs
    PutBlob(&'a str),
    /// GET and HEAD /v1/namespaces/{ns}/blobs/{sha256}
    Blob(&'a str, &'a str),
    /// /v2/pipelines and below
    Pipeline(PipelineRoute<'a>),
    /// /v2/udfs and below
    Function(FunctionRoute<'a>),
    /// Any other GET or HEAD below /v1 or /v2: the origin knows what it is
    OtherRead,
    /// Nothing that Layer serves
    Unknown,
}

/// The length of a region in front of the wire's own path (`/aws-us-east-1/v2/…`), which clients with a `{region}` in
/// their base URL send and the origin does not know.
pub fn region_prefix(path: &str) -> usize {
    let Some((region, rest)) = path.get(1..).and_then(|path| path.split_once('/')) else { return 0 };
    let cloud = ["aws-", "gcp-", "azure-"].iter().any(|cloud| region.starts_with(cloud));
    let named = region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if cloud && named && (rest.starts_with("v1/") || rest.starts_with("v2/")) { region.len() + 1 } else { 0 }
}

/// Whether a part of a path means another path to whoever normalises it on the way to the origin: `.` and `..`, also
/// percent-encoded, and encoded separators. A write could then take a route that does not stamp.
fn is_confusing(segment: &str) -> bool {
    if !segment.contains('%') {
        return segment == "." || segment == "..";
    }
    let lower = segment.to_ascii_lowercase();
    let plain = lower.replace("%2e", ".");
    plain == "." || plain == ".." || ["%2f", "%5c", "%25"].iter().any(|encoded| lower.contains(encoded))
}

impl<'a> Route<'a> {
    /// The call that `method` on `path` is.
    pub fn of(method: &Method, path: &'a str) -> Self {
        let read = *method == Method::GET || *method == Method::HEAD;
        let found = match path {
            "/health" if read => Self::Health,
            "/ready" if read => Self::Ready,
            "/metrics" if read => Self::Metrics,
            "/v1/namespaces" if read => Self::List,
            _ => match Self::of_pipelines(method, path) {
                // Layer's own, so never a matter for the origin.
                Some(found) => return found,
                None => Self::in_namespace(method, path),
            },
        };
        match found {
            Self::Unknown if read && (path.starts_with("/v1/") || path.starts_with("/v2/")) => Self::OtherRead,
            found => found,
        }
    }

    /// What is asked of pipelines and functions; none where the path is not theirs.
    fn of_pipelines(method: &Method, path: &'a str) -> Option<Self> {
        let below = |root: &str| path.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let found = match (below("/v2/pipelines"), below("/v2/udfs")) {
            (Some(rest), _) => PipelineRoute::of(method.as_str(), rest).map(Self::Pipeline),
            (_, Some(rest)) => FunctionRoute::of(method.as_str(), rest).map(Self::Function),
            _ => return None,
        };
        Some(found.unwrap_or(Self::Unknown))
    }

    fn in_namespace(method: &Method, path: &'a str) -> Self {
        let (version, rest) = match (path.strip_prefix("/v1/namespaces/"), path.strip_prefix("/v2/namespaces/")) {
            (Some(rest), _) => (1, rest),
            (_, Some(rest)) => (2, rest),
            _ => return Self::Unknown,
        };
        let (namespace, action) = match rest.split_once('/') {
            // A slash with nothing behind it is another path than none.
            Some(("", _) | (_, "")) => return Self::Unknown,
            Some(parts) => parts,
            None if rest.is_empty() => return Self::Unknown,
            None => (rest, ""),
        };
        if is_confusing(namespace) {
            return Self::Unknown;
        }
        match (method.as_str(), version, action) {
            ("POST", 2, "" | "async") => Self::Write(namespace),
            ("DELETE", 2, "") => Self::DeleteNamespace(namespace),
            ("POST", 2, "query") => Self::Query(namespace),
            ("POST", 1, "query") => Self::QueryAlias(namespace),
            ("POST", 2, "explain_query") => Self::Explain(namespace),
            ("GET" | "HEAD" | "POST", 1, "schema") => Self::Schema(namespace),
            ("GET" | "HEAD", _, "metadata") | ("PATCH", 1, "metadata") => Self::Metadata(namespace),
            ("GET", 1, "hint_cache_warm") => Self::WarmHint(namespace),
            ("POST", 2, "invalidate") => Self::Invalidate(namespace),
            ("POST", 1, "_debug/recall") => Self::Recall(namespace),
            ("POST", 2, "documents") => Self::Documents(namespace),
            ("GET" | "HEAD", 2, action) if document(action).is_some() => {
                document(action).map_or(Self::Unknown, |id| Self::Document(namespace, id))
            }
            ("POST", 2, "warm") => Self::Warm(namespace),
            ("GET" | "HEAD", 2, "warm-jobs") => Self::WarmJobs(namespace),
            ("GET" | "HEAD", 2, action) if action.starts_with("warm-jobs/") => Self::WarmJob(namespace, &action[10..]),
            ("DELETE", 2, action) if action.starts_with("warm-jobs/") => Self::CancelWarmJob(namespace, &action[10..]),
            ("PUT", 1, "blobs") => Self::PutBlob(namespace),
            ("GET" | "HEAD", 1, action) if action.starts_with("blobs/") => Self::Blob(namespace, &action[6..]),
            ("GET", 1, action) if action.starts_with("operations/") => Self::Operation(namespace),
            _ => Self::Unknown,
        }
    }

    /// The route's name, for metrics and spans: never a part of the path.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Metrics => "metrics",
            Self::List => "list_namespaces",
            Self::Write(_) => "write",
            Self::DeleteNamespace(_) => "delete_namespace",
            Self::Query(_) | Self::QueryAlias(_) => "query",
            Self::Explain(_) => "explain_query",
            Self::Schema(_) => "schema",
            Self::Metadata(_) => "metadata",
            Self::WarmHint(_) => "hint_cache_warm",
            Self::Invalidate(_) => "invalidate",
            Self::Recall(_) => "recall",
            Self::Operation(_) => "operation",
            Self::Document(..) => "fetch",
            Self::Documents(_) => "batch_fetch",
            Self::Warm(_) => "warm",
            Self::WarmJobs(_) => "list_warm_jobs",
            Self::WarmJob(..) => "get_warm_job",
            Self::CancelWarmJob(..) => "cancel_warm_job",
            Self::PutBlob(_) => "put_blob",
            Self::Blob(..) => "get_blob",
            Self::Pipeline(route) => route.call.name(),
            Self::Function(route) => route.call.name(),
            Self::OtherRead => "other_read",
            Self::Unknown => "unknown",
        }
    }

    /// The namespace that the call is about.
    pub fn namespace(&self) -> Option<&'a str> {
        match *self {
            Self::Write(name)
            | Self::DeleteNamespace(name)
            | Self::Query(name)
            | Self::QueryAlias(name)
            | Self::Explain(name)
            | Self::Schema(name)
            | Self::Metadata(name)
            | Self::WarmHint(name)
            | Self::Invalidate(name)
            | Self::Recall(name)
            | Self::Operation(name)
            | Self::Document(name, _)
            | Self::Documents(name)
            | Self::Warm(name)
            | Self::WarmJobs(name)
            | Self::WarmJob(name, _)
            | Self::CancelWarmJob(name, _)
            | Self::PutBlob(name)
            | Self::Blob(name, _) => Some(name),
            _ => None,
        }
    }
}

/// The id, still percent-encoded, in what follows a namespace. A slash in an id must be encoded.
fn document(action: &str) -> Option<&str> {
    action.strip_prefix("documents/").filter(|id| !id.is_empty() && !id.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_wire_is_known() {
        let cases = [
            ("GET", "/v1/namespaces", Route::List),
            ("POST", "/v2/namespaces/a", Route::Write("a")),
            ("POST", "/v2/namespaces/a/async", Route::Write("a")),
            ("DELETE", "/v2/namespaces/a", Route::DeleteNamespace("a")),
            ("POST", "/v2/namespaces/a/query", Route::Query("a")),
            ("POST", "/v1/namespaces/a/query", Route::QueryAlias("a")),
            ("POST", "/v2/namespaces/a/explain_query", Route::Explain("a")),
            ("GET", "/v1/namespaces/a/schema", Route::Schema("a")),
            ("POST", "/v1/namespaces/a/schema", Route::Schema("a")),
            ("GET", "/v2/namespaces/a/metadata", Route::Metadata("a")),
            ("GET", "/v1/namespaces/a/metadata", Route::Metadata("a")),
            ("PATCH", "/v1/namespaces/a/metadata", Route::Metadata("a")),
            ("GET", "/v1/namespaces/a/hint_cache_warm", Route::WarmHint("a")),
            ("POST", "/v2/namespaces/a/invalidate", Route::Invalidate("a")),
            ("POST", "/v1/namespaces/a/_debug/recall", Route::Recall("a")),
            ("GET", "/v1/namespaces/a/operations/t", Route::Operation("a")),
            ("GET", "/v2/namespaces/a/documents/1", Route::Document("a", "1")),
            ("HEAD", "/v2/namespaces/a/documents/%2e%2E%2f", Route::Document("a", "%2e%2E%2f")),
            ("POST", "/v2/namespaces/a/documents", Route::Documents("a")),
            ("POST", "/v2/namespaces/a/warm", Route::Warm("a")),
            ("GET", "/v2/namespaces/a/warm-jobs", Route::WarmJobs("a")),
            ("GET", "/v2/namespaces/a/warm-jobs/1", Route::WarmJob("a", "1")),
            ("DELETE", "/v2/namespaces/a/warm-jobs/1", Route::CancelWarmJob("a", "1")),
            ("PUT", "/v1/namespaces/a/blobs", Route::PutBlob("a")),
            ("GET", "/v1/namespaces/a/blobs/00ff", Route::Blob("a", "00ff")),
            ("HEAD", "/v1/namespaces/a/blobs/", Route::Blob("a", "")),
            ("GET", "/v1/namespaces/a/blobs", Route::OtherRead),
            ("GET", "/v2/namespaces/a/documents", Route::OtherRead),
            ("GET", "/v1/namespaces/a/documents/1", Route::OtherRead),
            ("GET", "/v1/namespaces/a", Route::OtherRead),
            ("HEAD", "/v1/namespaces/a", Route::OtherRead),
            ("GET", "/v2/new/route", Route::OtherRead),
            ("GET", "/health", Route::Health),
        ];
        for (method, path, route) in cases {
            assert_eq!(Route::of(&method.parse().unwrap(), path), route, "{method} {path}");
        }
    }

    #[test]
    fn a_region_in_front_is_found() {
        assert_eq!(region_prefix("/aws-us-east-1/v1/namespaces"), "/aws-us-east-1".len());
        for path in ["/v1/namespaces", "/aws-us-east-1", "/aws-us-east-1/v3/x", "/nowhere/v1/namespaces", "/", ""] {
            assert_eq!(region_prefix(path), 0, "{path}");
        }
    }

    #[test]
    fn what_could_write_past_layer_is_unknown() {
        for (method, path) in [
            ("POST", "/v1/namespaces/a"),
            ("POST", "/v1/vectors/a"),
            ("PUT", "/v2/namespaces/a"),
            ("POST", "/v2/namespaces/"),
            ("POST", "/v2/namespaces//query"),
            ("POST", "/v2/namespaces/a/"),
            ("POST", "/V2/namespaces/a"),
            ("POST", "/v2/namespaces/a/query/"),
            ("DELETE", "/v1/namespaces/a"),
            ("POST", "/v2/namespaces/./query"),
            ("POST", "/v2/namespaces/%2E%2e/query"),
            ("POST", "/v2/namespaces/a%2Fquery"),
            ("DELETE", "/v2/namespaces/a%5cb"),
            ("POST", "/v2/namespaces/a/documents/1"),
            ("POST", "/v1/namespaces/a/invalidate"),
            ("PUT", "/v2/namespaces/a/documents"),
            ("PUT", "/v1/namespaces/a/blobs/00ff"),
            ("DELETE", "/v1/namespaces/a/blobs/00ff"),
            ("GET", "/"),
        ] {
            assert_eq!(Route::of(&method.parse().unwrap(), path), Route::Unknown, "{method} {path}");
        }
    }
}
