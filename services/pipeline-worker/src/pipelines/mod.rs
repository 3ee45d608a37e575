//! `layer.pipeline.v1.PipelineService`: documents that become rows, stage by stage.
//!
//! The order of every call is that of docs/adr/0005-pipelines.md: bodies first, then the state, then the cache as best it
//! goes. What is wrong with a request is found before anything is done.

mod check;
mod chunk_id;
mod claim;
mod convert;
mod rows;
mod serve;
mod stage;
mod vanished;
mod wake;

use std::sync::Arc;

use layer_proto::pipeline::v1::pipeline_service_server::PipelineServiceServer;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::{
    bodies::Bodies,
    failure::Failure,
    router::Router,
    state::{Error, Queue, Spec, State},
};

pub(crate) use claim::working;
pub(crate) use rows::{PARENT, older_than};
use wake::Wakes;

/// Rows of old versions that are deleted at once, at a time; what finds no place is deleted with the rest later.
const VANISHED_AT_ONCE: usize = 8;

/// The service; clones share everything.
#[derive(Clone)]
pub(crate) struct Pipelines {
    state: State,
    bodies: Bodies,
    router: Router,
    wakes: Arc<Wakes>,
    vanished: Arc<Semaphore>,
}

impl Pipelines {
    pub(crate) fn new(state: State, bodies: Bodies, router: Router) -> Self {
        let vanished = Arc::new(Semaphore::new(VANISHED_AT_ONCE));
        Self { state, bodies, router, wakes: Arc::default(), vanished }
    }

    /// As tonic serves it.
    pub(crate) fn server(self, message_bytes: usize) -> PipelineServiceServer<Self> {
        PipelineServiceServer::new(self).max_decoding_message_size(message_bytes).max_encoding_message_size(usize::MAX)
    }
}

/// What a pipeline has beside its queue: kept as the specification's `rest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// The namespace that rows are written to.
    pub(crate) namespace: String,
    /// Its distance metric.
    pub(crate) distance_metric: String,
}

impl Target {
    /// Of a pipeline.
    pub(crate) fn of(queue: &Queue) -> Result<Self, Failure> {
        Ok(Self::read(&queue.spec)?)
    }

    fn read(spec: &Spec) -> Result<Self, Error> {
        let read = serde_json::from_str(&spec.rest);
        read.map_err(|error| Error::Broken(format!("a pipeline's specification: {error}")))
    }
}
