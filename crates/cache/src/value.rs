//! What is looked up and filled in.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;

use crate::{error::Away, key::Key};

/// Content type of a cached row: the JSON text `{"id":…,"attributes":{…}}`, all attributes but reserved ones.
pub const DOCUMENT: &str = "application/json";
/// Content type of a row that is known to be absent: the id's JSON text.
pub const ABSENT: &str = "application/x-layer-absent";

/// A cached value, uncompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The bytes.
    pub data: Bytes,
    /// What the bytes are; at most 64 bytes.
    pub content_type: Cow<'static, str>,
}

impl Body {
    /// A row: the JSON text `{"id":…,"attributes":{…}}`.
    pub fn document(json: impl Into<Bytes>) -> Self {
        Self { data: json.into(), content_type: Cow::Borrowed(DOCUMENT) }
    }

    /// A row that is known to be absent: its id's JSON text.
    pub fn absent(id_json: impl Into<Bytes>) -> Self {
        Self { data: id_json.into(), content_type: Cow::Borrowed(ABSENT) }
    }

    /// Whether this says that the row is absent.
    pub fn is_absent(&self) -> bool {
        self.content_type == ABSENT
    }
}

/// Leave to fill one key with what the origin answers, from now on, to a strong read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseToken(pub(crate) Bytes);

/// What was found of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The value. Whoever takes it must see whether it answers for the very id that was asked for.
    Hit(Body),
    /// None; with leave to fill one in, or without: then nothing may be filled in for this lookup.
    Miss(Option<LeaseToken>),
}

/// The answer to [`Cache::get`](crate::Cache::get).
#[derive(Debug)]
pub struct Gotten {
    /// One for each key, in the order of the request, always.
    pub lookups: Vec<Lookup>,
    /// How many of them count: fewer than there are keys where [`Cache::get_within`](crate::Cache::get_within) was told
    /// that there is no room for more. What comes behind was not looked at.
    pub read: usize,
    /// Whether the cache answered. Where it is away, what it did not say is `Miss(None)`.
    pub outcome: GetOutcome,
}

/// Whether the cache answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GetOutcome {
    /// It did, for every key; keys that this router bypasses count as answered.
    Answered,
    /// It did not, or not for every key (`x-layer-cache: miss-on-error`, a cold response).
    Away(Away),
}

/// A value to store under a lease.
#[derive(Debug, Clone)]
pub struct Fill {
    /// The key that was looked up.
    pub key: Key,
    /// The lease that its lookup gave.
    pub lease: LeaseToken,
    /// What a strong read of the origin, sent after the lease was given, answered.
    pub body: Body,
    /// How long it may be served; `None`: as the settings say for rows and for absent rows. Never longer than
    /// `cache.ttl_ms`.
    pub ttl: Option<Duration>,
}
