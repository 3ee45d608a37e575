//! Functions themselves: registered, changed, listed, stopped, and how far they are.

use std::{collections::BTreeMap, time::Duration};

use layer_proto::function::v1::{
    CreateFunctionRequest, DeleteFunctionRequest, DiscoverRequest, Function, FunctionStatus, GetFunctionRequest,
    ListFunctionsRequest, PauseFunctionRequest, ResetFailedRequest, ResumeFunctionRequest, UpsertFunctionRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::spec::{SpecIn, SpecOut};
use crate::{
    pipelines::{Asked, Number, Reply, answered, present, promised, time},
    refusal::Refusal,
};

/// Functions in one answer of the service, and answers that make one of ours where the caller names no page.
const PAGE: u32 = 1000;
const PAGES_MAX: usize = 10;

#[derive(Deserialize)]
struct Create {
    id: String,
    spec: SpecIn,
}

/// A function, as published.
#[derive(Serialize)]
struct Shown {
    id: String,
    spec: SpecOut,
    paused: bool,
    created_at: String,
    updated_at: String,
}

impl Shown {
    fn of(function: Function) -> Self {
        Self {
            paused: function.paused,
            created_at: time(function.created_at.as_ref()).unwrap_or_default(),
            updated_at: time(function.updated_at.as_ref()).unwrap_or_default(),
            id: function.function_id,
            spec: SpecOut::of(function.spec.unwrap_or_default()),
        }
    }
}

fn show(function: Option<Function>) -> Result<Reply, Refusal> {
    Reply::of(&Shown::of(promised(function, "function")?))
}

/// POST /v2/udfs
pub(super) async fn create(asked: &Asked<'_>) -> Result<Reply, Refusal> {
    let body: Create = asked.read()?;
    let message = CreateFunctionRequest { function_id: body.id, spec: Some(body.spec.message()?) };
    show(answered(asked.functions(Duration::ZERO).create_function(asked.request(message)).await)?.function)
}

#[derive(Deserialize)]
struct Upsert {
    spec: SpecIn,
}

/// PUT /v2/udfs/{id}
pub(super) async fn upsert(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    let body: Upsert = asked.read()?;
    let message = UpsertFunctionRequest { function_id, spec: Some(body.spec.message()?) };
    show(answered(asked.functions(Duration::ZERO).upsert_function(asked.request(message)).await)?.function)
}

#[derive(Serialize)]
struct List {
    udfs: Vec<Shown>,
    #[serde(skip_serializing_if = "String::is_empty")]
    next_page_token: String,
}

/// GET /v2/udfs: all of them, as the published clients know no pages, or the page that the query names.
pub(super) async fn list(asked: &Asked<'_>) -> Result<Reply, Refusal> {
    let page = asked.page()?;
    let (size, pages) = if page.size == 0 { (PAGE, PAGES_MAX) } else { (page.size, 1) };
    let mut list = List { udfs: Vec::new(), next_page_token: page.token };
    for _ in 0..pages {
        let message = ListFunctionsRequest { page_size: size, page_token: list.next_page_token };
        let answer = answered(asked.functions(Duration::ZERO).list_functions(asked.request(message)).await)?;
        list.udfs.extend(answer.functions.into_iter().map(Shown::of));
        list.next_page_token = answer.next_page_token;
        if list.next_page_token.is_empty() {
            break;
        }
    }
    Reply::of(&list)
}

#[derive(Debug, Serialize, PartialEq)]
struct Status {
    udf_id: String,
    paused: bool,
    active_namespaces: Vec<String>,
    discovery: Discovery,
    counts: BTreeMap<&'static str, u64>,
    pending_count: u64,
    processing_count: u64,
    failed_count: u64,
    indexed_rate_per_min: f64,
    rate_window_seconds: u64,
}

#[derive(Debug, Serialize, PartialEq)]
struct Discovery {
    sweeps_completed: u64,
    /// Null where it never was: the published model wants the member.
    last_completed_at: Option<String>,
}

impl Status {
    fn of(udf_id: String, paused: bool, status: FunctionStatus) -> Self {
        let pending = status.ready + status.delayed;
        Self {
            udf_id,
            paused,
            discovery: Discovery {
                sweeps_completed: status.sweeps_completed,
                last_completed_at: time(status.last_completed_at.as_ref()),
            },
            counts: [("pending", pending), ("running", status.leased), ("failed", status.dead)].into(),
            pending_count: pending,
            processing_count: status.leased,
            failed_count: status.dead,
            indexed_rate_per_min: status.done_per_minute,
            rate_window_seconds: status.rate_window_ms / 1000,
            active_namespaces: status.active_namespaces,
        }
    }
}

async fn looked_up(asked: &Asked<'_>, function_id: String) -> Result<(Function, Status), Refusal> {
    let message = GetFunctionRequest { function_id };
    let answer = answered(asked.functions(Duration::ZERO).get_function(asked.request(message)).await)?;
    let function = promised(answer.function, "function")?;
    let status = promised(answer.status, "status")?;
    let status = Status::of(function.function_id.clone(), function.paused, status);
    Ok((function, status))
}

/// GET /v2/udfs/{id}
pub(super) async fn get(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    #[derive(Serialize)]
    struct Both {
        udf: Shown,
        status: Status,
    }
    let (function, status) = looked_up(asked, function_id).await?;
    Reply::of(&Both { udf: Shown::of(function), status })
}

/// GET /v2/udfs/{id}/status
pub(super) async fn status(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    Reply::of(&looked_up(asked, function_id).await?.1)
}

/// DELETE /v2/udfs/{id}
pub(super) async fn delete(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    let message = DeleteFunctionRequest { function_id };
    answered(asked.functions(Duration::ZERO).delete_function(asked.request(message)).await)?;
    Reply::of(&json!({"status": "ok"}))
}

/// POST …/pause
pub(super) async fn pause(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    let message = PauseFunctionRequest { function_id };
    show(answered(asked.functions(Duration::ZERO).pause_function(asked.request(message)).await)?.function)
}

/// POST …/resume
pub(super) async fn resume(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    let message = ResumeFunctionRequest { function_id };
    show(answered(asked.functions(Duration::ZERO).resume_function(asked.request(message)).await)?.function)
}

/// POST …/reset-failed
pub(super) async fn reset_failed(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    let message = ResetFailedRequest { function_id: function_id.clone() };
    let answer = answered(asked.functions(Duration::ZERO).reset_failed(asked.request(message)).await)?;
    Reply::of(&json!({"udf_id": function_id, "updated": answer.reset_count}))
}

#[derive(Deserialize)]
struct Discover {
    namespaces: Option<Vec<String>>,
    page_size: Number,
}

/// POST …/discover
pub(super) async fn discover(asked: &Asked<'_>, function_id: String) -> Result<Reply, Refusal> {
    let body: Discover = asked.read()?;
    let message = DiscoverRequest {
        function_id: function_id.clone(),
        namespaces: body.namespaces.unwrap_or_default(),
        page_size: present("page_size", body.page_size)?,
    };
    let answer = answered(asked.functions(Duration::ZERO).discover(asked.request(message)).await)?;
    Reply::of(&json!({"udf_id": function_id, "enqueued": answer.enqueued, "namespaces": answer.namespaces}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_counts_as_the_published_one() {
        let status = FunctionStatus {
            active_namespaces: vec!["n".to_owned()],
            sweeps_completed: 3,
            ready: 1,
            delayed: 2,
            leased: 4,
            dead: 8,
            done_per_minute: 0.5,
            rate_window_ms: 60_000,
            ..FunctionStatus::default()
        };
        let shown = serde_json::to_value(Status::of("f".to_owned(), true, status)).unwrap();
        assert_eq!(
            shown,
            json!({
                "udf_id": "f", "paused": true, "active_namespaces": ["n"],
                "discovery": {"sweeps_completed": 3, "last_completed_at": null},
                "counts": {"pending": 3, "running": 4, "failed": 8},
                "pending_count": 3, "processing_count": 4, "failed_count": 8,
                "indexed_rate_per_min": 0.5, "rate_window_seconds": 60,
            })
        );
    }
}
