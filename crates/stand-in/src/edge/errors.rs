//! Errors about the namespace in the URL, in the live service's words.
//!
//! minifugu says "namespace does not exist" and answers a bad name with JSON; the live service names the namespace,
//! and answers a bad name with plain text, the one answer of its wire that is not JSON.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;

use super::asked::{Asked, set_json, set_text};

const MAX_NAME_BYTES: usize = 128;

#[derive(Deserialize)]
struct Failure {
    error: String,
}

pub(super) fn name_the_namespace(asked: &Asked, response: &mut Response<Bytes>) {
    let Some(namespace) = asked.namespace() else {
        return;
    };
    let Some(error) = message(response) else {
        return;
    };
    match response.status() {
        StatusCode::NOT_FOUND if error.ends_with("does not exist") => not_found(namespace, response),
        StatusCode::BAD_REQUEST if error == "invalid namespace name" => bad_name(namespace, response),
        _ => {}
    }
}

fn message(response: &Response<Bytes>) -> Option<String> {
    let failed = response.status().is_client_error();
    failed.then(|| serde_json::from_slice::<Failure>(response.body()).ok()).flatten().map(|failure| failure.error)
}

fn not_found(namespace: &str, response: &mut Response<Bytes>) {
    let error = format!("🤷 namespace '{namespace}' was not found");
    set_json(response, serde_json::json!({"status": "error", "error": error}).to_string().into_bytes());
}

/// A bad name elsewhere, as in a copy's source, keeps minifugu's words: the one in the URL is then a good one.
fn bad_name(namespace: &str, response: &mut Response<Bytes>) {
    if namespace.len() > MAX_NAME_BYTES {
        let text = "Invalid URL: Namespace is too long, limit is currently 128 characters";
        set_text(response, StatusCode::BAD_REQUEST, text);
    } else if !namespace.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        let text = "Invalid URL: Namespace contains invalid characters, must be [A-Za-z0-9-_.]";
        set_text(response, StatusCode::BAD_REQUEST, text);
    }
}
