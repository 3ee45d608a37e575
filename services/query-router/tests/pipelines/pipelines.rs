//! Every route of pipelines: what the published client sends, and Layer's additions.

use layer_proto::{
    pipeline::v1::*,
    types::v1::{
        DenseVector, Floats, IntArray, MultiVector, Value as Typed, dense_vector::Elements, value::Kind as Of,
    },
};
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::{
    fake::{Told, framed},
    mesh::{Case, PIPELINES, mesh},
};

fn id() -> String {
    "p".to_owned()
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn guard(document_id: &str) -> DocumentGuard {
    DocumentGuard { document_id: text(document_id), token: 0, version: 0 }
}

fn guarded(document_id: &str) -> DocumentGuard {
    DocumentGuard { document_id: text(document_id), token: 7, version: 8 }
}

fn result(document_id: &str, status: DocumentStatus) -> DocumentResult {
    DocumentResult { document_id: text(document_id), status: status.into(), stage: text("embedding") }
}

fn done(document_id: &str) -> Vec<DocumentResult> {
    vec![result(document_id, DocumentStatus::Done), result("gone", DocumentStatus::NotFound)]
}

fn done_shown(document_id: &str) -> Value {
    json!([
        {"document_id": document_id, "status": "done", "stage": "embedding"},
        {"document_id": "gone", "status": "not_found", "stage": "embedding"},
    ])
}

fn holder() -> Option<Holder> {
    Some(Holder { worker_id: text("w"), stage: text("embedding") })
}

fn pipeline() -> Pipeline {
    let retry = RetryPolicy { attempts_max: 3, leases_lost_max: 4, initial_backoff_ms: 5, max_backoff_ms: 6 };
    Pipeline {
        pipeline_id: id(),
        spec: Some(PipelineSpec {
            target_namespace: text("n"),
            distance_metric: text("cosine_distance"),
            stages: vec![text("pending"), text("embedding"), text("indexed")],
            retry: Some(retry),
            leased_max: 7,
            keep_done_ms: 8,
            keep_failed_ms: 9,
        }),
        created_at: Some(Timestamp { seconds: 0, nanos: 0 }),
    }
}

fn pipeline_shown() -> Value {
    json!({
        "id": "p", "target_namespace": "n", "distance_metric": "cosine_distance", "created_at": "1970-01-01T00:00:00Z",
        "stages": ["pending", "embedding", "indexed"],
        "retry": {"attempts_max": 3, "leases_lost_max": 4, "initial_backoff_ms": 5, "max_backoff_ms": 6},
        "leased_max": 7, "keep_done_ms": 8, "keep_failed_ms": 9,
    })
}

macro_rules! check {
    ($mesh:expr, $worker:expr, $($case:tt)*) => {
        Case { service: PIPELINES, $($case)* }.check(&$mesh, &$worker).await
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelines_are_declared_listed_and_deleted() {
    let (worker, mesh) = mesh().await;
    check!(mesh, worker,
        method: "CreatePipeline",
        http: ("POST", "/v2/pipelines", json!({"id": "p", "target_namespace": "n", "distance_metric": "cosine_distance",
                                               "unknown": {}})),
        asked: CreatePipelineRequest {
            pipeline_id: id(),
            spec: Some(PipelineSpec {
                target_namespace: text("n"),
                distance_metric: text("cosine_distance"),
                ..PipelineSpec::default()
            }),
        },
        told: CreatePipelineResponse { pipeline: Some(pipeline()) },
        answer: pipeline_shown(),
    );
    let mut sent = pipeline_shown();
    sent.as_object_mut().unwrap().remove("created_at");
    check!(mesh, worker,
        method: "CreatePipeline",
        http: ("POST", "/v2/pipelines", sent),
        asked: CreatePipelineRequest { pipeline_id: id(), spec: pipeline().spec },
        told: CreatePipelineResponse { pipeline: Some(pipeline()) },
        answer: pipeline_shown(),
    );
    check!(mesh, worker,
        method: "GetPipeline",
        http: ("GET", "/v2/pipelines/p", Value::Null),
        asked: GetPipelineRequest { pipeline_id: id() },
        told: GetPipelineResponse { pipeline: Some(pipeline()) },
        answer: pipeline_shown(),
    );
    check!(mesh, worker,
        method: "ListPipelines",
        http: ("GET", "/v2/pipelines", Value::Null),
        asked: ListPipelinesRequest { page_size: 1000, page_token: text("") },
        told: ListPipelinesResponse { pipelines: vec![pipeline()], next_page_token: text("") },
        answer: json!({"pipelines": [pipeline_shown()]}),
    );
    check!(mesh, worker,
        method: "ListPipelines",
        http: ("GET", "/v2/pipelines?page_size=1&page_token=a%26b", Value::Null),
        asked: ListPipelinesRequest { page_size: 1, page_token: text("a&b") },
        told: ListPipelinesResponse { pipelines: vec![], next_page_token: text("c") },
        answer: json!({"pipelines": [], "next_page_token": "c"}),
    );
    check!(mesh, worker,
        method: "DeletePipeline",
        http: ("DELETE", "/v2/pipelines/p", Value::Null),
        asked: DeletePipelineRequest { pipeline_id: id() },
        told: DeletePipelineResponse {},
        answer: json!({"status": "ok"}),
    );
    check!(mesh, worker,
        method: "GetPipelineStatus",
        http: ("GET", "/v2/pipelines/p/status", Value::Null),
        asked: GetPipelineStatusRequest { pipeline_id: id() },
        told: GetPipelineStatusResponse {
            status: Some(PipelineStatus {
                stages: vec![StageCount { stage: text("pending"), ready: 2, delayed: 0, leased: 0, ended: 0 }],
                failures: vec![],
                done_per_minute: 0.5,
                rate_window_ms: 300_000,
            }),
        },
        answer: json!({
            "pipeline_id": "p", "status": "pending", "counts": {"pending": 2}, "failed_reasons": {},
            "pending_count": 2, "processing_count": 0, "failed_count": 0,
            "indexed_rate_per_min": 0.5, "rate_window_seconds": 300,
            "stages": [{"stage": "pending", "ready": 2, "delayed": 0, "leased": 0, "ended": 0}],
        }),
    );
    assert!(mesh.metrics().await.contains("route=\"get_pipeline_status\",served_by=\"layer\"}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_without_a_page_is_all_of_it() {
    let (worker, mesh) = mesh().await;
    let method = format!("{PIPELINES}/ListPipelines");
    let page = ListPipelinesResponse { pipelines: vec![pipeline()], next_page_token: text("more") };
    worker.tell(&method, Told::Messages(vec![framed(&page)]));
    let answer = mesh.ask("GET", "/v2/pipelines", "").await;
    assert_eq!(answer.body["pipelines"].as_array().unwrap().len(), 10);
    assert_eq!(answer.body["next_page_token"], "more");
    assert_eq!(worker.seen(&method).len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_are_staged_and_read() {
    let (worker, mesh) = mesh().await;
    let chunk = |metadata_json: &str| Chunk {
        chunk_id: text("c"),
        text: Some(text("the text")),
        metadata_json: text(metadata_json),
    };
    let bare = Chunk { chunk_id: text("d"), text: None, metadata_json: text("") };
    for (path, document_id) in [
        ("/v2/pipelines/p/documents/d", "d"),
        ("/v2/pipelines/p/documents/a%2Fb%20%25.pdf", "a/b %.pdf"),
        ("/v2/pipelines/p/documents/a/../b", "a/../b"),
    ] {
        check!(mesh, worker,
            method: "StageDocuments",
            http: ("PUT", path, json!({
                "chunks": [{"id": "c", "text": "the text", "metadata": {"page": 1}, "own": 1}, {"id": "d", "text": null}],
                "priority": 9,
            })),
            asked: StageDocumentsRequest {
                pipeline_id: id(),
                documents: vec![StagedDocument {
                    document_id: text(document_id),
                    chunks: vec![chunk("{\"page\":1}"), bare.clone()],
                    priority: 9,
                }],
            },
            told: StageDocumentsResponse {
                results: vec![StageResult {
                    document_id: text(document_id),
                    version: 5,
                    chunk_count: 2,
                    chunk_ids: vec![text("c~5"), text("d~5")],
                    restaged: true,
                    stage: text("pending"),
                }],
            },
            answer: json!({
                "pipeline_id": "p", "document_id": document_id, "stage": "pending", "chunk_count": 2,
                "chunk_ids": ["c~5", "d~5"], "version": 5, "restaged": true,
            }),
        );
    }
    let digits = "{\"n\": 18446744073709551615}";
    check!(mesh, worker,
        method: "GetChunks",
        http: ("GET", "/v2/pipelines/p/documents/a/b/chunks?stage=embedding&version=5", Value::Null),
        asked: GetChunksRequest { pipeline_id: id(), document_id: text("a/b"), stage: text("embedding"), version: 5 },
        told: GetChunksResponse { version: 5, chunks: vec![chunk(digits), bare.clone()] },
        answer: json!([{"id": "c", "text": "the text", "metadata": {"n": u64::MAX}}, {"id": "d"}]),
    );
    check!(mesh, worker,
        method: "GetDocuments",
        http: ("GET", "/v2/pipelines/p/documents/d", Value::Null),
        asked: GetDocumentsRequest { pipeline_id: id(), document_ids: vec![text("d")] },
        told: GetDocumentsResponse {
            documents: vec![Document {
                document_id: text("d"),
                stage: text("embedding"),
                state: DocumentState::Leased.into(),
                version: 5,
                attempts: 2,
                worker_id: text("w"),
                wakes_at: Some(Timestamp { seconds: 1, nanos: 0 }),
                chunk_count: 2,
                priority: 9,
            }],
        },
        answer: json!({
            "pipeline_id": "p", "document_id": "d", "stage": "embedding", "state": "leased", "version": 5, "attempts": 2,
            "worker_id": "w", "wakes_at": "1970-01-01T00:00:01Z", "chunk_count": 2, "priority": 9,
        }),
    );
    worker.tell(&format!("{PIPELINES}/GetDocuments"), Told::Messages(vec![framed(&GetDocumentsResponse::default())]));
    let answer = mesh.ask("GET", "/v2/pipelines/p/documents/d", "").await;
    assert_eq!((answer.status.as_u16(), &answer.body["reason"]), (404, &json!("DOCUMENT_NOT_FOUND")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_come_as_they_are_sent_and_an_answer_that_breaks_off_is_cut() {
    use http_body_util::BodyExt as _;
    let (worker, mesh) = mesh().await;
    let method = format!("{PIPELINES}/GetChunks");
    let of = |id: &str| {
        let chunk = Chunk { chunk_id: text(id), text: None, metadata_json: text("") };
        framed(&GetChunksResponse { version: 1, chunks: vec![chunk] })
    };
    for (messages, answer) in [
        (vec![], json!([])),
        (
            vec![of("a"), of("b"), framed(&GetChunksResponse::default()), of("c")],
            json!([{"id": "a"}, {"id": "b"}, {"id": "c"}]),
        ),
    ] {
        worker.tell(&method, Told::Messages(messages));
        assert_eq!(mesh.ask("GET", "/v2/pipelines/p/documents/d/chunks", "").await.body, answer);
    }
    worker.tell(&method, Told::Half(vec![of("a")]));
    let request = http::Request::get("/v2/pipelines/p/documents/d/chunks").header("host", "router");
    let request = request.header("authorization", format!("Bearer {}", crate::mesh::KEY));
    let answer = mesh.send(request.body(Default::default()).unwrap()).await;
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    assert_eq!(&body.frame().await.unwrap().unwrap().into_data().unwrap()[..], b"[{\"id\":\"a\"}");
    drop(worker);
    assert!(crate::mesh::in_time(body.frame()).await.unwrap().is_err());
    mesh.until("layer_answers_broken_total{route=\"get_pipeline_document_chunks\"} 1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_are_claimed_and_kept() {
    let (worker, mesh) = mesh().await;
    let claimed = |id: &str| ClaimedDocument {
        document_id: text(id),
        token: 1_763_900_000_000,
        version: 2,
        attempt: 3,
        chunk_count: 4,
    };
    let answer = json!({
        "pipeline_id": "p", "stage": "pending", "claim_stage": "embedding", "worker_id": "w", "documents": ["d"],
        "claims": [{"document_id": "d", "token": 1_763_900_000_000u64, "version": 2, "attempt": 3, "chunk_count": 4}],
        "lease_ms": 900_000,
    });
    let told = ClaimResponse {
        documents: vec![claimed("d")],
        lease_ms: 900_000,
        stage: text("pending"),
        claim_stage: text("embedding"),
    };
    check!(mesh, worker,
        method: "Claim",
        http: ("POST", "/v2/pipelines/p/claim", json!({
            "stage": "pending", "claim_stage": "embedding", "limit": 100, "worker_id": "w", "lease_seconds": 900,
            "document_id_prefix": "a/", "wait_ms": 5000,
        })),
        asked: ClaimRequest {
            pipeline_id: id(),
            stage: text("pending"),
            claim_stage: text("embedding"),
            limit: 100,
            worker_id: text("w"),
            lease_ms: 900_000,
            document_id_prefix: text("a/"),
            wait_ms: 5000,
        },
        told: told.clone(),
        answer: answer.clone(),
    );
    check!(mesh, worker,
        method: "Claim",
        http: ("POST", "/v2/pipelines/p/claim", json!({"worker_id": "w"})),
        asked: ClaimRequest { pipeline_id: id(), worker_id: text("w"), ..ClaimRequest::default() },
        told,
        answer,
    );
    check!(mesh, worker,
        method: "Heartbeat",
        http: ("POST", "/v2/pipelines/p/documents/heartbeat", json!({
            "document_ids": ["d", "gone"], "stage": "embedding", "worker_id": "w",
        })),
        asked: HeartbeatRequest {
            pipeline_id: id(),
            documents: vec![guard("d"), guard("gone")],
            holder: holder(),
            lease_ms: 0,
        },
        told: HeartbeatResponse { results: done("d") },
        answer: json!({"pipeline_id": "p", "stage": "embedding", "updated": 1}),
    );
    check!(mesh, worker,
        method: "Heartbeat",
        http: ("POST", "/v2/pipelines/p/documents/heartbeat", json!({
            "documents": [{"document_id": "d", "token": 7, "version": 8}], "worker_id": "w", "lease_seconds": 60,
        })),
        asked: HeartbeatRequest {
            pipeline_id: id(),
            documents: vec![guarded("d")],
            holder: Some(Holder { worker_id: text("w"), stage: text("") }),
            lease_ms: 60_000,
        },
        told: HeartbeatResponse { results: done("d") },
        answer: json!({"pipeline_id": "p", "stage": "embedding", "updated": 1, "results": done_shown("d")}),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_are_moved() {
    let (worker, mesh) = mesh().await;
    for stage in ["pending", "failed", "indexed"] {
        check!(mesh, worker,
            method: "SetStage",
            http: ("POST", "/v2/pipelines/p/documents/stage", json!({
                "document_ids": ["d"], "stage": stage, "from_stage": "embedding", "worker_id": "w", "create_missing": false,
            })),
            asked: SetStageRequest {
                pipeline_id: id(),
                documents: vec![guard("d")],
                stage: text(stage),
                holder: holder(),
                create_missing: false,
            },
            told: SetStageResponse { results: done("d") },
            answer: json!({"pipeline_id": "p", "stage": stage, "updated": 1}),
        );
    }
    check!(mesh, worker,
        method: "SetStage",
        http: ("POST", "/v2/pipelines/p/documents/stage", json!({
            "document_ids": ["d"], "stage": "pending", "create_missing": true,
        })),
        asked: SetStageRequest {
            pipeline_id: id(),
            documents: vec![guard("d")],
            stage: text("pending"),
            holder: None,
            create_missing: true,
        },
        told: SetStageResponse { results: vec![] },
        answer: json!({"pipeline_id": "p", "stage": "pending", "updated": 0}),
    );
    check!(mesh, worker,
        method: "Complete",
        http: ("POST", "/v2/pipelines/p/documents/complete", json!({
            "documents": [{"document_id": "d", "token": 7, "version": 8, "output": [{"id": "c", "text": "t"}]}],
            "stage": "embedding", "worker_id": "w", "to_stage": "indexed",
        })),
        asked: CompleteRequest {
            pipeline_id: id(),
            documents: vec![CompletedDocument {
                document: Some(guarded("d")),
                output: vec![Chunk { chunk_id: text("c"), text: Some(text("t")), metadata_json: text("") }],
            }],
            holder: holder(),
            to_stage: text("indexed"),
        },
        told: CompleteResponse { results: done("d") },
        answer: json!({"pipeline_id": "p", "updated": 1, "results": done_shown("d")}),
    );
    check!(mesh, worker,
        method: "Fail",
        http: ("POST", "/v2/pipelines/p/documents/fail", json!({
            "documents": [{"document_id": "d", "token": 7, "version": 8, "kind": "permanent", "message": "no text"},
                          {"document_id": "e"}],
            "stage": "embedding", "worker_id": "w",
        })),
        asked: FailRequest {
            pipeline_id: id(),
            documents: vec![
                FailedDocument {
                    document: Some(guarded("d")),
                    kind: FailureKind::Permanent.into(),
                    message: text("no text"),
                },
                FailedDocument { document: Some(guard("e")), kind: 0, message: text("") },
            ],
            holder: holder(),
        },
        told: FailResponse { results: done("d") },
        answer: json!({"pipeline_id": "p", "updated": 1, "results": done_shown("d")}),
    );
    check!(mesh, worker,
        method: "Release",
        http: ("POST", "/v2/pipelines/p/documents/release", json!({
            "documents": [{"document_id": "d", "token": 7, "version": 8}],
        })),
        asked: ReleaseRequest { pipeline_id: id(), documents: vec![guarded("d")], holder: None },
        told: ReleaseResponse { results: done("d") },
        answer: json!({"pipeline_id": "p", "updated": 1, "results": done_shown("d")}),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_and_put_back() {
    let (worker, mesh) = mesh().await;
    check!(mesh, worker,
        method: "ListDeadLetters",
        http: ("GET", "/v2/pipelines/p/dead-letters?page_size=5&page_token=t", Value::Null),
        asked: ListDeadLettersRequest { pipeline_id: id(), page_size: 5, page_token: text("t") },
        told: ListDeadLettersResponse {
            dead_letters: vec![DeadLetter {
                document_id: text("d"),
                reason: FailureReason::Attempts.into(),
                message: text("too large"),
                stage: text("pending"),
                attempts: 8,
                failed_at: Some(Timestamp { seconds: 1, nanos: 0 }),
            }],
            next_page_token: text("u"),
        },
        answer: json!({
            "dead_letters": [{"document_id": "d", "reason": "attempts", "message": "too large", "stage": "pending",
                              "attempts": 8, "failed_at": "1970-01-01T00:00:01Z"}],
            "next_page_token": "u",
        }),
    );
    check!(mesh, worker,
        method: "RequeueDeadLetters",
        http: ("POST", "/v2/pipelines/p/dead-letters/requeue", json!({"document_ids": ["d"]})),
        asked: RequeueDeadLettersRequest { pipeline_id: id(), document_ids: vec![text("d")], limit: 0 },
        told: RequeueDeadLettersResponse { requeued: 1 },
        answer: json!({"pipeline_id": "p", "requeued": 1}),
    );
    check!(mesh, worker,
        method: "RequeueDeadLetters",
        http: ("POST", "/v2/pipelines/p/dead-letters/requeue", Value::Null),
        asked: RequeueDeadLettersRequest { pipeline_id: id(), document_ids: vec![], limit: 0 },
        told: RequeueDeadLettersResponse { requeued: 1000 },
        answer: json!({"pipeline_id": "p", "requeued": 1000}),
    );
}

fn typed(kind: Of) -> Typed {
    Typed { kind: Some(kind) }
}

fn dense(values: &[f32]) -> DenseVector {
    DenseVector { elements: Some(Elements::Floats(Floats { values: values.to_vec() })) }
}

fn row() -> (Value, ChunkRow) {
    let sent = json!({
        "id": "c~5", "vector": [0.1, 2],
        "attributes": {"title": "t", "n": u64::MAX, "i": i64::MIN, "list": [1, 2], "none": null, "f": 0.1},
    });
    let attributes = [
        (text("vector"), typed(Of::DenseVector(dense(&[0.1, 2.0])))),
        (text("title"), typed(Of::StringValue(text("t")))),
        (text("n"), typed(Of::UintValue(u64::MAX))),
        (text("i"), typed(Of::IntValue(i64::MIN))),
        (text("list"), typed(Of::IntArray(IntArray { values: vec![1, 2] }))),
        (text("none"), typed(Of::NullValue(0))),
        (text("f"), typed(Of::FloatValue(0.1))),
    ];
    (sent, ChunkRow { chunk_id: text("c~5"), attributes: attributes.into() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_written_with_every_digit() {
    let (worker, mesh) = mesh().await;
    let (sent, row) = row();
    let multi = MultiVector { vectors: vec![dense(&[1.0]), dense(&[2.0])] };
    let several =
        ChunkRow { chunk_id: text("d"), attributes: [(text("vectors"), typed(Of::MultiVector(multi)))].into() };
    let of = |rows: Vec<ChunkRow>, document, complete| vec![DocumentRows { document: Some(document), rows, complete }];
    check!(mesh, worker,
        method: "PutRows",
        http: ("PUT", "/v2/pipelines/p/documents/d/vectors", json!({
            "vectors": [sent, {"id": "d", "vectors": [[1.0], [2.0]]}],
        })),
        asked: PutRowsRequest {
            pipeline_id: id(),
            documents: of(vec![row.clone(), several], guard("d"), true),
            holder: None,
        },
        told: PutRowsResponse { results: vec![result("d", DocumentStatus::Done)], rows_written: 2 },
        answer: json!({"status": "ok", "rows_affected": 2, "rows_upserted": 2}),
    );
    check!(mesh, worker,
        method: "PutRows",
        http: ("PUT", "/v2/pipelines/p/documents/d/rows", json!({
            "rows": [sent], "complete": false, "token": 7, "version": 8, "stage": "embedding", "worker_id": "w",
        })),
        asked: PutRowsRequest {
            pipeline_id: id(),
            documents: of(vec![row.clone()], guarded("d"), false),
            holder: holder(),
        },
        told: PutRowsResponse { results: vec![result("d", DocumentStatus::Done)], rows_written: 1 },
        answer: json!({"status": "ok", "rows_affected": 1, "rows_upserted": 1}),
    );
    check!(mesh, worker,
        method: "PutRows",
        http: ("PUT", "/v2/pipelines/p/rows", json!({
            "documents": [{"document_id": "d", "token": 7, "version": 8, "rows": [sent]},
                          {"document_id": "gone", "rows": [], "complete": false}],
            "worker_id": "w", "stage": "embedding",
        })),
        asked: PutRowsRequest {
            pipeline_id: id(),
            documents: [of(vec![row], guarded("d"), true), of(vec![], guard("gone"), false)].concat(),
            holder: holder(),
        },
        told: PutRowsResponse { results: done("d"), rows_written: 1 },
        answer: json!({"pipeline_id": "p", "updated": 1, "rows_written": 1, "results": done_shown("d")}),
    );
}
