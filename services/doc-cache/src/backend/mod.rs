//! What a backend must do for the coherence protocol (docs/adr/0004-cache-coherence.md), whatever keeps the bytes.
//!
//! Every key has one record: `{token, value?, holds}`. The value carries the generation of its namespace and the epoch of
//! the cache under which it was filled; a reader compares both, so a purge or a new epoch ends every older value, wherever
//! it lies. A token is random: a record that was removed and made again never gives an older token back.
//!
//! A backend never decides when to serve: the service in front asks for the canary and refuses hits without one.

pub mod aerospike;

pub mod embedded;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// Where keys live.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The store's name.
    pub tenant: String,
    /// The origin's namespace.
    pub namespace: String,
    /// What the keys name.
    pub kind: Kind,
}

/// What a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A row of the namespace.
    Document,
    /// A chunk of a document's text.
    Chunk,
    /// A snapshot of the namespace.
    Snapshot,
    /// A blob.
    Blob,
}

/// A key within a scope: opaque bytes.
pub type Id = Bytes;

/// A write's id.
pub type WriteId = [u8; 16];

/// A value, as it was filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The bytes, compressed or not.
    pub data: Bytes,
    /// What the bytes are.
    pub content_type: String,
    /// How they are compressed, as the contract numbers it; the backend keeps it and never looks.
    pub compression: i32,
}

/// Leave to fill: what must still hold when the fill arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The key's token.
    pub token: u64,
    /// The namespace's generation.
    pub generation: u64,
    /// The cache's epoch.
    pub epoch: u64,
}

/// What was found of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The value.
    Hit(Body),
    /// None, and leave to fill it.
    Miss(Lease),
    /// None, and a write holds the key.
    Held,
    /// None, and the backend refuses the write that a lease needs.
    Refused,
}

/// A value to store.
#[derive(Debug, Clone)]
pub struct Fill {
    /// The key.
    pub id: Id,
    /// The lease of its lookup.
    pub lease: Lease,
    /// The value.
    pub body: Body,
    /// How long it may be served.
    pub ttl: Duration,
}

/// What became of a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Stored.
    Stored,
    /// The lease had ended.
    LeaseEnded,
    /// The value is over the record limit.
    TooLarge,
    /// The backend refuses writes.
    StopWrites,
    /// The namespace has no room for it within its bound.
    OverQuota,
    /// The backend failed, or did not answer in time.
    Failed,
}

/// What the canary found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canary {
    /// The epoch that holds now.
    pub epoch: u64,
    /// The backend refuses writes; holds go through as removes.
    pub stop_writes: bool,
}

/// What is known of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The stored value's size and the time it is served yet, where one would be served.
    pub stored: Option<(u64, Duration)>,
    /// Open holds of the key.
    pub holds: u32,
    /// Open holds of the namespace.
    pub namespace_holds: u32,
    /// The namespace's generation.
    pub generation: Option<u64>,
    /// The epoch.
    pub epoch: Option<u64>,
}

/// What the backend says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Values stored.
    pub entries: Option<u64>,
    /// Bytes taken.
    pub bytes: Option<u64>,
    /// Bytes that may be taken.
    pub capacity_bytes: Option<u64>,
    /// Values that went to make room.
    pub evictions: Option<u64>,
}

/// Why a call as a whole came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// The backend refuses writes, and the remove that stands in for a hold or release was refused too.
    #[error("the backend refuses writes")]
    StopWrites,
    /// It cannot be reached.
    #[error("the backend cannot be reached: {0}")]
    Unavailable(String),
    /// It did not answer in time.
    #[error("the backend did not answer in time")]
    Timeout,
    /// It answered with an error.
    #[error("the backend failed: {0}")]
    Failed(String),
}

/// Where records are kept. All calls are idempotent; all are bounded by `deadline`, after which they fail with
/// [`BackendError::Timeout`].
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Its name in metrics and statistics: `embedded` or `aerospike`.
    fn name(&self) -> &'static str;

    /// Looks keys up, in order. A hit is a value of the present generation and epoch that is not expired. A namespace
    /// that has no record gets one, with a new generation; one whose hold ran out gets a new generation. A miss makes the
    /// key's token where there is none; an open hold of the key means no lease. An open hold of the namespace does not.
    async fn get(&self, scope: &Scope, ids: &[Id], deadline: Duration) -> Result<Vec<Lookup>, BackendError>;

    /// Stores values whose leases' tokens still hold, under the generation and epoch of the lease. In order.
    ///
    /// `max_bytes` bounds what values of the namespace take that were filled with a bound, all kinds together. To keep to
    /// it, a backend removes older values of the same namespace, or refuses the new one with [`Filled::OverQuota`].
    async fn fill(
        &self,
        scope: &Scope,
        fills: Vec<Fill>,
        max_bytes: Option<u64>,
        deadline: Duration,
    ) -> Result<Vec<Filled>, BackendError>;

    /// For each key: no value, a new token, and a hold under the write's id for `stands`. Where the backend refuses
    /// writes: a remove.
    async fn hold(
        &self,
        scope: &Scope,
        write: WriteId,
        ids: &[Id],
        stands: Duration,
        deadline: Duration,
    ) -> Result<(), BackendError>;

    /// For each key: no value, a new token, that write's hold closed, other holds untouched. A key without a record
    /// stays without. Where the backend refuses writes: a remove.
    async fn release(&self, scope: &Scope, write: WriteId, ids: &[Id], deadline: Duration) -> Result<(), BackendError>;

    /// For each key: no value and a new token, all holds untouched. Where the backend refuses writes: a remove.
    async fn clear(&self, scope: &Scope, ids: &[Id], deadline: Duration) -> Result<(), BackendError>;

    /// A hold on the namespace under the write's id: when it runs out unreleased, the namespace is purged before its
    /// next hit or lease. Where the backend refuses writes: a remove of the namespace's record, which is a purge.
    async fn hold_namespace(
        &self,
        scope: &Scope,
        write: WriteId,
        stands: Duration,
        deadline: Duration,
    ) -> Result<(), BackendError>;

    /// Closes that hold.
    async fn release_namespace(&self, scope: &Scope, write: WriteId, deadline: Duration) -> Result<(), BackendError>;

    /// A new generation for the namespace, for all kinds. Where the backend refuses writes: a remove of its record.
    async fn purge_namespace(&self, tenant: &str, namespace: &str, deadline: Duration) -> Result<(), BackendError>;

    /// Proves that holds and releases go through, on a key of this replica's own, by the same path as any other. Starts a
    /// new epoch where no replica's canary went through within `lapse`.
    async fn canary(&self, lapse: Duration, deadline: Duration) -> Result<Canary, BackendError>;

    /// What is known of a key. Changes nothing.
    async fn inspect(&self, scope: &Scope, id: &Id, deadline: Duration) -> Result<Inspection, BackendError>;

    /// What the backend says of itself; whatever is known without waiting.
    fn usage(&self) -> Usage;

    /// Whether it can be reached, as far as is known.
    fn connected(&self) -> bool;
}
