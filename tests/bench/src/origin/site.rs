//! Which answer a request gets.

use std::sync::Arc;

use crate::bodies::{self, Size};
use crate::case::COUNTED;
use crate::fetch::documents;
use crate::warm::origin as warm;

use super::tally::{TALLY_TARGET, Tally};

/// An answer as it goes over the wire, head and body.
pub(super) type Answer = Arc<[u8]>;

/// The answers, made once, and the tally.
#[derive(Debug)]
pub(super) struct Site {
    query_small: Answer,
    query_large: Answer,
    written: Answer,
    namespaces: Answer,
    unknown: Answer,
    malformed: Answer,
    pub(super) tally: Tally,
}

impl Site {
    pub(super) fn new() -> Self {
        let error = |text: &str| format!(r#"{{"status":"error","error":"{text}"}}"#);
        Self {
            query_small: answer("200 OK", &bodies::query_answer(Size::Small)),
            query_large: answer("200 OK", &bodies::query_answer(Size::Large)),
            written: answer("200 OK", &bodies::write_answer()),
            namespaces: answer("200 OK", &bodies::namespaces_answer()),
            unknown: answer("404 Not Found", &error("the fake origin has no such route")),
            malformed: answer("400 Bad Request", &error("the request is malformed")),
            tally: Tally::default(),
        }
    }

    /// The answer to a request that was read to its end.
    pub(super) fn answer(&self, route: Route) -> Answer {
        match route {
            Route::Query(Size::Small) => self.query_small.clone(),
            Route::Query(Size::Large) => self.query_large.clone(),
            Route::Write => self.written.clone(),
            Route::Namespaces => self.namespaces.clone(),
            Route::Documents | Route::Warm(_) => self.malformed(),
            Route::WarmCount(count) => answer("200 OK", &warm::metadata(count)),
            Route::Tally => answer("200 OK", &serde_json::to_string(&self.tally).unwrap_or_default()),
            Route::Unknown => self.unknown.clone(),
        }
    }

    /// The answer to a query that says which documents it is for.
    pub(super) fn queried(&mut self, route: Route, query: &[u8]) -> Answer {
        self.tally.lookups += 1;
        let found = match route {
            Route::Warm(count) => warm::answer(query, count),
            _ => documents::asked(query).map(|ids| documents::answer(ids.into_iter())),
        };
        found.map_or_else(|| self.malformed(), |body| answer("200 OK", &body))
    }

    /// The answer to bytes that are no request.
    pub(super) fn malformed(&self) -> Answer {
        self.malformed.clone()
    }
}

fn answer(status: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    Arc::from((head + body).into_bytes())
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Query(Size),
    /// A query whose body says which documents to answer.
    Documents,
    /// The same in a namespace of so many documents that is warmed.
    Warm(u64),
    /// The metadata of such a namespace.
    WarmCount(u64),
    Write,
    Namespaces,
    Tally,
    Unknown,
}

impl Route {
    /// The route of a request line.
    pub(super) fn of(method: &str, target: &str) -> Self {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        match (method, path) {
            ("GET", "/v1/namespaces") => Self::Namespaces,
            ("GET", TALLY_TARGET) => Self::Tally,
            ("GET", _) => Self::of_metadata(path).unwrap_or(Self::Unknown),
            ("POST", _) => Self::of_namespace(path.strip_prefix("/v2/namespaces/").unwrap_or_default()),
            _ => Self::Unknown,
        }
    }

    /// Whether the answer depends on the body.
    pub(super) fn is_read(self) -> bool {
        matches!(self, Self::Documents | Self::Warm(_))
    }

    fn of_metadata(path: &str) -> Option<Self> {
        let (_, rest) = path.split_once("/namespaces/")?;
        warm::count(rest.strip_suffix("/metadata")?).map(Self::WarmCount)
    }

    fn of_namespace(rest: &str) -> Self {
        if let Some(count) = rest.strip_suffix("/query").and_then(warm::count) {
            return Self::Warm(count);
        }
        match rest.split_once('/') {
            Some((name, "query")) if name.starts_with(documents::NAMESPACE) => Self::Documents,
            Some((name, "query")) if name.ends_with(Size::Large.suffix()) => Self::Query(Size::Large),
            Some((_, "query")) => Self::Query(Size::Small),
            None if !rest.is_empty() => Self::Write,
            _ => Self::Unknown,
        }
    }
}

/// Whether the bodies for this target are looked into.
pub(super) fn is_counted(target: &str) -> bool {
    target.contains(COUNTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::http::{parse_request, parse_response};

    #[test]
    fn every_case_gets_the_answer_that_it_expects() {
        let site = Site::new();
        for case in Case::ALL {
            let request = case.request("origin", true);
            let head = parse_request(&request).unwrap().unwrap();
            assert_eq!(is_counted(head.target), case != Case::Namespaces);
            let answer = site.answer(Route::of(head.method, head.target));
            let head = parse_response(&answer).unwrap().unwrap();
            assert_eq!(head.status, 200);
            assert_eq!(&answer[head.length..], case.answer().as_bytes(), "{}", case.name());
        }
    }

    #[test]
    fn other_requests_are_unknown() {
        for (method, target) in
            [("GET", "/"), ("POST", "/v2/namespaces/"), ("POST", "/v2/namespaces/a/b"), ("PUT", "/v2/namespaces/a")]
        {
            assert_eq!(Route::of(method, target), Route::Unknown, "{method} {target}");
        }
    }
}
