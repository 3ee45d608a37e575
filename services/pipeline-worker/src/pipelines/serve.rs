//! The calls of the contract: checked, carried out, answered.

use std::{collections::HashSet, pin::Pin};

use futures_util::{Stream, stream};
use layer_proto::pipeline::v1::{
    ClaimRequest, ClaimResponse, CompleteRequest, CompleteResponse, CompletedDocument, CreatePipelineRequest,
    CreatePipelineResponse, DeletePipelineRequest, DeletePipelineResponse, FailRequest, FailResponse, FailureKind,
    GetChunksRequest, GetChunksResponse, GetDocumentsRequest, GetDocumentsResponse, GetPipelineRequest,
    GetPipelineResponse, GetPipelineStatusRequest, GetPipelineStatusResponse, HeartbeatRequest, HeartbeatResponse,
    ListDeadLettersRequest, ListDeadLettersResponse, ListPipelinesRequest, ListPipelinesResponse, PutRowsRequest,
    PutRowsResponse, ReleaseRequest, ReleaseResponse, RequeueDeadLettersRequest, RequeueDeadLettersResponse,
    SetStageRequest, SetStageResponse, StageDocumentsRequest, StageDocumentsResponse,
    pipeline_service_server::PipelineService,
};
use layer_service::grpc::{Deadline, status};
use tonic::{Code, Request, Response, Status, async_trait};

use super::{Pipelines, check::Check, claim::Asked, convert, stage::pieces};
use crate::{
    bodies::{Packed, Place},
    failure::Failure,
    points,
    state::{Completed, Failed, Guard, Held, Kind, Output, Queue},
};

/// Documents of a call that brings content, and of one that only moves them.
const CONTENT_MAX: usize = 1000;
const MOVES_MAX: usize = 10_000;
/// A page of a listing.
const PAGE: u32 = 100;
const PAGE_MAX: u32 = 1000;
/// Dead letters that are requeued where the call does not say.
const REQUEUED: u32 = 1000;

/// Chunks of a document as they are sent.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Result<GetChunksResponse, Status>> + Send>>;

fn page_size(asked: u32) -> u32 {
    if asked == 0 { PAGE } else { asked.min(PAGE_MAX) }
}

impl Pipelines {
    async fn queue(&self, pipeline: &str) -> Result<Queue, Failure> {
        Ok(self.state.get(Kind::Pipeline, pipeline).await?)
    }

    /// Stores what documents put out, and completes them.
    async fn complete_with(
        &self,
        queue: &Queue,
        documents: Vec<CompletedDocument>,
        held: Vec<Held>,
        guard: &Guard,
        to_stage: Option<&str>,
    ) -> Result<Vec<crate::state::Outcome>, Failure> {
        if documents.iter().all(|document| document.output.is_empty()) {
            let completed: Vec<_> = held.into_iter().map(|held| Completed { held, output: None }).collect();
            return self.complete_all(queue, &completed, guard, to_stage).await;
        }
        let minted_ms = self.state.now_ms().await?;
        let mut packed = Vec::new();
        // The stage is part of the body's key. What is wrong with a document the state decides, with all it knows.
        let allowed = self.state.check(queue, &held, guard).await?;
        for (document, allowed) in documents.iter().zip(&allowed).filter(|(document, _)| !document.output.is_empty()) {
            if let Some(stage) = &allowed.stage {
                let place = Place { queue: queue.id, stage: Some(stage), document: &allowed.item };
                packed.push((place, Packed::new(&document.output, minted_ms)));
            }
        }
        points::reach("complete.bodies.before");
        self.bodies.put(&mut packed).await?;
        points::reach("complete.bodies.after");
        let mut stored = packed.iter().map(|(_, packed)| packed.body);
        let documents = documents.iter().zip(held).zip(&allowed);
        let completed = documents.map(|((document, held), allowed)| {
            let output = match &allowed.stage {
                _ if document.output.is_empty() => None,
                Some(stage) => stored.next().map(|body| Output { stage: stage.clone(), body }),
                // No stage is right of an item that is not there: should it appear meanwhile, the call does not count.
                None => Some(Output { stage: String::new(), body: Packed::new(&[], minted_ms).body }),
            };
            Completed { held, output }
        });
        let completed: Vec<_> = completed.collect();
        let outcomes = self.complete_all(queue, &completed, guard, to_stage).await?;
        let namespace = super::Target::of(queue)?.namespace;
        points::reach("complete.copy.before");
        self.bodies.copy(&namespace, &packed).await;
        points::reach("complete.copy.after");
        Ok(outcomes)
    }

    async fn complete_all(
        &self,
        queue: &Queue,
        completed: &[Completed],
        guard: &Guard,
        to_stage: Option<&str>,
    ) -> Result<Vec<crate::state::Outcome>, Failure> {
        let outcomes = self.state.complete(Kind::Pipeline, &queue.name, completed, guard, to_stage).await?;
        self.wakes.wake(&queue.name);
        Ok(outcomes)
    }
}

fn results<R>(
    outcomes: Vec<crate::state::Outcome>,
    answer: impl FnOnce(Vec<layer_proto::pipeline::v1::DocumentResult>) -> R,
) -> Response<R> {
    Response::new(answer(outcomes.into_iter().map(convert::result).collect()))
}

#[async_trait]
impl PipelineService for Pipelines {
    async fn create_pipeline(
        &self,
        request: Request<CreatePipelineRequest>,
    ) -> Result<Response<CreatePipelineResponse>, Status> {
        let CreatePipelineRequest { pipeline_id, spec } = request.into_inner();
        let mut check = Check::default();
        check.pipeline_id(&pipeline_id);
        let spec = check.spec(spec);
        let spec = check.done(spec)?;
        let queue = self.state.create(Kind::Pipeline, &pipeline_id, &spec).await.map_err(Failure::from)?;
        Ok(Response::new(CreatePipelineResponse { pipeline: Some(convert::pipeline(queue)?) }))
    }

    async fn get_pipeline(
        &self,
        request: Request<GetPipelineRequest>,
    ) -> Result<Response<GetPipelineResponse>, Status> {
        let queue = self.queue(&request.into_inner().pipeline_id).await?;
        Ok(Response::new(GetPipelineResponse { pipeline: Some(convert::pipeline(queue)?) }))
    }

    async fn list_pipelines(
        &self,
        request: Request<ListPipelinesRequest>,
    ) -> Result<Response<ListPipelinesResponse>, Status> {
        let ListPipelinesRequest { page_size: size, page_token } = request.into_inner();
        let size = page_size(size);
        let queues = self.state.list(Kind::Pipeline, &page_token, size).await.map_err(Failure::from)?;
        let full = queues.len() == size as usize;
        let next_page_token = queues.last().filter(|_| full).map(|queue| queue.name.clone()).unwrap_or_default();
        let pipelines = queues.into_iter().map(convert::pipeline).collect::<Result<_, _>>()?;
        Ok(Response::new(ListPipelinesResponse { pipelines, next_page_token }))
    }

    async fn delete_pipeline(
        &self,
        request: Request<DeletePipelineRequest>,
    ) -> Result<Response<DeletePipelineResponse>, Status> {
        let id = request.into_inner().pipeline_id;
        self.state.delete(Kind::Pipeline, &id).await.map_err(Failure::from)?;
        Ok(Response::new(DeletePipelineResponse {}))
    }

    async fn get_pipeline_status(
        &self,
        request: Request<GetPipelineStatusRequest>,
    ) -> Result<Response<GetPipelineStatusResponse>, Status> {
        let id = request.into_inner().pipeline_id;
        let counted = self.state.status(Kind::Pipeline, &id).await.map_err(Failure::from)?;
        Ok(Response::new(GetPipelineStatusResponse { status: Some(convert::status(counted)) }))
    }

    async fn stage_documents(
        &self,
        request: Request<StageDocumentsRequest>,
    ) -> Result<Response<StageDocumentsResponse>, Status> {
        let StageDocumentsRequest { pipeline_id, documents } = request.into_inner();
        let mut check = Check::default();
        check.pipeline_id(&pipeline_id);
        check.count("documents", documents.len(), CONTENT_MAX);
        let mut known = HashSet::with_capacity(documents.len());
        for (at, document) in documents.iter().enumerate() {
            check.staged(at, document);
            if !known.insert(document.document_id.as_str()) {
                check.refuse(format!("documents[{at}].document_id"), "must differ from those before it");
            }
        }
        check.done(())?;
        let results = self.stage(&pipeline_id, documents).await?;
        Ok(Response::new(StageDocumentsResponse { results }))
    }

    type GetChunksStream = Pieces;

    async fn get_chunks(&self, request: Request<GetChunksRequest>) -> Result<Response<Pieces>, Status> {
        let until = Deadline::of(&request).0;
        let GetChunksRequest { pipeline_id, document_id, stage, version } = request.into_inner();
        let mut check = Check::default();
        check.document_id(|| "document_id".to_owned(), &document_id);
        check.done(())?;
        let queue = self.queue(&pipeline_id).await?;
        let stage = Some(stage.as_str()).filter(|stage| !stage.is_empty());
        let Some((present, chunks)) = self.chunks(&queue, &document_id, stage, until).await? else {
            let message = format!("there is no document `{document_id}` in the pipeline");
            return Err(status::error(Code::NotFound, "DOCUMENT_NOT_FOUND", message));
        };
        if version != 0 && version != present.unsigned_abs() {
            return Err(status::error(Code::Aborted, "STALE_VERSION", "the document was staged again"));
        }
        let pieces = pieces(present, chunks).into_iter().map(Ok);
        Ok(Response::new(Box::pin(stream::iter(pieces))))
    }

    async fn get_documents(
        &self,
        request: Request<GetDocumentsRequest>,
    ) -> Result<Response<GetDocumentsResponse>, Status> {
        let GetDocumentsRequest { pipeline_id, document_ids } = request.into_inner();
        let mut check = Check::default();
        check.count("document_ids", document_ids.len(), CONTENT_MAX);
        for (at, id) in document_ids.iter().enumerate() {
            check.document_id(|| format!("document_ids[{at}]"), id);
        }
        check.done(())?;
        let items = self.state.items(Kind::Pipeline, &pipeline_id, &document_ids).await.map_err(Failure::from)?;
        Ok(Response::new(GetDocumentsResponse { documents: items.into_iter().map(convert::document).collect() }))
    }

    async fn claim(&self, request: Request<ClaimRequest>) -> Result<Response<ClaimResponse>, Status> {
        let until = Deadline::of(&request).0;
        let request = request.into_inner();
        let pipeline_id = request.pipeline_id.clone();
        let mut check = Check::default();
        let asked = Asked::read(&mut check, request);
        let asked = check.done(asked)?;
        let queue = self.queue(&pipeline_id).await?;
        let (wait, claim) = (asked.wait, asked.claim(&queue));
        let claimed = self.claim(&queue, &claim, wait, until).await?;
        Ok(Response::new(ClaimResponse {
            documents: claimed.into_iter().map(convert::claimed).collect(),
            lease_ms: claim.lease_ms,
            stage: claim.stage,
            claim_stage: claim.claim_stage,
        }))
    }

    async fn heartbeat(&self, request: Request<HeartbeatRequest>) -> Result<Response<HeartbeatResponse>, Status> {
        let HeartbeatRequest { pipeline_id, documents, holder, lease_ms } = request.into_inner();
        let mut check = Check::default();
        let (held, guard) = (check.guards("documents", &documents, MOVES_MAX), check.holder(holder));
        let lease_ms = check.lease_ms(lease_ms);
        let (held, guard) = check.done((held, guard))?;
        let outcomes = self.state.heartbeat(Kind::Pipeline, &pipeline_id, &held, &guard, lease_ms).await;
        Ok(results(outcomes.map_err(Failure::from)?, |results| HeartbeatResponse { results }))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let ReleaseRequest { pipeline_id, documents, holder } = request.into_inner();
        let mut check = Check::default();
        let (held, guard) = (check.guards("documents", &documents, MOVES_MAX), check.holder(holder));
        let (held, guard) = check.done((held, guard))?;
        let outcomes = self.state.release(Kind::Pipeline, &pipeline_id, &held, &guard).await.map_err(Failure::from)?;
        self.wakes.wake(&pipeline_id);
        Ok(results(outcomes, |results| ReleaseResponse { results }))
    }

    async fn fail(&self, request: Request<FailRequest>) -> Result<Response<FailResponse>, Status> {
        let FailRequest { pipeline_id, documents, holder } = request.into_inner();
        let mut check = Check::default();
        let held = check.members(documents.iter().map(|failed| failed.document.as_ref()), MOVES_MAX);
        for (at, failed) in documents.iter().enumerate() {
            if FailureKind::try_from(failed.kind).is_err() {
                check.refuse(format!("documents[{at}].kind"), "must be one of the kinds that the contract names");
            }
        }
        let guard = check.holder(holder);
        let (held, guard) = check.done((held, guard))?;
        let permanent = |kind| kind == i32::from(FailureKind::Permanent);
        let failed = held.into_iter().zip(documents).map(|(held, failed)| Failed {
            held,
            permanent: permanent(failed.kind),
            message: failed.message,
        });
        let failed: Vec<_> = failed.collect();
        let outcomes = self.state.fail(Kind::Pipeline, &pipeline_id, &failed, &guard).await.map_err(Failure::from)?;
        Ok(results(outcomes, |results| FailResponse { results }))
    }

    async fn complete(&self, request: Request<CompleteRequest>) -> Result<Response<CompleteResponse>, Status> {
        let CompleteRequest { pipeline_id, documents, holder, to_stage } = request.into_inner();
        let mut check = Check::default();
        let held = check.members(documents.iter().map(|completed| completed.document.as_ref()), CONTENT_MAX);
        for (at, completed) in documents.iter().enumerate() {
            check.chunks(&format!("documents[{at}].output"), &completed.output);
        }
        let guard = check.holder(holder);
        let (held, guard) = check.done((held, guard))?;
        let queue = self.queue(&pipeline_id).await?;
        let to_stage = Some(to_stage.as_str()).filter(|stage| !stage.is_empty());
        let outcomes = self.complete_with(&queue, documents, held, &guard, to_stage).await?;
        Ok(results(outcomes, |results| CompleteResponse { results }))
    }

    async fn put_rows(&self, request: Request<PutRowsRequest>) -> Result<Response<PutRowsResponse>, Status> {
        let until = Deadline::of(&request).0;
        let PutRowsRequest { pipeline_id, documents, holder } = request.into_inner();
        let mut check = Check::default();
        let held = check.members(documents.iter().map(|rows| rows.document.as_ref()), CONTENT_MAX);
        for (at, document) in documents.iter().enumerate() {
            for (row_at, row) in document.rows.iter().enumerate() {
                check.row(&format!("documents[{at}].rows[{row_at}]"), row);
            }
        }
        let guard = check.holder(holder);
        let (held, guard) = check.done((held, guard))?;
        let queue = self.queue(&pipeline_id).await?;
        Ok(Response::new(self.put_rows(&queue, documents, held, &guard, until).await?))
    }

    async fn set_stage(&self, request: Request<SetStageRequest>) -> Result<Response<SetStageResponse>, Status> {
        let SetStageRequest { pipeline_id, documents, stage, holder, create_missing } = request.into_inner();
        let mut check = Check::default();
        let (held, guard) = (check.guards("documents", &documents, MOVES_MAX), check.holder(holder));
        if stage.is_empty() {
            check.refuse("stage", "is required");
        }
        let (held, guard) = check.done((held, guard))?;
        let outcomes = self.state.set_stage(Kind::Pipeline, &pipeline_id, &held, &guard, &stage, create_missing).await;
        let outcomes = outcomes.map_err(Failure::from)?;
        self.wakes.wake(&pipeline_id);
        Ok(results(outcomes, |results| SetStageResponse { results }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let ListDeadLettersRequest { pipeline_id, page_size: size, page_token } = request.into_inner();
        let size = page_size(size);
        let letters = self.state.dead_letters(Kind::Pipeline, &pipeline_id, &page_token, size).await;
        let letters = letters.map_err(Failure::from)?;
        let full = letters.len() == size as usize;
        let next_page_token = letters.last().filter(|_| full).map(|last| last.item.clone()).unwrap_or_default();
        let dead_letters = letters.into_iter().map(convert::dead_letter).collect();
        Ok(Response::new(ListDeadLettersResponse { dead_letters, next_page_token }))
    }

    async fn requeue_dead_letters(
        &self,
        request: Request<RequeueDeadLettersRequest>,
    ) -> Result<Response<RequeueDeadLettersResponse>, Status> {
        let RequeueDeadLettersRequest { pipeline_id, document_ids, limit } = request.into_inner();
        let mut check = Check::default();
        if !document_ids.is_empty() {
            check.count("document_ids", document_ids.len(), MOVES_MAX);
        }
        for (at, id) in document_ids.iter().enumerate() {
            check.document_id(|| format!("document_ids[{at}]"), id);
        }
        check.done(())?;
        let limit = if limit == 0 { REQUEUED } else { limit };
        let requeued = self.state.requeue(Kind::Pipeline, &pipeline_id, &document_ids, limit).await;
        let requeued = u32::try_from(requeued.map_err(Failure::from)?).unwrap_or(u32::MAX);
        self.wakes.wake(&pipeline_id);
        Ok(Response::new(RequeueDeadLettersResponse { requeued }))
    }
}
