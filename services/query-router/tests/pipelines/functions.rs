//! Every route of functions: what the published client sends, and Layer's additions.

use layer_proto::{
    function::v1::*,
    types::v1::{
        Comparison, ComparisonOperator, DenseVector, Filter, Floats, Id, Value as Typed, comparison::Operand,
        dense_vector::Elements, filter::Kind as FilterKind, id::Kind as IdKind, value::Kind as Of,
    },
};
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::mesh::{Case, FUNCTIONS, mesh};

fn id() -> String {
    "f".to_owned()
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn typed(kind: Of) -> Typed {
    Typed { kind: Some(kind) }
}

fn row(kind: IdKind) -> Option<Id> {
    Some(Id { kind: Some(kind) })
}

fn spec() -> FunctionSpec {
    let comparison = Comparison {
        attribute: text("lang"),
        op: ComparisonOperator::Eq.into(),
        operand: Some(Operand::Value(typed(Of::StringValue(text("en"))))),
    };
    FunctionSpec {
        target_namespaces: vec![text("n")],
        inputs: vec![text("title")],
        version: text("v1"),
        filter: Some(Filter { kind: Some(FilterKind::Comparison(comparison)) }),
        worker_json: text("{\"batch_size\":32,\"timeout_seconds\":30}"),
        schedule: Some(FunctionSchedule {
            discovery_interval_ms: 60_000,
            lease_ms: 120_000,
            leased_max: 256,
            scans_max: 4,
            cron: text(""),
            stale_after_ms: 0,
        }),
        retry: Some(FunctionRetry { attempts_max: 8, initial_backoff_ms: 5000, max_backoff_ms: 300_000 }),
        triggers: vec![Trigger::Discovery.into(), Trigger::Write.into()],
        invalidates: vec![text("g")],
        index_selector_json: text(""),
    }
}

/// As the published client's model writes it.
fn spec_sent() -> Value {
    json!({
        "target_namespaces": ["n"], "inputs": ["title"], "version": "v1", "filter": ["lang", "Eq", "en"],
        "worker": {"batch_size": 32, "timeout_seconds": 30},
        "schedule": {"discovery_interval_seconds": 60, "lease_seconds": 120, "max_in_flight_batches": 8,
                     "max_concurrent_scans": 4},
        "retry": {"max_attempts": 8, "initial_backoff_seconds": 5, "max_backoff_seconds": 300},
        "triggers": ["discovery", "write"], "invalidates": ["g"],
    })
}

fn function() -> Function {
    Function {
        function_id: id(),
        spec: Some(spec()),
        paused: true,
        created_at: Some(Timestamp { seconds: 0, nanos: 0 }),
        updated_at: Some(Timestamp { seconds: 1, nanos: 0 }),
    }
}

fn function_shown() -> Value {
    let mut spec = spec_sent();
    spec["schedule"]["leased_max"] = json!(256);
    json!({
        "id": "f", "spec": spec, "paused": true,
        "created_at": "1970-01-01T00:00:00Z", "updated_at": "1970-01-01T00:00:01Z",
    })
}

fn status() -> FunctionStatus {
    FunctionStatus {
        active_namespaces: vec![text("n")],
        sweeps_completed: 1,
        last_completed_at: Some(Timestamp { seconds: 1, nanos: 0 }),
        ready: 2,
        rate_window_ms: 60_000,
        ..FunctionStatus::default()
    }
}

fn status_shown() -> Value {
    json!({
        "udf_id": "f", "paused": true, "active_namespaces": ["n"],
        "discovery": {"sweeps_completed": 1, "last_completed_at": "1970-01-01T00:00:01Z"},
        "counts": {"pending": 2, "running": 0, "failed": 0},
        "pending_count": 2, "processing_count": 0, "failed_count": 0,
        "indexed_rate_per_min": 0.0, "rate_window_seconds": 60,
    })
}

macro_rules! check {
    ($mesh:expr, $worker:expr, $($case:tt)*) => {
        Case { service: FUNCTIONS, $($case)* }.check(&$mesh, &$worker).await
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_are_registered_changed_and_deleted() {
    let (worker, mesh) = mesh().await;
    check!(mesh, worker,
        method: "CreateFunction",
        http: ("POST", "/v2/udfs", json!({"id": "f", "spec": spec_sent()})),
        asked: CreateFunctionRequest { function_id: id(), spec: Some(spec()) },
        told: CreateFunctionResponse { function: Some(function()) },
        answer: function_shown(),
    );
    check!(mesh, worker,
        method: "UpsertFunction",
        http: ("PUT", "/v2/udfs/f", json!({"spec": spec_sent()})),
        asked: UpsertFunctionRequest { function_id: id(), spec: Some(spec()) },
        told: UpsertFunctionResponse { function: Some(function()) },
        answer: function_shown(),
    );
    check!(mesh, worker,
        method: "ListFunctions",
        http: ("GET", "/v2/udfs", Value::Null),
        asked: ListFunctionsRequest { page_size: 1000, page_token: text("") },
        told: ListFunctionsResponse { functions: vec![function()], next_page_token: text("") },
        answer: json!({"udfs": [function_shown()]}),
    );
    check!(mesh, worker,
        method: "DeleteFunction",
        http: ("DELETE", "/v2/udfs/f", Value::Null),
        asked: DeleteFunctionRequest { function_id: id() },
        told: DeleteFunctionResponse {},
        answer: json!({"status": "ok"}),
    );
    let both = || GetFunctionResponse { function: Some(function()), status: Some(status()) };
    check!(mesh, worker,
        method: "GetFunction",
        http: ("GET", "/v2/udfs/f", Value::Null),
        asked: GetFunctionRequest { function_id: id() },
        told: both(),
        answer: json!({"udf": function_shown(), "status": status_shown()}),
    );
    check!(mesh, worker,
        method: "GetFunction",
        http: ("GET", "/v2/udfs/f/status", Value::Null),
        asked: GetFunctionRequest { function_id: id() },
        told: both(),
        answer: status_shown(),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_are_stopped_started_and_looked_after() {
    let (worker, mesh) = mesh().await;
    check!(mesh, worker,
        method: "PauseFunction",
        http: ("POST", "/v2/udfs/f/pause", Value::Null),
        asked: PauseFunctionRequest { function_id: id() },
        told: PauseFunctionResponse { function: Some(function()) },
        answer: function_shown(),
    );
    check!(mesh, worker,
        method: "ResumeFunction",
        http: ("POST", "/v2/udfs/f/resume", Value::Null),
        asked: ResumeFunctionRequest { function_id: id() },
        told: ResumeFunctionResponse { function: Some(function()) },
        answer: function_shown(),
    );
    check!(mesh, worker,
        method: "ResetFailed",
        http: ("POST", "/v2/udfs/f/reset-failed", Value::Null),
        asked: ResetFailedRequest { function_id: id() },
        told: ResetFailedResponse { reset_count: 3 },
        answer: json!({"udf_id": "f", "updated": 3}),
    );
    check!(mesh, worker,
        method: "Discover",
        http: ("POST", "/v2/udfs/f/discover", json!({"namespaces": ["n"], "page_size": 10_000})),
        asked: DiscoverRequest { function_id: id(), namespaces: vec![text("n")], page_size: 10_000 },
        told: DiscoverResponse { enqueued: 4, namespaces: vec![text("n")] },
        answer: json!({"udf_id": "f", "enqueued": 4, "namespaces": ["n"]}),
    );
    check!(mesh, worker,
        method: "ListDeadLetters",
        http: ("GET", "/v2/udfs/f/dead-letters", Value::Null),
        asked: ListDeadLettersRequest { function_id: id(), page_size: 0, page_token: text("") },
        told: ListDeadLettersResponse {
            dead_letters: vec![DeadLetter {
                namespace: text("n"),
                id: row(IdKind::UintValue(7)),
                reason: FailureReason::Permanent.into(),
                message: text("no"),
                attempts: 1,
                failed_at: Some(Timestamp { seconds: 1, nanos: 0 }),
            }],
            next_page_token: text(""),
        },
        answer: json!({"dead_letters": [{"namespace": "n", "id": "7", "reason": "permanent", "message": "no",
                                         "attempts": 1, "failed_at": "1970-01-01T00:00:01Z"}]}),
    );
}

fn guard(kind: IdKind, token: u64) -> ItemGuard {
    ItemGuard { namespace: text("n"), id: row(kind), token }
}

fn results() -> Vec<ItemResult> {
    let of = |kind, status: ItemStatus| ItemResult { namespace: text("n"), id: row(kind), status: status.into() };
    vec![of(IdKind::UintValue(7), ItemStatus::Done), of(IdKind::StringValue(text("a")), ItemStatus::StaleToken)]
}

fn results_shown() -> Value {
    json!({
        "udf_id": "f", "updated": 1,
        "results": [{"namespace": "n", "id": "7", "status": "done"},
                    {"namespace": "n", "id": "a", "status": "stale_token"}],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_are_claimed_with_their_inputs() {
    let (worker, mesh) = mesh().await;
    let input = [
        (text("title"), typed(Of::StringValue(text("t")))),
        (text("n"), typed(Of::UintValue(u64::MAX))),
        (text("any"), typed(Of::JsonValue(text("{\"a\": [1, {}]}")))),
    ];
    check!(mesh, worker,
        method: "Claim",
        http: ("POST", "/v2/udfs/f/claim", json!({"worker_id": "w", "limit": 32, "lease_seconds": 120, "wait_ms": 10})),
        asked: ClaimRequest {
            function_id: id(),
            limit: 32,
            worker_id: text("w"),
            lease_ms: 120_000,
            wait_ms: 10,
        },
        told: ClaimResponse {
            items: vec![ClaimedItem {
                namespace: text("n"),
                id: row(IdKind::UintValue(7)),
                token: 9,
                input: input.into(),
                attempt: 2,
            }],
            lease_ms: 120_000,
            version: text("v2"),
        },
        answer: json!({
            "udf_id": "f", "worker_id": "w", "lease_ms": 120_000, "version": "v2",
            "items": [{"namespace": "n", "id": "7", "token": 9, "attempt": 2,
                       "input": {"title": "t", "n": u64::MAX, "any": {"a": [1, {}]}}}],
        }),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_are_kept_completed_and_failed() {
    let (worker, mesh) = mesh().await;
    check!(mesh, worker,
        method: "Heartbeat",
        http: ("POST", "/v2/udfs/f/items/heartbeat", json!({
            "worker_id": "w", "items": [{"namespace": "n", "id": "7", "token": 9}, {"namespace": "n", "id": "a"}],
        })),
        asked: HeartbeatRequest {
            function_id: id(),
            items: vec![guard(IdKind::StringValue(text("7")), 9), guard(IdKind::StringValue(text("a")), 0)],
            worker_id: text("w"),
            lease_ms: 0,
        },
        told: HeartbeatResponse { results: results() },
        answer: results_shown(),
    );
    let vector = DenseVector { elements: Some(Elements::Floats(Floats { values: vec![0.5, 1.0] })) };
    let attributes =
        [(text("vector"), typed(Of::DenseVector(vector))), (text("label"), typed(Of::StringValue(text("x"))))];
    check!(mesh, worker,
        method: "Complete",
        http: ("POST", "/v2/udfs/f/items/complete", json!({
            "worker_id": "w",
            "items": [{"namespace": "n", "id": 7, "token": 9, "vector": [0.5, 1.0], "attributes": {"label": "x"}},
                      {"namespace": "n", "id": "a", "attributes": {}}],
        })),
        asked: CompleteRequest {
            function_id: id(),
            items: vec![
                CompletedItem { item: Some(guard(IdKind::UintValue(7), 9)), attributes: attributes.into() },
                CompletedItem { item: Some(guard(IdKind::StringValue(text("a")), 0)), attributes: [].into() },
            ],
            worker_id: text("w"),
        },
        told: CompleteResponse { results: results() },
        answer: results_shown(),
    );
    check!(mesh, worker,
        method: "Fail",
        http: ("POST", "/v2/udfs/f/items/fail", json!({
            "worker_id": "w",
            "items": [{"namespace": "n", "id": "7", "kind": "transient", "message": "later"},
                      {"namespace": "n", "id": "a", "kind": "permanent"}],
        })),
        asked: FailRequest {
            function_id: id(),
            items: vec![
                FailedItem {
                    item: Some(guard(IdKind::StringValue(text("7")), 0)),
                    kind: FailureKind::Transient.into(),
                    message: text("later"),
                },
                FailedItem {
                    item: Some(guard(IdKind::StringValue(text("a")), 0)),
                    kind: FailureKind::Permanent.into(),
                    message: text(""),
                },
            ],
            worker_id: text("w"),
        },
        told: FailResponse { results: results() },
        answer: results_shown(),
    );
}
