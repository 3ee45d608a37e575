//! What was asked, as far as the concerns of the edge look at it, and the two ways in which they change an answer.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};

/// A request after its body was read. Cloning a body shares it.
pub(super) struct Asked {
    method: Method,
    path: String,
    pub(super) body: Bytes,
    /// When the whole request was here.
    pub(super) received: Instant,
    /// When it got its turn to run.
    pub(super) began: Instant,
}

impl Asked {
    pub(super) fn new(request: &Request<Bytes>) -> Self {
        let now = Instant::now();
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            body: request.body().clone(),
            received: now,
            began: now,
        }
    }

    pub(super) fn turn_began(&mut self) {
        self.began = Instant::now();
    }

    /// The namespace in the path, as it is written there.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.below_namespaces().map(|(_, name, _)| name)
    }

    pub(super) fn is(&self, method: &Method, version: &str, verb: &str) -> bool {
        let there = self.below_namespaces().is_some_and(|(v, _, rest)| v == version && rest == verb);
        there && self.method == *method
    }

    /// Version, namespace, and what follows it: `/v2/namespaces/a/query` is `("v2", "a", "query")`.
    fn below_namespaces(&self) -> Option<(&str, &str, &str)> {
        let (version, rest) = self.path.strip_prefix('/')?.split_once("/namespaces/")?;
        let (name, verb) = rest.split_once('/').unwrap_or((rest, ""));
        Some((version, name, verb))
    }
}

/// Gives an answer another JSON body.
pub(super) fn set_json(response: &mut Response<Bytes>, body: Vec<u8>) {
    set_body(response, body, "application/json");
}

/// Gives an answer another status and a body of plain text.
pub(super) fn set_text(response: &mut Response<Bytes>, status: StatusCode, text: &str) {
    *response.status_mut() = status;
    set_body(response, text.as_bytes().to_vec(), "text/plain; charset=utf-8");
}

fn set_body(response: &mut Response<Bytes>, body: Vec<u8>, content_type: &'static str) {
    *response.body_mut() = Bytes::from(body);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
}

#[cfg(test)]
pub(super) fn asked(method: Method, path: &str, body: &str) -> Asked {
    let request = Request::builder().method(method).uri(path).body(Bytes::from(body.to_owned()));
    Asked::new(&request.expect("a request"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_into_version_namespace_and_verb() {
        let query = asked(Method::POST, "/v2/namespaces/a%20b/query?x=1", "");
        assert!(query.is(&Method::POST, "v2", "query"));
        assert!(!query.is(&Method::GET, "v2", "query"));
        assert_eq!(query.namespace(), Some("a%20b"));
        assert!(asked(Method::POST, "/v2/namespaces/a", "").is(&Method::POST, "v2", ""));
        assert_eq!(asked(Method::GET, "/v1/namespaces", "").namespace(), None);
    }
}
