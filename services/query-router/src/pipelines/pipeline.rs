//! Pipelines themselves: declared, listed, deleted, and how far they are.

use std::{collections::BTreeMap, time::Duration};

use layer_proto::pipeline::v1::{
    CreatePipelineRequest, DeletePipelineRequest, FailureReason, GetPipelineRequest, GetPipelineStatusRequest,
    ListPipelinesRequest, Pipeline, PipelineSpec, PipelineStatus, RetryPolicy, StageCount,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    asked::{Asked, Reply, answered, promised, time},
    json::{Number, present},
};
use crate::refusal::Refusal;

/// Pipelines in one answer of the service, and answers that make one of ours where the caller names no page.
const PAGE: u32 = 1000;
const PAGES_MAX: usize = 10;
/// Where dead letters are counted.
const FAILED: &str = "failed";

#[derive(Deserialize)]
struct Create {
    id: String,
    target_namespace: String,
    distance_metric: Option<String>,
    stages: Option<Vec<String>>,
    retry: Option<Retry>,
    leased_max: Option<u32>,
    keep_done_ms: Option<u64>,
    keep_failed_ms: Number,
}

#[derive(Deserialize)]
struct Retry {
    attempts_max: Number,
    leases_lost_max: Number,
    initial_backoff_ms: Number,
    max_backoff_ms: Number,
}

impl Retry {
    fn policy(&self) -> Result<RetryPolicy, Refusal> {
        Ok(RetryPolicy {
            attempts_max: present("retry.attempts_max", self.attempts_max)?,
            leases_lost_max: present("retry.leases_lost_max", self.leases_lost_max)?,
            initial_backoff_ms: present("retry.initial_backoff_ms", self.initial_backoff_ms)?,
            max_backoff_ms: present("retry.max_backoff_ms", self.max_backoff_ms)?,
        })
    }
}

/// POST /v2/pipelines
pub(super) async fn create(asked: &Asked<'_>) -> Result<Reply, Refusal> {
    let body: Create = asked.read()?;
    let spec = PipelineSpec {
        target_namespace: body.target_namespace,
        distance_metric: body.distance_metric.unwrap_or_default(),
        stages: body.stages.unwrap_or_default(),
        retry: body.retry.as_ref().map(Retry::policy).transpose()?,
        leased_max: body.leased_max.unwrap_or(0),
        keep_done_ms: body.keep_done_ms.unwrap_or(0),
        keep_failed_ms: present("keep_failed_ms", body.keep_failed_ms)?,
    };
    let message = CreatePipelineRequest { pipeline_id: body.id, spec: Some(spec) };
    let answer = answered(asked.pipelines(Duration::ZERO).create_pipeline(asked.request(message)).await)?;
    Reply::of(&Shown::of(promised(answer.pipeline, "pipeline")?))
}

/// A pipeline, with what the published one has first.
#[derive(Serialize)]
struct Shown {
    id: String,
    target_namespace: String,
    distance_metric: String,
    created_at: String,
    stages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<ShownRetry>,
    leased_max: u32,
    keep_done_ms: u64,
    keep_failed_ms: u64,
}

#[derive(Serialize)]
struct ShownRetry {
    attempts_max: u32,
    leases_lost_max: u32,
    initial_backoff_ms: u64,
    max_backoff_ms: u64,
}

impl Shown {
    fn of(pipeline: Pipeline) -> Self {
        let spec = pipeline.spec.unwrap_or_default();
        Self {
            id: pipeline.pipeline_id,
            target_namespace: spec.target_namespace,
            distance_metric: spec.distance_metric,
            created_at: time(pipeline.created_at.as_ref()).unwrap_or_default(),
            stages: spec.stages,
            retry: spec.retry.map(|retry| ShownRetry {
                attempts_max: retry.attempts_max,
                leases_lost_max: retry.leases_lost_max,
                initial_backoff_ms: retry.initial_backoff_ms,
                max_backoff_ms: retry.max_backoff_ms,
            }),
            leased_max: spec.leased_max,
            keep_done_ms: spec.keep_done_ms,
            keep_failed_ms: spec.keep_failed_ms,
        }
    }
}

#[derive(Serialize)]
struct List {
    pipelines: Vec<Shown>,
    #[serde(skip_serializing_if = "String::is_empty")]
    next_page_token: String,
}

/// GET /v2/pipelines: all of them, as the published clients know no pages, or the page that the query names.
pub(super) async fn list(asked: &Asked<'_>) -> Result<Reply, Refusal> {
    let page = asked.page()?;
    let (size, pages) = if page.size == 0 { (PAGE, PAGES_MAX) } else { (page.size, 1) };
    let mut list = List { pipelines: Vec::new(), next_page_token: page.token };
    for _ in 0..pages {
        let message = ListPipelinesRequest { page_size: size, page_token: list.next_page_token };
        let answer = answered(asked.pipelines(Duration::ZERO).list_pipelines(asked.request(message)).await)?;
        list.pipelines.extend(answer.pipelines.into_iter().map(Shown::of));
        list.next_page_token = answer.next_page_token;
        if list.next_page_token.is_empty() {
            break;
        }
    }
    Reply::of(&list)
}

/// GET /v2/pipelines/{id}
pub(super) async fn get(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let message = GetPipelineRequest { pipeline_id };
    let answer = answered(asked.pipelines(Duration::ZERO).get_pipeline(asked.request(message)).await)?;
    Reply::of(&Shown::of(promised(answer.pipeline, "pipeline")?))
}

/// DELETE /v2/pipelines/{id}
pub(super) async fn delete(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let message = DeletePipelineRequest { pipeline_id };
    answered(asked.pipelines(Duration::ZERO).delete_pipeline(asked.request(message)).await)?;
    Reply::of(&json!({"status": "ok"}))
}

/// GET /v2/pipelines/{id}/status
pub(super) async fn status(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let message = GetPipelineStatusRequest { pipeline_id: pipeline_id.clone() };
    let answer = answered(asked.pipelines(Duration::ZERO).get_pipeline_status(asked.request(message)).await)?;
    Reply::of(&ShownStatus::of(pipeline_id, &promised(answer.status, "status")?))
}

#[derive(Debug, Serialize, PartialEq)]
struct ShownStatus {
    pipeline_id: String,
    status: &'static str,
    counts: BTreeMap<String, u64>,
    failed_reasons: BTreeMap<&'static str, u64>,
    pending_count: u64,
    processing_count: u64,
    failed_count: u64,
    indexed_rate_per_min: f64,
    rate_window_seconds: u64,
    stages: Vec<ShownStage>,
}

#[derive(Debug, Serialize, PartialEq)]
struct ShownStage {
    stage: String,
    ready: u64,
    delayed: u64,
    leased: u64,
    ended: u64,
}

impl ShownStatus {
    fn of(pipeline_id: String, status: &PipelineStatus) -> Self {
        let sum = |of: fn(&StageCount) -> u64| status.stages.iter().map(of).sum::<u64>();
        let (ready, delayed, leased) =
            (sum(|stage| stage.ready), sum(|stage| stage.delayed), sum(|stage| stage.leased));
        let whole = |stage: &StageCount| stage.ready + stage.delayed + stage.leased + stage.ended;
        let counts: BTreeMap<_, _> = status.stages.iter().map(|stage| (stage.stage.clone(), whole(stage))).collect();
        let failures = status.failures.iter().map(|failure| (reason_name(failure.reason()), failure.count));
        Self {
            pipeline_id,
            status: state_name(ready, delayed, leased),
            failed_reasons: failures.collect(),
            pending_count: ready + delayed,
            processing_count: leased,
            failed_count: counts.get(FAILED).copied().unwrap_or(0),
            counts,
            indexed_rate_per_min: status.done_per_minute,
            rate_window_seconds: status.rate_window_ms / 1000,
            stages: status.stages.iter().map(ShownStage::of).collect(),
        }
    }
}

impl ShownStage {
    fn of(stage: &StageCount) -> Self {
        let StageCount { stage: name, ready, delayed, leased, ended } = stage.clone();
        Self { stage: name, ready, delayed, leased, ended }
    }
}

/// All that is left waits for its next attempt: what stands behind the pipeline does not take it at present.
fn state_name(ready: u64, delayed: u64, leased: u64) -> &'static str {
    match (ready + leased, delayed) {
        (0, 0) => "idle",
        (0, _) => "waiting_on_upstream",
        _ => "pending",
    }
}

pub(super) fn reason_name(reason: FailureReason) -> &'static str {
    match reason {
        FailureReason::Unspecified => "unknown",
        FailureReason::Permanent => "permanent",
        FailureReason::Attempts => "attempts",
        FailureReason::Leases => "leases",
        FailureReason::Requested => "requested",
    }
}

#[cfg(test)]
mod tests {
    use layer_proto::pipeline::v1::FailureCount;

    use super::*;

    #[test]
    fn a_status_counts_as_the_published_one() {
        let stage = |stage: &str, [ready, delayed, leased, ended]: [u64; 4]| StageCount {
            stage: stage.to_owned(),
            ready,
            delayed,
            leased,
            ended,
        };
        let status = PipelineStatus {
            stages: vec![
                stage("pending", [1, 2, 0, 0]),
                stage("embedding", [0, 0, 4, 0]),
                stage("indexed", [0, 0, 0, 8]),
                stage("failed", [0, 0, 0, 16]),
            ],
            failures: vec![FailureCount { reason: FailureReason::Leases.into(), count: 16 }],
            done_per_minute: 1.5,
            rate_window_ms: 60_000,
        };
        let shown = serde_json::to_value(ShownStatus::of("p".to_owned(), &status)).unwrap();
        let stages = shown["stages"].clone();
        assert_eq!(stages[0], json!({"stage": "pending", "ready": 1, "delayed": 2, "leased": 0, "ended": 0}));
        assert_eq!(
            shown,
            json!({
                "pipeline_id": "p", "status": "pending",
                "counts": {"pending": 3, "embedding": 4, "indexed": 8, "failed": 16},
                "failed_reasons": {"leases": 16},
                "pending_count": 3, "processing_count": 4, "failed_count": 16,
                "indexed_rate_per_min": 1.5, "rate_window_seconds": 60, "stages": stages,
            })
        );
    }

    #[test]
    fn a_pipeline_waits_on_what_is_behind_it_where_nothing_can_be_done_now() {
        for (ready, delayed, leased, name) in [
            (0, 0, 0, "idle"),
            (1, 0, 0, "pending"),
            (0, 0, 1, "pending"),
            (1, 1, 0, "pending"),
            (0, 1, 0, "waiting_on_upstream"),
        ] {
            assert_eq!(state_name(ready, delayed, leased), name);
        }
    }
}
