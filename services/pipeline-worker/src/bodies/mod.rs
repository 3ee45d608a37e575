//! The bodies of documents: what was staged, and what stages put out.
//!
//! A body holds all chunks of a document, in an object of its own or as a part of one that small bodies of a call share;
//! either is written once: half of a body, or another version's, is never read. It is durable before the state names it. The document cache gets a copy as best it goes: that it refuses
//! costs a warning and a later read of the object store, nothing else.

mod cached;
mod format;
mod key;
mod observe;
mod pack;

use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use layer_cache::{Cache, CacheService, Kind, Scope};
use layer_object_store::{Condition, Error, ObjectStore};
use layer_proto::pipeline::v1::Chunk;
use layer_service::metrics::Metrics;

use crate::{points, state::Body};

use observe::Observe;
use pack::Object;

pub(crate) use key::{Place, Stored, parse, queue_prefix};
pub use observe::METRICS;

/// Bodies of one call that are written at a time: enough to hide the store's latency.
const WRITES_AT_ONCE: usize = 16;
/// The largest body that is read, uncompressed: several times what a message may carry.
const BODY_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The object store's error.
    #[error(transparent)]
    Store(#[from] Error),
    /// What is stored is not what was put there.
    #[error("the stored body is damaged: {0}")]
    Damaged(&'static str),
}

/// Where bodies are kept; clones share it.
#[derive(Debug, Clone)]
pub struct Bodies {
    store: ObjectStore,
    cache: Cache,
    observe: Observe,
}

/// A body that is to be stored.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    /// What names it in the state.
    pub(crate) body: Body,
    /// As it is cached.
    plain: Bytes,
}

impl Packed {
    /// Packs chunks. `minted_ms` is the database's clock, read before.
    pub(crate) fn new(chunks: &[Chunk], minted_ms: i64) -> Self {
        let plain = format::encode(chunks);
        let count = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        let body = Body { minted_ms, digest: format::digest(&plain), chunks: count, pack: None };
        Self { body, plain }
    }
}

impl Bodies {
    /// Keeps bodies in `store`, and copies in the cache.
    pub fn new(store: ObjectStore, cache: &CacheService, metrics: &Metrics) -> Self {
        Self { store, cache: cache.handle(), observe: Observe::new(metrics) }
    }

    /// Stores bodies, each at its place: all of them are durable when this returns. Small ones share objects, and learn
    /// where they are.
    ///
    /// # Errors
    /// The object store's. Some may have been stored then; nothing names them.
    pub(crate) async fn put(&self, packed: &mut [(Place<'_>, Packed)]) -> Result<(), Error> {
        let objects = pack::objects(packed).await?;
        let writes = stream::iter(objects).map(|(key, object)| self.write(key, object));
        writes.buffer_unordered(WRITES_AT_ONCE).try_collect().await
    }

    async fn write(&self, key: String, object: Object) -> Result<(), Error> {
        let compressed = object.compressed().await?;
        // Where there is such an object it has the same content, minted in the same millisecond.
        points::reach("body.before");
        self.store.put(&key, compressed, Condition::Always).await?;
        points::reach("body.after");
        Ok(())
    }

    /// Puts copies into the cache, as best it goes. Call it when the state names them.
    pub(crate) async fn copy(&self, namespace: &str, packed: &[(Place<'_>, Packed)]) {
        let Some(scope) = self.scope(namespace) else { return };
        let copies = packed.iter().map(|(place, packed)| (place.key(&packed.body), packed.plain.clone())).collect();
        cached::copy(&self.cache, &self.observe, &scope, copies).await;
    }

    /// Reads a body: from the cache, else from the object store, and then the cache gets it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn get(
        &self,
        namespace: &str,
        place: &Place<'_>,
        body: &Body,
        until: Instant,
    ) -> Result<Vec<Chunk>, ReadError> {
        let key = place.key(body);
        let scope = self.scope(namespace);
        let looked = match &scope {
            Some(scope) => cached::look(&self.cache, &self.observe, scope, &key, until).await,
            None => cached::Looked::default(),
        };
        if let Some(plain) = looked.found.filter(|plain| format::digest(plain) == body.digest) {
            return format::decode(plain);
        }
        let plain = self.read(place, body, until).await?;
        if let (Some(scope), Some(lease)) = (&scope, looked.lease) {
            cached::fill(&self.cache, scope, &key, lease, plain.clone());
        }
        format::decode(plain)
    }

    async fn read(&self, place: &Place<'_>, body: &Body, until: Instant) -> Result<Bytes, ReadError> {
        let limit = until.saturating_duration_since(Instant::now());
        let (key, range) = match &body.pack {
            None => (place.key(body), None),
            Some(pack) => (place.pack_key(body, pack), Some(pack::range(pack))),
        };
        let read = async {
            let object = self.store.get(&key, range).await?;
            object.body.collect(BODY_BYTES_MAX as u64).await
        };
        let compressed = tokio::time::timeout(limit, read).await.unwrap_or(Err(Error::Timeout { limit }))?;
        let plain = format::decompressed(compressed).await?;
        match format::digest(&plain) == body.digest {
            true => Ok(plain),
            false => Err(ReadError::Damaged("its content is not what its name says")),
        }
    }

    /// The object store, for the sweeper.
    pub(crate) fn store(&self) -> &ObjectStore {
        &self.store
    }

    /// What the sweeper counts.
    pub(crate) fn observe(&self) -> &Observe {
        &self.observe
    }

    fn scope(&self, namespace: &str) -> Option<Scope> {
        self.cache.documents(namespace).ok().map(|scope| scope.of_kind(Kind::Chunk))
    }
}
