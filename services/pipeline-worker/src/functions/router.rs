//! The calls of the router that functions make.

use std::time::{Duration, Instant};

use layer_proto::router::v1::{
    BatchFetchRequest, Document, GetSchemaRequest, GetSchemaResponse, QueryRequest, QueryResponse, UpdateSchemaRequest,
    WriteRequest, WriteResponse,
};

use crate::router::{Router, RouterError};

/// The calls of the router that functions make. Each ends within `within`.
pub trait RouterCalls: Clone + Send + Sync + 'static {
    /// Answers rows.
    fn query(
        &self,
        request: QueryRequest,
        within: Duration,
    ) -> impl Future<Output = Result<QueryResponse, RouterError>> + Send;

    /// Answers the rows of these ids that are there.
    fn fetch(
        &self,
        request: BatchFetchRequest,
        within: Duration,
    ) -> impl Future<Output = Result<Vec<Document>, RouterError>> + Send;

    /// Writes rows on behalf of a function: the router tells no function of it.
    fn write(
        &self,
        request: WriteRequest,
        within: Duration,
    ) -> impl Future<Output = Result<WriteResponse, RouterError>> + Send;

    /// Answers a namespace's schema, without Layer's own attributes.
    fn schema(
        &self,
        request: GetSchemaRequest,
        within: Duration,
    ) -> impl Future<Output = Result<GetSchemaResponse, RouterError>> + Send;

    /// Declares attributes.
    fn declare(
        &self,
        request: UpdateSchemaRequest,
        within: Duration,
    ) -> impl Future<Output = Result<(), RouterError>> + Send;
}

impl RouterCalls for Router {
    async fn query(&self, request: QueryRequest, within: Duration) -> Result<QueryResponse, RouterError> {
        Self::query(self, request, Instant::now() + within).await
    }

    async fn fetch(&self, request: BatchFetchRequest, within: Duration) -> Result<Vec<Document>, RouterError> {
        self.batch_fetch(request, Instant::now() + within).await
    }

    async fn write(&self, request: WriteRequest, within: Duration) -> Result<WriteResponse, RouterError> {
        self.write_of_function(request, Instant::now() + within).await
    }

    async fn schema(&self, request: GetSchemaRequest, within: Duration) -> Result<GetSchemaResponse, RouterError> {
        Self::schema(self, request, Instant::now() + within).await
    }

    async fn declare(&self, request: UpdateSchemaRequest, within: Duration) -> Result<(), RouterError> {
        self.update_schema(request, Instant::now() + within).await
    }
}
