//! Where documents are read from, and with whose key.

use std::{
    borrow::Cow,
    hash::{Hash, Hasher},
    time::Duration,
};

use http::HeaderValue;
use layer_cache::Scope;
use percent_encoding::percent_decode_str;

/// A namespace, as one group of callers sees it: their misses may join into one query of the origin.
///
/// Where the origin decides on the callers' own keys (`pass-through`), each key is a group of its own: one caller must
/// never get a row that was read with another's key. In the other modes all who were admitted have the same key.
#[derive(Debug)]
pub struct Place {
    /// The namespace as it stands in paths, percent-encoded.
    pub namespace: String,
    /// The `authorization` that goes to the origin.
    pub authorization: Option<HeaderValue>,
    /// Each `authorization` is a group of its own.
    pub by_key: bool,
    /// The cache's keys; none where nothing is cached.
    pub scope: Option<Scope>,
    /// How long its documents are served from the cache, where that differs from `cache.ttl_ms`.
    pub ttl: Option<Duration>,
}

impl Place {
    /// The namespace's name; nothing where the path spells none.
    pub fn name(&self) -> Option<Cow<'_, str>> {
        percent_decode_str(&self.namespace).decode_utf8().ok()
    }

    fn group(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref().filter(|_| self.by_key)
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.namespace == other.namespace && self.by_key == other.by_key && self.group() == other.group()
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.namespace.hash(state);
        self.group().hash(state);
    }
}
