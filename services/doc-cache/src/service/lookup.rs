//! Lookups: the backend's answer between two looks at the proof, and batches in pieces of bounded size.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{Stream, stream};
use layer_proto::cache::v1::{self as proto, BatchGetResponse, IndexedLookup, NoLease, NoLeaseReason, lookup::Outcome};
use layer_service::grpc::Deadline;
use tonic::Status;

use super::{errors, lease};
use crate::{
    backend::{Backend, Id, Lookup, Scope},
    observe::{LookupResult, Observe},
    proof::Proof,
};

/// Bytes of bodies in one piece of a batch's answer, unless a single one is larger.
const PIECE_BYTES: usize = 1024 * 1024;
/// What a lookup takes beside its body.
const LOOKUP_BYTES: usize = 128;
/// Keys that are asked for at once: the bodies of so many are held while a caller takes its pieces.
const KEYS_AT_ONCE: usize = 1000;

/// The pieces of a batch's answer.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Result<BatchGetResponse, Status>> + Send>>;

/// Reads from the backend and serves what may be served.
pub(super) struct Reader {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) proof: Arc<Proof>,
    pub(super) observe: Arc<Observe>,
}

impl Reader {
    /// Looks `ids` up.
    pub(super) async fn look(&self, scope: &Scope, ids: &[Id], left: Duration) -> Result<Vec<proto::Lookup>, Status> {
        let began = Instant::now();
        let Some(epoch) = self.proof.epoch() else { return Ok(self.unproven(scope, ids.len(), began)) };
        let found = self.backend.get(scope, ids, left).await.map_err(|error| {
            self.observe.not_served(scope, LookupResult::Error, ids.len(), began);
            errors::backend(&error)
        })?;
        // Right before the reply: between the two looks nothing may have come that the canary did not see.
        if self.proof.epoch() != Some(epoch) {
            return Ok(self.unproven(scope, ids.len(), began));
        }
        self.observe.looked_up(scope, &found, began);
        Ok(found.into_iter().map(message).collect())
    }

    fn unproven(&self, scope: &Scope, keys: usize, began: Instant) -> Vec<proto::Lookup> {
        self.observe.not_served(scope, LookupResult::Bypass, keys, began);
        vec![no_lease(NoLeaseReason::Unproven); keys]
    }

    /// Looks `ids` up, some at a time, as the caller takes the pieces.
    pub(super) fn pieces(self, scope: Scope, ids: Vec<Id>, deadline: Deadline) -> Pieces {
        let ready = VecDeque::new();
        let batch = Batch { reader: self, scope, ids, asked: 0, taken: 0, ready, epoch: None, deadline };
        Box::pin(stream::try_unfold(batch, async |mut batch| Ok(batch.next().await?.map(|piece| (piece, batch)))))
    }
}

struct Batch {
    reader: Reader,
    scope: Scope,
    ids: Vec<Id>,
    /// Keys that the backend was asked for.
    asked: usize,
    /// Keys whose answers were handed on.
    taken: usize,
    ready: VecDeque<proto::Lookup>,
    /// The epoch that was proven when they were asked for.
    epoch: Option<u64>,
    deadline: Deadline,
}

impl Batch {
    async fn next(&mut self) -> Result<Option<BatchGetResponse>, Status> {
        // What waited for the caller to take it may have waited while the process was suspended.
        if !self.ready.is_empty() && self.reader.proof.epoch() != self.epoch {
            let keys = self.ready.len();
            self.ready = vec![no_lease(NoLeaseReason::Unproven); keys].into();
        }
        if self.ready.is_empty() && self.asked < self.ids.len() {
            let end = self.ids.len().min(self.asked + KEYS_AT_ONCE);
            let ids = &self.ids[self.asked..end];
            self.epoch = self.reader.proof.epoch();
            self.ready = self.reader.look(&self.scope, ids, self.deadline.remaining()).await?.into();
            self.asked = end;
        }
        let piece = self.piece();
        Ok((!piece.lookups.is_empty()).then_some(piece))
    }

    fn piece(&mut self) -> BatchGetResponse {
        let mut lookups = Vec::new();
        let mut bytes = 0;
        while let Some(lookup) = self.ready.pop_front() {
            let more = LOOKUP_BYTES + body_bytes(&lookup);
            if bytes + more > PIECE_BYTES && bytes > 0 {
                self.ready.push_front(lookup);
                break;
            }
            bytes += more;
            // At most 10,000.
            let index = u32::try_from(self.taken).unwrap_or(u32::MAX);
            lookups.push(IndexedLookup { index, lookup: Some(lookup) });
            self.taken += 1;
        }
        BatchGetResponse { lookups }
    }
}

fn body_bytes(lookup: &proto::Lookup) -> usize {
    match &lookup.outcome {
        Some(Outcome::Hit(body)) => body.data.len(),
        _ => 0,
    }
}

fn message(lookup: Lookup) -> proto::Lookup {
    let outcome = match lookup {
        Lookup::Hit(body) => Outcome::Hit(proto::Body {
            data: body.data,
            content_type: body.content_type,
            compression: body.compression,
        }),
        Lookup::Miss(lease) => Outcome::Lease(lease::write(&lease)),
        Lookup::Held => return no_lease(NoLeaseReason::Held),
        Lookup::Refused => return no_lease(NoLeaseReason::StopWrites),
    };
    proto::Lookup { outcome: Some(outcome) }
}

fn no_lease(reason: NoLeaseReason) -> proto::Lookup {
    proto::Lookup { outcome: Some(Outcome::NoLease(NoLease { reason: reason.into() })) }
}
