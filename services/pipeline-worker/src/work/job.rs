//! What a worker does with a claim's documents.

use std::sync::Arc;

use layer_object_store::ObjectStore;
use layer_proto::pipeline::v1::{Chunk, ClaimedDocument};
use layer_service::config::ConfigError;

use super::{
    chunk::Chunking,
    client::{Meaning, meaning},
    deliver::Verdict,
    embed::Embedding,
    run::Worker,
    settings::{WorkKind, WorkSettings},
};

/// One of the two.
pub(super) enum Job {
    Chunk(Chunking),
    Embed(Embedding),
}

impl Job {
    /// Opens what the work needs: tokenizer, model.
    pub(super) async fn open(settings: &WorkSettings, store: Option<ObjectStore>) -> Result<Self, ConfigError> {
        match settings.kind {
            WorkKind::Chunk => Ok(Self::Chunk(Chunking::open(&settings.chunk, store)?)),
            WorkKind::Embed => Ok(Self::Embed(Embedding::open(&settings.embed).await?)),
        }
    }

    /// Does the work, and hands in what became of each document.
    pub(super) async fn work(&self, worker: &Arc<Worker>, documents: Vec<ClaimedDocument>) {
        match self {
            Self::Chunk(job) => job.work(worker, documents).await,
            Self::Embed(job) => job.work(worker, documents).await,
        }
    }
}

/// What a document's work begins with; or what becomes of it where that cannot be had.
pub(super) async fn input(worker: &Worker, document: &ClaimedDocument) -> Result<Vec<Chunk>, Verdict> {
    worker.client.chunks(document).await.map_err(|status| match meaning(&status) {
        Meaning::Away => {
            worker.outage.failed("the pipeline service is away");
            Verdict::Returned
        }
        Meaning::Never => Verdict::dead(status.message()),
        // Handing it in will be refused, or find that there is nothing to hand in for.
        Meaning::Gone => Verdict::Returned,
    })
}
