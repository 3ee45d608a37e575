//! Blobs: bytes of any kind, kept in the object store under their own hash.
//!
//! The object store is their origin: a blob is durable when its PUT is answered, and a GET reads the cache first and the
//! store where the cache has nothing or is away. Bytes are hashed on the way in, which gives them their name, and on the
//! way out, so that a caller never takes wrong bytes for a whole blob: the last piece is held back until the hash of all
//! is right, and else the answer breaks off. Both ways they stream: memory does not grow with their size.
//!
//! Deleting a namespace leaves its blobs: rows elsewhere may refer to them, and the origin's answer to the delete cannot
//! wait for them. docs/operations.md says how they are removed.

mod get;
mod name;
mod observe;
mod put;
mod settings;
mod stream;

use std::time::Instant;

use layer_object_store::ObjectStore;
use layer_service::{metrics::Metrics, telemetry::client_span};
use tracing::Instrument;

pub use observe::METRICS;
pub use settings::BlobSettings;
pub use stream::BlobBody;

use crate::{body::Budget, core::Core, refusal::Refusal, wait::within};
use observe::BlobObserve;

/// The refusal where keys may be of several organisations.
const SEVERAL: &str = "blobs in auth.mode `pass-through` need auth.single_organisation";

/// What the blobs of all workers share.
pub struct Common {
    /// The store, where one is configured. Each worker has connections of its own ([`ObjectStore::reconnected`]).
    pub store: Option<ObjectStore>,
    /// The bound on bytes that are held to be put into the cache.
    held: Budget,
    observe: BlobObserve,
}

impl Common {
    /// With nothing in flight. Registers the metrics of blobs.
    pub fn new(settings: &BlobSettings, store: Option<ObjectStore>, metrics: &Metrics) -> Self {
        Self { store, held: Budget::new(settings.held_bytes), observe: BlobObserve::new(metrics) }
    }
}

impl Core {
    /// This worker's connections to the store.
    fn store(&self) -> Result<&ObjectStore, Refusal> {
        self.store.as_ref().ok_or(Refusal::NoStore("no object store is configured (object_store.backend)"))
    }

    /// Waits for a call of the store, until the caller's deadline.
    async fn at_store<T>(
        &self,
        deadline: Option<Instant>,
        work: impl Future<Output = Result<T, layer_object_store::Error>>,
    ) -> Result<T, Refusal> {
        let span = if self.shared.traces { client_span("object-store") } else { tracing::Span::none() };
        Ok(within(deadline, work.instrument(span)).await??)
    }
}

impl From<layer_object_store::Error> for Refusal {
    fn from(error: layer_object_store::Error) -> Self {
        use layer_object_store::Error;
        let said = error.to_string();
        match error {
            Error::NotFound => Self::NoBlob,
            Error::Saturated { .. } => Self::Saturated(said),
            error if error.is_transient() => Self::StoreAway(said),
            _ => Self::Upstream(said),
        }
    }
}
