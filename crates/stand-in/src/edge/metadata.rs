//! The metadata of `/v2/…/metadata`.
//!
//! minifugu answers both versions with the older shape. Version 2 names the mode of encryption, and its sizes come
//! from indexing, which a handful of rows has not had: the TypeScript SDK's tests expect zeros there. What minifugu
//! counts is given from [`INDEXED_FROM_BYTES`] on.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::asked::{Asked, set_json};

/// Where the live service begins to index is not published; this is ours.
const INDEXED_FROM_BYTES: u64 = 1024;

pub(super) fn as_v2(asked: &Asked, response: &mut Response<Bytes>) {
    if response.status() != StatusCode::OK || !asked.is(&Method::GET, "v2", "metadata") {
        return;
    }
    let Ok(mut metadata) = serde_json::from_slice::<Value>(response.body()) else {
        return;
    };
    metadata["encryption"] = encryption(&metadata["encryption"]);
    if metadata["approx_logical_bytes"].as_u64().is_some_and(|bytes| bytes < INDEXED_FROM_BYTES) {
        metadata["approx_logical_bytes"] = json!(0);
        metadata["approx_row_count"] = json!(0);
    }
    set_json(response, metadata.to_string().into_bytes());
}

fn encryption(v1: &Value) -> Value {
    match v1.pointer("/cmek/key_name") {
        Some(key_name) => json!({"mode": "customer-managed", "key_name": key_name}),
        None => json!({"mode": "default"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::asked::asked;

    fn edited(path: &str, metadata: &Value) -> Value {
        let mut response = Response::new(Bytes::from(metadata.to_string()));
        as_v2(&asked(Method::GET, path, ""), &mut response);
        serde_json::from_slice(response.body()).unwrap()
    }

    #[test]
    fn version_two_names_the_mode_and_hides_the_size_of_a_handful_of_rows() {
        let small = json!({"approx_logical_bytes": 314, "approx_row_count": 4, "encryption": {"sse": true}, "x": 1});
        let expected =
            json!({"approx_logical_bytes": 0, "approx_row_count": 0, "encryption": {"mode": "default"}, "x": 1});
        assert_eq!(edited("/v2/namespaces/a/metadata", &small), expected);
        assert_eq!(edited("/v1/namespaces/a/metadata", &small), small);
    }

    #[test]
    fn a_larger_namespace_shows_its_size_and_its_key() {
        let large =
            json!({"approx_logical_bytes": 1024, "approx_row_count": 9, "encryption": {"cmek": {"key_name": "k"}}});
        let expected = json!({"approx_logical_bytes": 1024, "approx_row_count": 9, "encryption": {"mode": "customer-managed", "key_name": "k"}});
        assert_eq!(edited("/v2/namespaces/a/metadata", &large), expected);
    }
}
