//! `layer.cache.v1.DocCacheService` in front of a backend.
//!
//! The service decides what the backend never does: whether a hit may be served at all (see [`crate::proof`]). It never
//! changes a body, and never waits longer than its caller.

mod check;
mod errors;
mod lease;
mod lookup;

use std::{sync::Arc, time::Instant};

use layer_proto::cache::v1::{
    BatchFillRequest, BatchFillResponse, BatchGetRequest, ClearRequest, ClearResponse, FillStatus, GetRequest,
    GetResponse, HoldNamespaceRequest, HoldNamespaceResponse, HoldRequest, HoldResponse, InspectRequest,
    InspectResponse, PurgeNamespaceRequest, PurgeNamespaceResponse, ReleaseNamespaceRequest, ReleaseNamespaceResponse,
    ReleaseRequest, ReleaseResponse, StatsRequest, StatsResponse, doc_cache_service_server::DocCacheService,
};
use layer_service::grpc::Deadline;
use tonic::{Request, Response, Status, async_trait};

use self::{
    check::Check,
    lookup::{Pieces, Reader},
};
use crate::{
    backend::{Backend, BackendError, Filled},
    observe::Observe,
    proof::Proof,
    settings::ValueSettings,
};

/// The service; clones share everything.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) proof: Arc<Proof>,
    pub(crate) observe: Arc<Observe>,
    pub(crate) values: Arc<ValueSettings>,
}

impl Service {
    fn reader(&self) -> Reader {
        Reader {
            backend: Arc::clone(&self.backend),
            proof: Arc::clone(&self.proof),
            observe: Arc::clone(&self.observe),
        }
    }

    fn wrote<T>(&self, operation: &str, done: Result<(), BackendError>, answer: T) -> Result<Response<T>, Status> {
        self.observe.wrote(operation, done.is_ok());
        done.map(|()| Response::new(answer)).map_err(|error| errors::backend(&error))
    }
}

#[async_trait]
impl DocCacheService for Service {
    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let left = Deadline::left(&request);
        let GetRequest { scope, id } = request.into_inner();
        let mut check = Check::default();
        let scope = check.scope(scope);
        check.id("id", &id);
        let scope = check.done(scope)?;
        let mut lookups = self.reader().look(&scope, &[id], left).await?;
        Ok(Response::new(GetResponse { lookup: lookups.pop() }))
    }

    type BatchGetStream = Pieces;

    async fn batch_get(&self, request: Request<BatchGetRequest>) -> Result<Response<Pieces>, Status> {
        let deadline = Deadline::of(&request);
        let BatchGetRequest { scope, ids } = request.into_inner();
        let mut check = Check::default();
        let scope = check.scope(scope);
        check.ids(&ids);
        let scope = check.done(scope)?;
        Ok(Response::new(self.reader().pieces(scope, ids, deadline)))
    }

    async fn batch_fill(&self, request: Request<BatchFillRequest>) -> Result<Response<BatchFillResponse>, Status> {
        let (left, began) = (Deadline::left(&request), Instant::now());
        let BatchFillRequest { scope, fills, namespace_max_bytes } = request.into_inner();
        let max_bytes = (namespace_max_bytes > 0).then_some(namespace_max_bytes);
        let mut check = Check::default();
        let (scope, fills) = (check.scope(scope), check.fills(fills, &self.values));
        let (scope, fills) = check.done((scope, fills))?;
        let sizes: Vec<_> = fills.iter().map(|fill| fill.body.data.len()).collect();
        let filled = self.backend.fill(&scope, fills, max_bytes, left).await.map_err(|error| {
            self.observe.fill_failed(scope.kind, sizes.len(), began);
            errors::backend(&error)
        })?;
        self.observe.filled(scope.kind, &sizes, &filled, began);
        let statuses = filled.into_iter().map(|filled| fill_status(filled).into()).collect();
        Ok(Response::new(BatchFillResponse { statuses }))
    }

    async fn hold(&self, request: Request<HoldRequest>) -> Result<Response<HoldResponse>, Status> {
        let left = Deadline::left(&request);
        let HoldRequest { scope, write_id, ids, hold_ms } = request.into_inner();
        let mut check = Check::default();
        let (scope, write, stands) = (check.scope(scope), check.write_id(&write_id), check.stands(hold_ms));
        check.ids(&ids);
        let scope = check.done(scope)?;
        let done = self.backend.hold(&scope, write, &ids, stands, left).await;
        self.wrote("hold", done, HoldResponse {})
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let left = Deadline::left(&request);
        let ReleaseRequest { scope, write_id, ids } = request.into_inner();
        let mut check = Check::default();
        let (scope, write) = (check.scope(scope), check.write_id(&write_id));
        check.ids(&ids);
        let scope = check.done(scope)?;
        let done = self.backend.release(&scope, write, &ids, left).await;
        self.wrote("release", done, ReleaseResponse {})
    }

    async fn hold_namespace(
        &self,
        request: Request<HoldNamespaceRequest>,
    ) -> Result<Response<HoldNamespaceResponse>, Status> {
        let left = Deadline::left(&request);
        let HoldNamespaceRequest { scope, write_id, hold_ms } = request.into_inner();
        let mut check = Check::default();
        let (scope, write, stands) = (check.document_scope(scope), check.write_id(&write_id), check.stands(hold_ms));
        let scope = check.done(scope)?;
        let done = self.backend.hold_namespace(&scope, write, stands, left).await;
        self.wrote("hold_namespace", done, HoldNamespaceResponse {})
    }

    async fn clear(&self, request: Request<ClearRequest>) -> Result<Response<ClearResponse>, Status> {
        let left = Deadline::left(&request);
        let ClearRequest { scope, ids } = request.into_inner();
        let mut check = Check::default();
        let scope = check.scope(scope);
        check.ids(&ids);
        let scope = check.done(scope)?;
        let done = self.backend.clear(&scope, &ids, left).await;
        self.wrote("clear", done, ClearResponse {})
    }

    async fn release_namespace(
        &self,
        request: Request<ReleaseNamespaceRequest>,
    ) -> Result<Response<ReleaseNamespaceResponse>, Status> {
        let left = Deadline::left(&request);
        let ReleaseNamespaceRequest { scope, write_id } = request.into_inner();
        let mut check = Check::default();
        let (scope, write) = (check.document_scope(scope), check.write_id(&write_id));
        let scope = check.done(scope)?;
        let done = self.backend.release_namespace(&scope, write, left).await;
        self.wrote("release_namespace", done, ReleaseNamespaceResponse {})
    }

    async fn purge_namespace(
        &self,
        request: Request<PurgeNamespaceRequest>,
    ) -> Result<Response<PurgeNamespaceResponse>, Status> {
        let left = Deadline::left(&request);
        let PurgeNamespaceRequest { tenant, namespace } = request.into_inner();
        let mut check = Check::default();
        check.namespace("", &tenant, &namespace);
        check.done(())?;
        let done = self.backend.purge_namespace(&tenant, &namespace, left).await;
        self.wrote("purge_namespace", done, PurgeNamespaceResponse {})
    }

    async fn inspect(&self, request: Request<InspectRequest>) -> Result<Response<InspectResponse>, Status> {
        let left = Deadline::left(&request);
        let InspectRequest { scope, id } = request.into_inner();
        let mut check = Check::default();
        let scope = check.scope(scope);
        check.id("id", &id);
        let scope = check.done(scope)?;
        let found = self.backend.inspect(&scope, &id, left).await.map_err(|error| errors::backend(&error))?;
        let (stored_bytes, served_yet) = found.stored.unwrap_or_default();
        Ok(Response::new(InspectResponse {
            stored: found.stored.is_some(),
            stored_bytes,
            expires_in_ms: u64::try_from(served_yet.as_millis()).unwrap_or(u64::MAX),
            holds: found.holds,
            namespace_holds: found.namespace_holds,
            generation: found.generation.unwrap_or_default(),
            epoch: found.epoch.unwrap_or_default(),
        }))
    }

    async fn stats(&self, _: Request<StatsRequest>) -> Result<Response<StatsResponse>, Status> {
        let usage = self.backend.usage();
        let [hits, misses, fills] = self.observe.totals();
        Ok(Response::new(StatsResponse {
            backend: self.backend.name().to_owned(),
            connected: self.backend.connected(),
            proven: self.proof.epoch().is_some(),
            stop_writes: self.proof.stop_writes(),
            epoch: self.proof.last_epoch(),
            entries: usage.entries,
            bytes: usage.bytes,
            capacity_bytes: usage.capacity_bytes,
            hits,
            misses,
            fills,
            evictions: usage.evictions,
        }))
    }
}

fn fill_status(filled: Filled) -> FillStatus {
    match filled {
        Filled::Stored => FillStatus::Stored,
        Filled::LeaseEnded => FillStatus::LeaseEnded,
        Filled::TooLarge => FillStatus::TooLarge,
        Filled::StopWrites => FillStatus::StopWrites,
        Filled::OverQuota => FillStatus::OverQuota,
        Filled::Failed => FillStatus::Failed,
    }
}
