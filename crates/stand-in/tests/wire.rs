//! The edge of the wire, asked in process: compression both ways, the region, the name, hostile bodies.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::io::{Read, Write};

use axum::{Router, body::Body};
use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use layer_stand_in::{Error, Options, open};
use serde_json::{Value, json};
use tower::ServiceExt;

struct Origin {
    router: Router,
    directory: tempfile::TempDir,
}

impl Origin {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let router = open(Options { data_dir: directory.path().to_owned() });
        Self { router: router.unwrap(), directory }
    }

    async fn send(&self, request: Request<Body>) -> Response<Bytes> {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let response = self.send(request(path).body(body.into()).unwrap()).await;
        let body = serde_json::from_slice(response.body()).unwrap();
        (response.status(), body)
    }
}

fn request(path: &str) -> http::request::Builder {
    let builder = Request::post(path).header(header::AUTHORIZATION, "Bearer test");
    builder.header(header::CONTENT_TYPE, "application/json")
}

fn rows(count: usize) -> String {
    let rows: Vec<Value> = (0..count).map(|id| json!({"id": id, "title": "a title of some length"})).collect();
    json!({"upsert_rows": rows}).to_string()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const ALL: &str = r#"{"rank_by":["id","asc"],"limit":1000,"include_attributes":true}"#;

async fn query(origin: &Origin, accept: &str, limit: usize) -> Response<Bytes> {
    let body = ALL.replace("1000", &limit.to_string());
    let request = request("/v2/namespaces/a/query").header(header::ACCEPT_ENCODING, accept);
    origin.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_gzipped_write_is_read() {
    let origin = Origin::new();
    let write = request("/v2/namespaces/a").header(header::CONTENT_ENCODING, "gzip");
    let answer = origin.send(write.body(Body::from(gzip(&rows(100)))).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let (_, found) = origin.post("/v2/namespaces/a/query", ALL).await;
    assert_eq!(found["rows"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn a_body_that_is_no_gzip_or_is_cut_off_is_a_400() {
    let origin = Origin::new();
    let cut = gzip(&rows(100));
    for body in [b"{}".to_vec(), cut[..cut.len() / 2].to_vec()] {
        let write = request("/v2/namespaces/a").header(header::CONTENT_ENCODING, "gzip");
        let answer = origin.send(write.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        assert!(text.contains("content-encoding"), "{text}");
    }
}

#[tokio::test]
async fn only_a_large_answer_to_who_accepts_it_is_gzipped() {
    let origin = Origin::new();
    origin.post("/v2/namespaces/a", rows(100)).await;
    let plain = query(&origin, "identity", 100).await;
    assert_eq!(plain.headers().get(header::CONTENT_ENCODING), None);
    let small = query(&origin, "gzip", 1).await;
    assert_eq!(small.headers().get(header::CONTENT_ENCODING), None);
    let large = query(&origin, "gzip", 100).await;
    assert_eq!(large.headers()[header::CONTENT_ENCODING], "gzip");
    let mut text = Vec::new();
    GzDecoder::new(&large.body()[..]).read_to_end(&mut text).unwrap();
    assert_eq!(text.len(), plain.body().len());
}

#[tokio::test]
async fn it_names_itself_and_takes_a_region() {
    let origin = Origin::new();
    origin.post("/gcp-us-central1/v2/namespaces/a", rows(1)).await;
    let answer = query(&origin, "identity", 1).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let name = answer.headers()[header::SERVER].to_str().unwrap();
    assert!(name.starts_with("layer-stand-in/") && name.contains("minifugu"), "{name}");
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_the_next_request_is_served() {
    let origin = Origin::new();
    origin.post("/v2/namespaces/a", rows(1)).await;
    let deep_filter = format!(
        r#"{{"rank_by":["id","asc"],"limit":1,"filters":{}["id","Eq",1]{}}}"#,
        r#"["Not","#.repeat(5000),
        "]".repeat(5000)
    );
    let hostile = [
        "[".repeat(1 << 20),
        deep_filter,
        format!(r#"{{"upsert_rows":[{{"id":"{}"}}]}}"#, "x".repeat(4 << 20)),
        format!(r#"{{"upsert_rows":[{{"id":{}}}]}}"#, "9".repeat(400)),
        r#"{"upsert_rows":[{"id":1,"v":[1]}],"schema":{"v":{"type":"[99999999999999999999]f32","ann":true}}}"#
            .to_owned(),
        "{\"upsert_rows\":[{\"id\":\"".to_owned(),
    ];
    for body in hostile {
        for path in ["/v2/namespaces/a", "/v2/namespaces/a/query"] {
            let (status, answer) = origin.post(path, body.clone()).await;
            assert!(status.is_client_error(), "{status} {path} {answer}");
            assert!(answer["error"].is_string(), "{answer}");
        }
    }
    assert_eq!(query(&origin, "identity", 1).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_directory_has_one_owner_and_is_free_again_when_it_goes() {
    let Origin { router, directory } = Origin::new();
    let options = Options { data_dir: directory.path().to_owned() };
    assert!(matches!(open(options.clone()), Err(Error::InUse { .. })));
    drop(router);
    assert!(open(options).is_ok());
}

#[tokio::test]
async fn data_that_cannot_be_loaded_is_an_error_that_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("namespaces.json"), "{").unwrap();
    let refused = open(Options { data_dir: directory.path().to_owned() });
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("move its namespaces.* files aside"), "{text}");
}
