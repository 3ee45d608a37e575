//! A blob on its way to the caller.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use layer_cache::{Body, Cache, Fill, Key, LeaseToken, Scope};
use layer_object_store::ObjectBody;
use prometheus::IntCounter;
use sha2::{Digest, Sha256};

use super::name::Hash;
use crate::body::{BoxError, Held, Share};

/// A blob's bytes from the store, hashed as they pass. The last piece is held back until the hash of all is right: what is
/// wrong breaks off, and its caller, who knows the length, cannot take it for whole.
pub struct BlobBody {
    body: ObjectBody,
    hasher: Option<Sha256>,
    wanted: Hash,
    size: u64,
    filling: Option<Filling>,
    counts: Counts,
    held: Option<Held>,
    /// Nothing more comes, or comes as it should.
    ended: bool,
}

/// What is counted at the end.
pub struct Counts {
    pub got_bytes: IntCounter,
    pub corrupt: IntCounter,
}

/// A copy on its way into the cache.
pub struct Filling {
    pub cache: Cache,
    pub scope: Scope,
    pub key: Key,
    pub lease: LeaseToken,
    pub copy: BytesMut,
    /// Its part of what all copies may hold.
    pub share: Share,
}

impl Filling {
    /// Puts the copy into the cache; it is whole and right.
    pub fn fill(self) {
        let body = Body { data: self.copy.freeze(), content_type: super::get::OCTETS.into() };
        self.cache.fill(&self.scope, vec![Fill { key: self.key, lease: self.lease, body, ttl: None }]);
        drop(self.share);
    }
}

impl BlobBody {
    /// Passes `body` on, all of which must have the hash `wanted`.
    pub fn new(body: ObjectBody, wanted: Hash, filling: Option<Filling>, counts: Counts) -> Self {
        let size = body.remaining();
        let ended = size == 0;
        Self { body, hasher: Some(Sha256::new()), wanted, size, filling, counts, held: None, ended }
    }

    /// Takes what is held until the end.
    pub fn hold(&mut self, held: Held) {
        self.held = Some(held);
    }

    /// Takes note of a piece; the last one makes the hash whole.
    fn pass(&mut self, piece: Bytes) -> Result<Bytes, BoxError> {
        let Some(hasher) = &mut self.hasher else { return Ok(piece) };
        hasher.update(&piece);
        if let Some(filling) = &mut self.filling {
            filling.copy.extend_from_slice(&piece);
        }
        if self.body.remaining() > 0 {
            return Ok(piece);
        }
        self.ended = self.hasher.take().map(Hash::of) == Some(self.wanted);
        if !self.ended {
            self.counts.corrupt.inc();
            tracing::error!(
                "a blob in the object store does not have the hash that is its name: its answer is cut off"
            );
            return Err("the blob's bytes do not have its hash".into());
        }
        self.counts.got_bytes.inc_by(self.size);
        if let Some(filling) = self.filling.take() {
            filling.fill();
        }
        Ok(piece)
    }
}

impl Stream for BlobBody {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        Poll::Ready(match ready!(this.body.poll_next_unpin(cx)) {
            Some(Ok(piece)) => Some(this.pass(piece)),
            Some(Err(error)) => {
                tracing::warn!(%error, "a blob's answer breaks off");
                Some(Err(error.into()))
            }
            None => None,
        })
    }
}

impl Drop for BlobBody {
    fn drop(&mut self) {
        if let (false, Some((_, measured))) = (self.ended, &self.held) {
            measured.broke();
        }
    }
}
