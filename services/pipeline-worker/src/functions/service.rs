//! The calls of the contract.

use layer_proto::function::v1::{
    ClaimRequest, ClaimResponse, CompleteRequest, CompleteResponse, CreateFunctionRequest, CreateFunctionResponse,
    DeleteFunctionRequest, DeleteFunctionResponse, DiscoverRequest, DiscoverResponse, FailRequest, FailResponse,
    GetFunctionRequest, GetFunctionResponse, HeartbeatRequest, HeartbeatResponse, ListDeadLettersRequest,
    ListDeadLettersResponse, ListFunctionsRequest, ListFunctionsResponse, NotifyWritesRequest, NotifyWritesResponse,
    PauseFunctionRequest, PauseFunctionResponse, ResetFailedRequest, ResetFailedResponse, ResumeFunctionRequest,
    ResumeFunctionResponse, UpsertFunctionRequest, UpsertFunctionResponse,
    function_service_server::{FunctionService, FunctionServiceServer},
};
use tonic::{Request, Response, Status, async_trait};

use super::{FunctionsService, RouterCalls};

type Answer<T> = Result<Response<T>, Status>;

impl<R: RouterCalls> FunctionsService<R> {
    /// The service as tonic serves it; a message has `message_bytes` at the most.
    pub fn server(&self, message_bytes: usize) -> FunctionServiceServer<Self> {
        FunctionServiceServer::new(self.clone())
            .max_decoding_message_size(message_bytes)
            .max_encoding_message_size(usize::MAX)
    }
}

#[async_trait]
impl<R: RouterCalls> FunctionService for FunctionsService<R> {
    async fn create_function(&self, request: Request<CreateFunctionRequest>) -> Answer<CreateFunctionResponse> {
        let function = Some(self.inner.create(request.into_inner()).await?);
        Ok(Response::new(CreateFunctionResponse { function }))
    }

    async fn upsert_function(&self, request: Request<UpsertFunctionRequest>) -> Answer<UpsertFunctionResponse> {
        let function = Some(self.inner.upsert(request.into_inner()).await?);
        Ok(Response::new(UpsertFunctionResponse { function }))
    }

    async fn get_function(&self, request: Request<GetFunctionRequest>) -> Answer<GetFunctionResponse> {
        Ok(Response::new(self.inner.get(&request.into_inner().function_id).await?))
    }

    async fn list_functions(&self, request: Request<ListFunctionsRequest>) -> Answer<ListFunctionsResponse> {
        Ok(Response::new(self.inner.list(request.into_inner()).await?))
    }

    async fn delete_function(&self, request: Request<DeleteFunctionRequest>) -> Answer<DeleteFunctionResponse> {
        self.inner.delete(request.into_inner()).await?;
        Ok(Response::new(DeleteFunctionResponse {}))
    }

    async fn pause_function(&self, request: Request<PauseFunctionRequest>) -> Answer<PauseFunctionResponse> {
        let function = Some(self.inner.pause(&request.into_inner().function_id, true).await?);
        Ok(Response::new(PauseFunctionResponse { function }))
    }

    async fn resume_function(&self, request: Request<ResumeFunctionRequest>) -> Answer<ResumeFunctionResponse> {
        let function = Some(self.inner.pause(&request.into_inner().function_id, false).await?);
        Ok(Response::new(ResumeFunctionResponse { function }))
    }

    async fn reset_failed(&self, request: Request<ResetFailedRequest>) -> Answer<ResetFailedResponse> {
        let reset_count = self.inner.reset_failed(&request.into_inner().function_id).await?;
        Ok(Response::new(ResetFailedResponse { reset_count }))
    }

    async fn list_dead_letters(&self, request: Request<ListDeadLettersRequest>) -> Answer<ListDeadLettersResponse> {
        Ok(Response::new(self.inner.dead_letters(request.into_inner()).await?))
    }

    async fn discover(&self, request: Request<DiscoverRequest>) -> Answer<DiscoverResponse> {
        Ok(Response::new(self.inner.discover(request.into_inner()).await?))
    }

    async fn claim(&self, request: Request<ClaimRequest>) -> Answer<ClaimResponse> {
        Ok(Response::new(self.inner.claim(request.into_inner()).await?))
    }

    async fn heartbeat(&self, request: Request<HeartbeatRequest>) -> Answer<HeartbeatResponse> {
        let results = self.inner.heartbeat(request.into_inner()).await?;
        Ok(Response::new(HeartbeatResponse { results }))
    }

    async fn complete(&self, request: Request<CompleteRequest>) -> Answer<CompleteResponse> {
        let results = self.inner.complete(request.into_inner()).await?;
        Ok(Response::new(CompleteResponse { results }))
    }

    async fn fail(&self, request: Request<FailRequest>) -> Answer<FailResponse> {
        let results = self.inner.fail(request.into_inner()).await?;
        Ok(Response::new(FailResponse { results }))
    }

    async fn notify_writes(&self, request: Request<NotifyWritesRequest>) -> Answer<NotifyWritesResponse> {
        Ok(Response::new(self.inner.notify_writes(request.into_inner()).await?))
    }
}
