//! Either way of embedding.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;

use crate::{EmbedError, Endpoint, Model, Vector};

/// Embeds texts. Clones share the model or the endpoint's connections.
#[derive(Clone)]
pub enum Embedder {
    /// By an endpoint.
    Endpoint(Arc<Endpoint>),
    /// By a model in this process, one call at a time: each uses all its threads.
    Model(Arc<Model>, Arc<Semaphore>),
}

impl Embedder {
    /// By an endpoint.
    pub fn endpoint(endpoint: Endpoint) -> Self {
        Self::Endpoint(Arc::new(endpoint))
    }

    /// By a model in this process.
    pub fn model(model: Model) -> Self {
        Self::Model(Arc::new(model), Arc::new(Semaphore::new(1)))
    }

    /// The vectors of `texts`, each or why there is none, in their order. It ends by `deadline`, except that a model in this
    /// process finishes what it has begun.
    pub async fn embed(&self, texts: Vec<String>, deadline: Instant) -> Vec<Result<Vector, EmbedError>> {
        match self {
            Self::Endpoint(endpoint) => endpoint.embed(&texts, deadline).await,
            Self::Model(model, turn) => {
                let count = texts.len();
                match in_turn(Arc::clone(model), Arc::clone(turn), texts, deadline).await {
                    Ok(vectors) => vectors.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error); count],
                }
            }
        }
    }
}

async fn in_turn(
    model: Arc<Model>,
    turn: Arc<Semaphore>,
    texts: Vec<String>,
    deadline: Instant,
) -> Result<Vec<Vector>, EmbedError> {
    let permit = tokio::time::timeout_at(deadline.into(), turn.acquire_owned()).await;
    let Ok(Ok(permit)) = permit else { return Err(EmbedError::Deadline) };
    let work = tokio::task::spawn_blocking(move || {
        let vectors = model.embed(&texts);
        drop(permit);
        vectors
    });
    match work.await {
        Ok(vectors) => Ok(vectors?),
        Err(error) => Err(EmbedError::Model(crate::ModelError::Compute(error.to_string()))),
    }
}
