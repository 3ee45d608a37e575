//! What a write tells the cache: the messages, and their cutting to a size that a replica takes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use layer_proto::cache::v1;
use layer_service::telemetry::propagate;
use tonic::{IntoRequest, Request, Status, metadata::MetadataMap};
use tracing::Span;

use crate::{
    bypass::Keys,
    channels::Client,
    key::Key,
    observe::Operation,
    scope::{Kind, Scope},
};

/// Keys of one call at the most, as the contract has it.
pub(crate) const KEYS_MAX: usize = 10_000;
/// Bytes of keys of one call at the most: well below gRPC's usual limit of 4 MiB on a message.
pub(crate) const KEY_BYTES: usize = 1024 * 1024;
/// Keys of one message of a write at the most: so few that some of what a large write tells gets through in time, even
/// where the cache is too slow for all of it.
const TOLD_MAX: usize = 1000;
/// Keys of one message at the most that say something about the cache when nobody takes them in time. More may be too many
/// for the time, while the cache is well and serves.
const FEW: usize = 256;

/// A write's id.
pub(crate) type WriteId = [u8; 16];

/// A message of a write. Each may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    Hold(WriteId, Keys),
    Release(WriteId, Keys),
    Clear(Keys),
    HoldNamespace(WriteId),
    ReleaseNamespace(WriteId),
    Purge,
}

impl Message {
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::Hold(..) => Operation::Hold,
            Self::Release(..) => Operation::Release,
            Self::Clear(_) => Operation::Clear,
            Self::HoldNamespace(_) => Operation::HoldNamespace,
            Self::ReleaseNamespace(_) => Operation::ReleaseNamespace,
            Self::Purge => Operation::Purge,
        }
    }

    /// Whether the write's outcome is not known, so that its hold must stand and run out.
    pub(crate) fn opens(&self) -> bool {
        matches!(self, Self::Hold(..) | Self::HoldNamespace(_))
    }

    /// Whether it says that something has changed which no hold of its own keeps from being served.
    pub(crate) fn clears(&self) -> bool {
        matches!(self, Self::Clear(_) | Self::Purge)
    }

    /// Whether it may need longer than it is given though the cache is well.
    pub(crate) fn is_bulk(&self) -> bool {
        self.keys().is_some_and(|keys| keys.len() > FEW)
    }

    pub(crate) fn keys(&self) -> Option<&Keys> {
        match self {
            Self::Hold(_, keys) | Self::Release(_, keys) | Self::Clear(keys) => Some(keys),
            _ => None,
        }
    }

    /// Tells one replica.
    pub(crate) async fn send(
        &self,
        mut client: Client,
        scope: &Scope,
        hold_ms: u32,
        left: Duration,
    ) -> Result<(), Status> {
        let write = |id: &WriteId| Bytes::copy_from_slice(id);
        let documents = || Some(scope.of_kind(Kind::Document).message());
        match self {
            Self::Hold(id, keys) => {
                let request =
                    v1::HoldRequest { scope: Some(scope.message()), write_id: write(id), ids: ids(keys), hold_ms };
                client.hold(within(request, left)).await.map(drop)
            }
            Self::Release(id, keys) => {
                let request = v1::ReleaseRequest { scope: Some(scope.message()), write_id: write(id), ids: ids(keys) };
                client.release(within(request, left)).await.map(drop)
            }
            Self::Clear(keys) => {
                let request = v1::ClearRequest { scope: Some(scope.message()), ids: ids(keys) };
                client.clear(within(request, left)).await.map(drop)
            }
            Self::HoldNamespace(id) => {
                let request = v1::HoldNamespaceRequest { scope: documents(), write_id: write(id), hold_ms };
                client.hold_namespace(within(request, left)).await.map(drop)
            }
            Self::ReleaseNamespace(id) => {
                let request = v1::ReleaseNamespaceRequest { scope: documents(), write_id: write(id) };
                client.release_namespace(within(request, left)).await.map(drop)
            }
            Self::Purge => {
                let (tenant, namespace) = (scope.tenant().to_owned(), scope.namespace().to_owned());
                let request = v1::PurgeNamespaceRequest { tenant, namespace };
                client.purge_namespace(within(request, left)).await.map(drop)
            }
        }
    }
}

/// A request that says how much time is left, and of which span it is: that in which this is called, so call it in the call's.
pub(crate) fn within<T>(message: T, left: Duration) -> Request<T> {
    let mut request = message.into_request();
    request.set_timeout(left);
    let span = Span::current();
    if !span.is_none() {
        let mut headers = std::mem::take(request.metadata_mut()).into_headers();
        propagate(&span, &mut headers);
        *request.metadata_mut() = MetadataMap::from_headers(headers);
    }
    request
}

fn ids(keys: &[Key]) -> Vec<Bytes> {
    keys.iter().map(Key::bytes).collect()
}

/// Cuts keys to pieces that fit a call.
pub(crate) fn pieces(keys: &[Key]) -> Vec<Keys> {
    cut(keys, KEYS_MAX)
}

/// Cuts the keys of a write to pieces of a message each.
pub(crate) fn told_pieces(keys: &[Key]) -> Vec<Keys> {
    cut(keys, TOLD_MAX)
}

fn cut(keys: &[Key], keys_max: usize) -> Vec<Keys> {
    let (mut pieces, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (index, key) in keys.iter().enumerate() {
        if index - start == keys_max || bytes + key.as_bytes().len() > KEY_BYTES {
            pieces.push(Arc::from(&keys[start..index]));
            (start, bytes) = (index, 0);
        }
        bytes += key.as_bytes().len();
    }
    if start < keys.len() {
        pieces.push(Arc::from(&keys[start..]));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_by_number_and_by_bytes() {
        let lengths = |keys: &[Key]| pieces(keys).iter().map(|piece| piece.len()).collect::<Vec<_>>();
        let small: Vec<Key> = (0..25_000).map(Key::uint).collect();
        assert_eq!(lengths(&small), [10_000, 10_000, 5000]);
        assert_eq!(lengths(&small[..10_000]), [10_000]);
        assert_eq!(lengths(&[]), [0; 0]);
        let large: Vec<Key> = (0..1500).map(|n| Key::text(&format!("{n:01023}x"))).collect();
        assert_eq!(lengths(&large), [1024, 476]);
        assert_eq!(pieces(&small).concat(), small);
        assert_eq!(told_pieces(&small[..2500]).iter().map(|piece| piece.len()).collect::<Vec<_>>(), [1000, 1000, 500]);
    }
}
