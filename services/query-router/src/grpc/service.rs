//! The service: each method checks and encodes its request, calls the core, and reads the answer.

use layer_proto::router::v1::query_router_service_server::QueryRouterService;
use layer_proto::router::v1::{
    BatchFetchRequest, DeleteNamespaceRequest, DeleteNamespaceResponse, ExplainRequest, ExplainResponse, FetchRequest,
    FetchResponse, GetMetadataRequest, GetMetadataResponse, GetSchemaRequest, GetSchemaResponse, InvalidateRequest,
    InvalidateResponse, ListNamespacesRequest, ListNamespacesResponse, MultiQueryRequest, MultiQueryResponse,
    QueryRequest, QueryResponse, RecallRequest, RecallResponse, UpdateMetadataRequest, UpdateMetadataResponse,
    UpdateSchemaRequest, UpdateSchemaResponse, WarmHintRequest, WarmHintResponse, WriteRequest, WriteResponse,
};
use tonic::{Extensions, Request, Response, Status, async_trait};

use super::WireCall;
use super::call::{self, Caller};
use super::decode::{self, Hints};
use super::encode;
use super::pieces::{self, Pieces};

/// The gRPC front: a translator in front of the core that HTTP uses.
#[derive(Clone, Debug)]
pub struct QueryRouterFront<C> {
    core: C,
}

impl<C> QueryRouterFront<C> {
    pub(super) fn new(core: C) -> Self {
        Self { core }
    }
}

#[async_trait]
impl<C: WireCall> QueryRouterService for QueryRouterFront<C> {
    async fn query(&self, request: Request<QueryRequest>) -> Result<Response<QueryResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        let answer = caller.send(&self.core, encode::query(&request)).await?;
        answer.read_query(|body| decode::query(body, &Hints::of_query(&request)))
    }

    async fn multi_query(&self, request: Request<MultiQueryRequest>) -> Result<Response<MultiQueryResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        let answer = caller.send(&self.core, encode::multi_query(&request)).await?;
        answer.read_query(|body| decode::multi_query(body, &Hints::of_multi_query(&request)))
    }

    async fn write(&self, request: Request<WriteRequest>) -> Result<Response<WriteResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        let encoded = encode::write(&request);
        // A message of documents may be large, and its encoded form is all that is needed from here on.
        drop(request);
        caller.send(&self.core, encoded).await?.read(decode::write)
    }

    async fn list_namespaces(
        &self,
        request: Request<ListNamespacesRequest>,
    ) -> Result<Response<ListNamespacesResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        caller.send(&self.core, encode::list_namespaces(&request)).await?.read(decode::list_namespaces)
    }

    async fn get_metadata(
        &self,
        request: Request<GetMetadataRequest>,
    ) -> Result<Response<GetMetadataResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        caller.send(&self.core, encode::get_metadata(&request)).await?.read(decode::get_metadata)
    }

    async fn update_metadata(
        &self,
        request: Request<UpdateMetadataRequest>,
    ) -> Result<Response<UpdateMetadataResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        caller.send(&self.core, encode::update_metadata(&request)).await?.read(decode::update_metadata)
    }

    async fn get_schema(&self, request: Request<GetSchemaRequest>) -> Result<Response<GetSchemaResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        caller.send(&self.core, encode::get_schema(&request)).await?.read(decode::get_schema)
    }

    async fn update_schema(
        &self,
        request: Request<UpdateSchemaRequest>,
    ) -> Result<Response<UpdateSchemaResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        caller.send(&self.core, encode::update_schema(&request)).await?.read(decode::update_schema)
    }

    async fn delete_namespace(
        &self,
        request: Request<DeleteNamespaceRequest>,
    ) -> Result<Response<DeleteNamespaceResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        caller.send(&self.core, encode::delete_namespace(&request)).await?.read(decode::delete_namespace)
    }

    async fn warm_hint(&self, request: Request<WarmHintRequest>) -> Result<Response<WarmHintResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        caller.send(&self.core, encode::warm_hint(&request)).await?.read(decode::warm_hint)
    }

    async fn invalidate(&self, request: Request<InvalidateRequest>) -> Result<Response<InvalidateResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        caller.send(&self.core, encode::invalidate(&request)).await?.read(decode::invalidate)
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        caller.send(&self.core, encode::explain(&request)).await?.read_query(decode::explain)
    }

    async fn recall(&self, request: Request<RecallRequest>) -> Result<Response<RecallResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        let answer = caller.send(&self.core, encode::recall(&request)).await?;
        answer.read_query(|body| decode::recall(body, &Hints::of_recall(&request)))
    }

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<FetchResponse>, Status> {
        let (caller, request) = Caller::of(request)?;
        let (metadata, batch) = caller.fetch(&self.core, encode::fetch(&request)).await?.batch()?;
        match pieces::only(batch, &Hints::of_fetch(&request.attribute_types)).await? {
            Some(document) => Ok(Response::from_parts(metadata, document, Extensions::default())),
            None => Err(call::not_found(&request.namespace, metadata)),
        }
    }

    type BatchFetchStream = Pieces;

    async fn batch_fetch(&self, request: Request<BatchFetchRequest>) -> Result<Response<Pieces>, Status> {
        let (caller, request) = Caller::of(request)?;
        let (metadata, batch) = caller.fetch(&self.core, encode::batch_fetch(&request)).await?.batch()?;
        let pieces = pieces::pieces(batch, Hints::of_fetch(&request.attribute_types));
        Ok(Response::from_parts(metadata, pieces, Extensions::default()))
    }
}
