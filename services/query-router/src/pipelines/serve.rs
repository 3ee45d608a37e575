//! The calls on pipelines over HTTP.

use http::{Request, Response};

use super::{
    content, documents,
    json::decoded,
    pipeline,
    route::{PipelineCall, PipelineRoute},
    rows,
};
use crate::{
    body::Source,
    core::{Call, Core, Relayable},
    refusal::Refusal,
};

impl Core {
    /// Answers a call on pipelines.
    pub(crate) async fn pipeline(
        &self,
        route: &PipelineRoute<'_>,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let pipeline = decoded("pipeline_id", route.pipeline)?;
        let document = decoded("document_id", route.document)?;
        let asked = &self.asked_of_part(route.call.name(), call, request).await?;
        let reply = match route.call {
            PipelineCall::Create => pipeline::create(asked).await,
            PipelineCall::List => pipeline::list(asked).await,
            PipelineCall::Get => pipeline::get(asked, pipeline).await,
            PipelineCall::Delete => pipeline::delete(asked, pipeline).await,
            PipelineCall::Status => pipeline::status(asked, pipeline).await,
            PipelineCall::Claim => documents::claim(asked, pipeline).await,
            PipelineCall::Heartbeat => documents::heartbeat(asked, pipeline).await,
            PipelineCall::SetStage => documents::set_stage(asked, pipeline).await,
            PipelineCall::Complete => documents::complete(asked, pipeline).await,
            PipelineCall::Fail => documents::fail(asked, pipeline).await,
            PipelineCall::Release => documents::release(asked, pipeline).await,
            PipelineCall::Document => documents::get(asked, pipeline, document).await,
            PipelineCall::DeadLetters => documents::dead_letters(asked, pipeline).await,
            PipelineCall::Requeue => documents::requeue(asked, pipeline).await,
            PipelineCall::PutChunks => content::put(asked, pipeline, document).await,
            PipelineCall::GetChunks => content::get(asked, pipeline, document).await,
            PipelineCall::PutVectors => rows::vectors(asked, pipeline, document).await,
            PipelineCall::PutDocumentRows => rows::document(asked, pipeline, document).await,
            PipelineCall::PutRows => rows::bulk(asked, pipeline).await,
        };
        reply.map(|reply| reply.into_answer(call))
    }
}
