//! Documents of a pipeline: claimed, moved, looked up, and put back.

use std::time::Duration;

use layer_proto::pipeline::v1::{
    ClaimRequest, CompleteRequest, CompletedDocument, DeadLetter, Document, DocumentGuard, DocumentResult,
    DocumentStatus, FailRequest, FailedDocument, FailureKind, GetDocumentsRequest, HeartbeatRequest, Holder,
    ListDeadLettersRequest, ReleaseRequest, RequeueDeadLettersRequest, SetStageRequest,
};
use layer_service::grpc::status;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tonic::Code;

use super::{
    asked::{Asked, Reply, answered, time},
    content::ChunkIn,
    json::{Kind, Number, present, refuse},
    pipeline::reason_name,
    refused::refusal,
};
use crate::refusal::Refusal;

/// The longest lease that the contract knows.
const LEASE_SECONDS_MAX: u64 = 86_400;
/// How long a claim may wait at the most.
const WAIT_MS_MAX: u32 = 30_000;

/// A document and what must be true of it.
#[derive(Deserialize)]
pub(super) struct Guard {
    document_id: String,
    token: Option<u64>,
    version: Option<u64>,
}

impl Guard {
    fn message(self) -> DocumentGuard {
        DocumentGuard {
            document_id: self.document_id,
            token: self.token.unwrap_or(0),
            version: self.version.unwrap_or(0),
        }
    }
}

/// The documents of a call: by their ids alone, as the published clients name them, or with tokens.
fn guards(ids: Option<Vec<String>>, guarded: Option<Vec<Guard>>) -> Result<(Vec<DocumentGuard>, bool), Refusal> {
    let by_id = |document_id| DocumentGuard { document_id, ..DocumentGuard::default() };
    match (ids, guarded) {
        (Some(ids), None) => Ok((ids.into_iter().map(by_id).collect(), false)),
        (None, Some(guarded)) => Ok((guarded.into_iter().map(Guard::message).collect(), true)),
        (None, None) => Err(refuse("document_ids", "is needed, or `documents`")),
        (Some(_), Some(_)) => Err(refuse("document_ids", "excludes `documents`")),
    }
}

pub(super) fn holder(worker_id: Option<String>, stage: Option<String>) -> Option<Holder> {
    let holder = Holder { worker_id: worker_id.unwrap_or_default(), stage: stage.unwrap_or_default() };
    (holder != Holder::default()).then_some(holder)
}

/// A lease in a body; 0 where it is absent.
pub(crate) fn lease_ms(seconds: Number) -> Result<u64, Refusal> {
    match seconds.map_or(0, |seconds| seconds.get()) {
        seconds if seconds <= LEASE_SECONDS_MAX => Ok(seconds * 1000),
        _ => Err(refuse("lease_seconds", format!("must be from 1 to {LEASE_SECONDS_MAX}"))),
    }
}

/// How long a claim waits for something to claim.
pub(crate) fn wait(wait_ms: Option<u32>) -> Result<(u32, Duration), Refusal> {
    match wait_ms.unwrap_or(0) {
        wait_ms if wait_ms <= WAIT_MS_MAX => Ok((wait_ms, Duration::from_millis(wait_ms.into()))),
        _ => Err(refuse("wait_ms", format!("must be from 0 to {WAIT_MS_MAX}"))),
    }
}

#[derive(Deserialize)]
struct Claim {
    stage: Option<String>,
    claim_stage: Option<String>,
    limit: Number,
    worker_id: String,
    lease_seconds: Number,
    document_id_prefix: Option<String>,
    wait_ms: Option<u32>,
}

#[derive(Serialize)]
struct Claimed {
    pipeline_id: String,
    stage: String,
    claim_stage: String,
    worker_id: String,
    documents: Vec<String>,
    claims: Vec<ShownClaim>,
    lease_ms: u64,
}

#[derive(Serialize)]
struct ShownClaim {
    document_id: String,
    token: u64,
    version: u64,
    attempt: u32,
    chunk_count: u32,
}

/// POST …/claim
pub(super) async fn claim(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let body: Claim = asked.read()?;
    let (wait_ms, longer) = wait(body.wait_ms)?;
    let message = ClaimRequest {
        pipeline_id: pipeline_id.clone(),
        stage: body.stage.unwrap_or_default(),
        claim_stage: body.claim_stage.unwrap_or_default(),
        limit: present("limit", body.limit)?,
        worker_id: body.worker_id.clone(),
        lease_ms: lease_ms(body.lease_seconds)?,
        document_id_prefix: body.document_id_prefix.unwrap_or_default(),
        wait_ms,
    };
    let answer = answered(asked.pipelines(longer).claim(asked.request(message)).await)?;
    let shown = answer.documents.into_iter().map(|document| ShownClaim {
        document_id: document.document_id,
        token: document.token,
        version: document.version,
        attempt: document.attempt,
        chunk_count: document.chunk_count,
    });
    let claims: Vec<ShownClaim> = shown.collect();
    Reply::of(&Claimed {
        pipeline_id,
        stage: answer.stage,
        claim_stage: answer.claim_stage,
        worker_id: body.worker_id,
        documents: claims.iter().map(|claim| claim.document_id.clone()).collect(),
        claims,
        lease_ms: answer.lease_ms,
    })
}

/// What became of documents. Each one's result is there where they were named with tokens.
#[derive(Serialize)]
struct Moved {
    pipeline_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    updated: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<ShownResult>>,
}

#[derive(Serialize)]
pub(super) struct ShownResult {
    document_id: String,
    status: String,
    stage: String,
}

pub(super) fn shown(results: Vec<DocumentResult>) -> (usize, Vec<ShownResult>) {
    let done = results.iter().filter(|result| result.status() == DocumentStatus::Done).count();
    let shown = results.into_iter().map(|result| ShownResult {
        status: status_name(result.status()).to_ascii_lowercase(),
        document_id: result.document_id,
        stage: result.stage,
    });
    (done, shown.collect())
}

/// `STALE_TOKEN` and the like.
pub(super) fn status_name(status: DocumentStatus) -> &'static str {
    let name = status.as_str_name();
    name.strip_prefix("DOCUMENT_STATUS_").unwrap_or(name)
}

fn moved(
    pipeline_id: String,
    stage: Option<String>,
    results: Vec<DocumentResult>,
    full: bool,
) -> Result<Reply, Refusal> {
    let (updated, results) = shown(results);
    Reply::of(&Moved { pipeline_id, stage, updated, results: full.then_some(results) })
}

#[derive(Deserialize)]
struct Heartbeat {
    document_ids: Option<Vec<String>>,
    documents: Option<Vec<Guard>>,
    stage: Option<String>,
    worker_id: String,
    lease_seconds: Number,
}

/// POST …/documents/heartbeat
pub(super) async fn heartbeat(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let body: Heartbeat = asked.read()?;
    let (documents, full) = guards(body.document_ids, body.documents)?;
    let message = HeartbeatRequest {
        pipeline_id: pipeline_id.clone(),
        documents,
        holder: holder(Some(body.worker_id), body.stage.clone()),
        lease_ms: lease_ms(body.lease_seconds)?,
    };
    let results = answered(asked.pipelines(Duration::ZERO).heartbeat(asked.request(message)).await)?.results;
    let of_result = || results.iter().find(|result| result.status() == DocumentStatus::Done);
    let stage = body.stage.or_else(|| of_result().map(|result| result.stage.clone())).unwrap_or_default();
    moved(pipeline_id, Some(stage), results, full)
}

#[derive(Deserialize)]
struct SetStage {
    document_ids: Option<Vec<String>>,
    documents: Option<Vec<Guard>>,
    stage: String,
    from_stage: Option<String>,
    worker_id: Option<String>,
    create_missing: Option<bool>,
}

/// POST …/documents/stage
pub(super) async fn set_stage(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let body: SetStage = asked.read()?;
    let (documents, full) = guards(body.document_ids, body.documents)?;
    let message = SetStageRequest {
        pipeline_id: pipeline_id.clone(),
        documents,
        stage: body.stage.clone(),
        holder: holder(body.worker_id, body.from_stage),
        create_missing: body.create_missing.unwrap_or(false),
    };
    let answer = answered(asked.pipelines(Duration::ZERO).set_stage(asked.request(message)).await)?;
    moved(pipeline_id, Some(body.stage), answer.results, full)
}

#[derive(Deserialize)]
struct Complete {
    documents: Vec<Completed>,
    stage: Option<String>,
    worker_id: Option<String>,
    to_stage: Option<String>,
}

#[derive(Deserialize)]
struct Completed {
    document_id: String,
    token: Option<u64>,
    version: Option<u64>,
    output: Option<Vec<ChunkIn>>,
}

/// POST …/documents/complete
pub(super) async fn complete(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let body: Complete = asked.read()?;
    let mut documents = Vec::with_capacity(body.documents.len());
    for (index, Completed { document_id, token, version, output }) in body.documents.into_iter().enumerate() {
        let document = Some(Guard { document_id, token, version }.message());
        let output = output.unwrap_or_default();
        let output = ChunkIn::messages(output, || format!("documents[{index}].output"))?;
        documents.push(CompletedDocument { document, output });
    }
    let message = CompleteRequest {
        pipeline_id: pipeline_id.clone(),
        documents,
        holder: holder(body.worker_id, body.stage),
        to_stage: body.to_stage.unwrap_or_default(),
    };
    let answer = answered(asked.pipelines(Duration::ZERO).complete(asked.request(message)).await)?;
    moved(pipeline_id, None, answer.results, true)
}

#[derive(Deserialize)]
struct Fail {
    documents: Vec<Failed>,
    stage: Option<String>,
    worker_id: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    document_id: String,
    token: Option<u64>,
    version: Option<u64>,
    kind: Option<Kind>,
    message: Option<String>,
}

fn of_kind(kind: Kind) -> FailureKind {
    kind.of(FailureKind::Transient, FailureKind::Permanent)
}

/// POST …/documents/fail
pub(super) async fn fail(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let body: Fail = asked.read()?;
    let documents =
        body.documents.into_iter().map(|Failed { document_id, token, version, kind, message }| FailedDocument {
            document: Some(Guard { document_id, token, version }.message()),
            kind: kind.map_or(FailureKind::Unspecified, of_kind).into(),
            message: message.unwrap_or_default(),
        });
    let holder = holder(body.worker_id, body.stage);
    let message = FailRequest { pipeline_id: pipeline_id.clone(), documents: documents.collect(), holder };
    let answer = answered(asked.pipelines(Duration::ZERO).fail(asked.request(message)).await)?;
    moved(pipeline_id, None, answer.results, true)
}

#[derive(Deserialize)]
struct Release {
    documents: Vec<Guard>,
    stage: Option<String>,
    worker_id: Option<String>,
}

/// POST …/documents/release
pub(super) async fn release(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let body: Release = asked.read()?;
    let documents = body.documents.into_iter().map(Guard::message).collect();
    let holder = holder(body.worker_id, body.stage);
    let message = ReleaseRequest { pipeline_id: pipeline_id.clone(), documents, holder };
    let answer = answered(asked.pipelines(Duration::ZERO).release(asked.request(message)).await)?;
    moved(pipeline_id, None, answer.results, true)
}

#[derive(Serialize)]
struct ShownDocument {
    pipeline_id: String,
    document_id: String,
    stage: String,
    state: String,
    version: u64,
    attempts: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    worker_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    wakes_at: Option<String>,
    chunk_count: u32,
    priority: u32,
}

impl ShownDocument {
    fn of(pipeline_id: String, document: Document) -> Self {
        let state = document.state().as_str_name();
        Self {
            pipeline_id,
            state: state.strip_prefix("DOCUMENT_STATE_").unwrap_or(state).to_ascii_lowercase(),
            wakes_at: time(document.wakes_at.as_ref()),
            document_id: document.document_id,
            stage: document.stage,
            version: document.version,
            attempts: document.attempts,
            worker_id: document.worker_id,
            chunk_count: document.chunk_count,
            priority: document.priority,
        }
    }
}

/// GET …/documents/{doc}
pub(super) async fn get(asked: &Asked<'_>, pipeline_id: String, document_id: String) -> Result<Reply, Refusal> {
    let message = GetDocumentsRequest { pipeline_id: pipeline_id.clone(), document_ids: vec![document_id] };
    let answer = answered(asked.pipelines(Duration::ZERO).get_documents(asked.request(message)).await)?;
    match answer.documents.into_iter().next() {
        Some(document) => Reply::of(&ShownDocument::of(pipeline_id, document)),
        None => Err(no_document()),
    }
}

/// What the service says where a call needs a document that is not there.
pub(super) fn no_document() -> Refusal {
    refusal(status::error(Code::NotFound, "DOCUMENT_NOT_FOUND", "the pipeline has no such document"))
}

#[derive(Serialize)]
struct DeadLetters {
    dead_letters: Vec<ShownLetter>,
    #[serde(skip_serializing_if = "String::is_empty")]
    next_page_token: String,
}

#[derive(Serialize)]
struct ShownLetter {
    document_id: String,
    reason: &'static str,
    message: String,
    stage: String,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<String>,
}

impl ShownLetter {
    fn of(letter: DeadLetter) -> Self {
        Self {
            reason: reason_name(letter.reason()),
            failed_at: time(letter.failed_at.as_ref()),
            document_id: letter.document_id,
            message: letter.message,
            stage: letter.stage,
            attempts: letter.attempts,
        }
    }
}

/// GET …/dead-letters
pub(super) async fn dead_letters(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let page = asked.page()?;
    let message = ListDeadLettersRequest { pipeline_id, page_size: page.size, page_token: page.token };
    let answer = answered(asked.pipelines(Duration::ZERO).list_dead_letters(asked.request(message)).await)?;
    let dead_letters = answer.dead_letters.into_iter().map(ShownLetter::of).collect();
    Reply::of(&DeadLetters { dead_letters, next_page_token: answer.next_page_token })
}

#[derive(Deserialize)]
struct Requeue {
    document_ids: Option<Vec<String>>,
    limit: Number,
}

/// POST …/dead-letters/requeue
pub(super) async fn requeue(asked: &Asked<'_>, pipeline_id: String) -> Result<Reply, Refusal> {
    let body: Requeue = asked.read()?;
    // In the contract an empty list means all of them, which nobody says by naming none.
    if body.document_ids.as_ref().is_some_and(Vec::is_empty) {
        return Err(refuse("document_ids", "must not be empty; leave it out to requeue all"));
    }
    let message = RequeueDeadLettersRequest {
        pipeline_id: pipeline_id.clone(),
        document_ids: body.document_ids.unwrap_or_default(),
        limit: present("limit", body.limit)?,
    };
    let answer = answered(asked.pipelines(Duration::ZERO).requeue_dead_letters(asked.request(message)).await)?;
    Reply::of(&json!({"pipeline_id": pipeline_id, "requeued": answer.requeued}))
}
