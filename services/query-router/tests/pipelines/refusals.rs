//! What is wrong with a request, and what pipeline-worker refuses.

use std::collections::HashMap;

use layer_proto::pipeline::v1::{DocumentResult, DocumentStatus, PutRowsResponse};
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    fake::{Told, Worker, framed},
    mesh::{Mesh, PIPELINES, dead_port},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused_by_the_fields_name_before_anything_is_sent() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |settings| settings.pipelines.body_bytes_max = 10_000).await;
    let long = format!("{{\"chunks\":[{{\"id\":\"{}\"}}]}}", "c".repeat(10_000));
    for (method, path, body, status, named) in [
        ("POST", "/v2/pipelines", "{", 422, "body: EOF"),
        ("POST", "/v2/pipelines", "{}", 422, "missing field `id`"),
        ("POST", "/v2/pipelines", r#"{"id":1,"target_namespace":"n"}"#, 422, "id: invalid type"),
        ("POST", "/v2/pipelines", r#"{"id":"p","target_namespace":"n","stages":"a"}"#, 422, "stages: "),
        (
            "POST",
            "/v2/pipelines",
            r#"{"id":"p","target_namespace":"n","retry":{"attempts_max":0}}"#,
            422,
            "retry.attempts_max: ",
        ),
        ("POST", "/v2/pipelines", r#"{"id":"p","target_namespace":"n","leased_max":-1}"#, 422, "leased_max: "),
        ("POST", "/v2/pipelines/p/claim", r#"{"limit":1}"#, 422, "missing field `worker_id`"),
        ("POST", "/v2/pipelines/p/claim", r#"{"worker_id":"w","limit":0}"#, 422, "limit: "),
        ("POST", "/v2/pipelines/p/claim", r#"{"worker_id":"w","limit":4294967296}"#, 422, "limit: is too large"),
        ("POST", "/v2/pipelines/p/claim", r#"{"worker_id":"w","lease_seconds":86401}"#, 422, "lease_seconds: "),
        ("POST", "/v2/pipelines/p/claim", r#"{"worker_id":"w","wait_ms":30001}"#, 422, "wait_ms: "),
        ("POST", "/v2/pipelines/p/documents/heartbeat", r#"{"worker_id":"w"}"#, 422, "document_ids: is needed"),
        (
            "POST",
            "/v2/pipelines/p/documents/stage",
            r#"{"stage":"s","document_ids":[],"documents":[]}"#,
            422,
            "document_ids: excludes",
        ),
        ("POST", "/v2/pipelines/p/documents/stage", r#"{"stage":"s","document_ids":[1]}"#, 422, "document_ids[0]: "),
        (
            "POST",
            "/v2/pipelines/p/documents/fail",
            r#"{"documents":[{"document_id":"d","kind":"x"}]}"#,
            422,
            "documents[0].kind: ",
        ),
        (
            "POST",
            "/v2/pipelines/p/dead-letters/requeue",
            r#"{"document_ids":[]}"#,
            422,
            "document_ids: must not be empty",
        ),
        ("GET", "/v2/pipelines/p/dead-letters?page_size=x", "", 422, "page_size: "),
        ("PUT", "/v2/pipelines/p/documents/%ff", r#"{"chunks":[]}"#, 422, "document_id: must be UTF-8"),
        (
            "PUT",
            "/v2/pipelines/p/documents/d",
            r#"{"chunks":[{"id":"c","metadata":[1]}]}"#,
            422,
            "chunks[0].metadata: ",
        ),
        ("PUT", "/v2/pipelines/p/documents/d", r#"{"chunks":[{"text":"t"}]}"#, 422, "chunks[0]: missing field `id`"),
        ("PUT", "/v2/pipelines/p/documents/d", long.as_str(), 413, "larger than 10000 bytes"),
        (
            "PUT",
            "/v2/pipelines/p/documents/d/vectors",
            r#"{"vectors":[{"id":"c","vector":[1,"a"]}]}"#,
            422,
            "vectors[0].vector[1]: ",
        ),
        (
            "PUT",
            "/v2/pipelines/p/documents/d/vectors",
            r#"{"vectors":[{"id":"c","vector":[1e39]}]}"#,
            422,
            "vectors[0].vector[0]: number out of range",
        ),
        (
            "PUT",
            "/v2/pipelines/p/documents/d/vectors",
            r#"{"vectors":[{"id":"c","attributes":{"a":{"b":{}}}}]}"#,
            422,
            "vectors[0].attributes[\"a\"]: ",
        ),
        (
            "PUT",
            "/v2/pipelines/p/documents/d/vectors",
            r#"{"vectors":[{"id":"c","attributes":{"a":18446744073709551616}}]}"#,
            422,
            "64 bits",
        ),
        (
            "PUT",
            "/v2/pipelines/p/documents/d/vectors",
            r#"{"vectors":[{"id":"c","vector":[1],"attributes":{"vector":[1]}}]}"#,
            422,
            "given again",
        ),
        (
            "PUT",
            "/v2/pipelines/p/rows",
            r#"{"documents":[{"document_id":"d","rows":[{"id":"c","vectors":[["x"]]}]}]}"#,
            422,
            "documents[0].rows[0].vectors[0][0]: ",
        ),
        ("POST", "/v2/udfs", r#"{"id":"f","spec":{"worker":{},"filter":["a","Equals",1]}}"#, 422, "spec.filter: "),
        ("POST", "/v2/udfs", r#"{"id":"f","spec":{"triggers":["x"]}}"#, 422, "spec.triggers[0]: "),
        (
            "POST",
            "/v2/udfs/f/items/complete",
            r#"{"worker_id":"w","items":[{"namespace":"n","id":-1}]}"#,
            422,
            "items[0].id: ",
        ),
        (
            "POST",
            "/v2/udfs/f/items/fail",
            r#"{"worker_id":"w","items":[{"namespace":"n","id":"a"}]}"#,
            422,
            "items[0]: missing field `kind`",
        ),
        ("POST", "/v2/pipelines/p/nothing", "{}", 404, "no route POST /v2/pipelines/p/nothing"),
        ("GET", "/v2/udfs/f/nothing", "", 404, "no route GET /v2/udfs/f/nothing"),
    ] {
        let answer = mesh.ask(method, path, body).await;
        let message = answer.body["message"].as_str().unwrap();
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}: {message}");
        assert!(message.contains(named), "{method} {path} {body}: {message}");
    }
    // Nothing was told, so whatever had been sent would have been answered by 501.
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_service_refuses_keeps_its_status_and_reason() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |_| {}).await;
    let status = |code, reason: &str, metadata: &[(&str, &str)]| {
        let metadata: HashMap<_, _> = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut details = ErrorDetails::with_error_info(reason, "layer", metadata);
        details.add_bad_request_violation("worker_id", "must not be empty");
        Told::Refused(Status::with_error_details(code, "worker_id must not be empty", details))
    };
    for (told, http, error, reason) in [
        (status(Code::InvalidArgument, "INVALID_ARGUMENT", &[]), 422, "validation_error", "INVALID_ARGUMENT"),
        (status(Code::NotFound, "PIPELINE_NOT_FOUND", &[]), 404, "not_found", "PIPELINE_NOT_FOUND"),
        (status(Code::AlreadyExists, "PIPELINE_EXISTS", &[]), 409, "conflict", "PIPELINE_EXISTS"),
        (status(Code::Unavailable, "STATE_UNAVAILABLE", &[]), 503, "state_unavailable", "STATE_UNAVAILABLE"),
        (status(Code::ResourceExhausted, "OVERLOADED", &[]), 429, "overloaded", "OVERLOADED"),
        (
            status(Code::PermissionDenied, "ORIGIN_ERROR", &[("http_status", "402")]),
            402,
            "origin_error",
            "ORIGIN_ERROR",
        ),
    ] {
        worker.tell(&format!("{PIPELINES}/Claim"), told);
        let answer = mesh.ask("POST", "/v2/pipelines/p/claim", "{\"worker_id\":\"\"}").await;
        assert_eq!(answer.status.as_u16(), http, "{reason}");
        let expected = json!({"error": error, "message": "worker_id must not be empty", "reason": reason});
        assert_eq!(answer.body, expected);
        assert_eq!(answer.headers.contains_key("retry-after"), matches!(http, 429 | 503), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vectors_of_a_document_that_somebody_else_has_are_a_conflict() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |_| {}).await;
    for (status, http, reason) in [
        (DocumentStatus::NotFound, 404, "DOCUMENT_NOT_FOUND"),
        (DocumentStatus::StaleVersion, 409, "STALE_VERSION"),
        (DocumentStatus::StaleToken, 409, "STALE_TOKEN"),
        (DocumentStatus::NotLeased, 409, "NOT_LEASED"),
        (DocumentStatus::OtherWorker, 409, "OTHER_WORKER"),
        (DocumentStatus::WrongStage, 409, "WRONG_STAGE"),
    ] {
        let results = vec![DocumentResult { document_id: "d".to_owned(), status: status.into(), stage: String::new() }];
        let told = Told::Messages(vec![framed(&PutRowsResponse { results, rows_written: 0 })]);
        worker.tell(&format!("{PIPELINES}/PutRows"), told);
        let answer = mesh.ask("PUT", "/v2/pipelines/p/documents/d/vectors", "{\"vectors\":[]}").await;
        assert_eq!((answer.status.as_u16(), answer.body["reason"].as_str()), (http, Some(reason)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_and_without_a_service_there_is_a_clear_refusal() {
    let mesh = Mesh::start(dead_port(), |settings| settings.pipelines.addresses.clear()).await;
    let answer = mesh.ask("GET", "/v2/pipelines", "").await;
    assert_eq!((answer.status.as_u16(), &answer.body["error"]), (503, &json!("service_unavailable")));
    assert!(answer.body["message"].as_str().unwrap().contains("pipelines.addresses"), "{answer:?}");
    let request = http::Request::get("/v2/pipelines").header("host", "router").body(Default::default()).unwrap();
    assert_eq!(mesh.send(request).await.status(), 401);
}
