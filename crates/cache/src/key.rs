//! Keys in their canonical form.
//!
//! The origin takes one id in several spellings: a UUID with braces or without, an integer as number or as text. A write
//! in one spelling must clear what was cached under another, so all spellings that could ever mean the same row share one
//! key. That distinct rows (the integer 1 and, in another namespace, the string "1") may share a key as well only clears
//! more than needed: a cached body says which id it answers for, and whoever reads one compares. So an encoding that is
//! too generous costs a miss; one that is too strict would serve an old row. This module is generous in doubt.

use bytes::{BufMut, Bytes, BytesMut};
use layer_proto::types::v1::{Id, id};
use uuid::Uuid;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;

const UINT: u8 = b'u';
const UUID: u8 = b'g';
const TEXT: u8 = b's';
const OPAQUE: u8 = b'o';

/// A key in its canonical form: 1 to [`KEY_BYTES_MAX`] bytes. A clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Bytes);

impl Key {
    /// The key of an integer id.
    pub fn uint(id: u64) -> Self {
        Self::tagged(UINT, &id.to_be_bytes())
    }

    /// The key of a string id, whatever it spells: a decimal number up to 2^64-1 (leading zeros or a plus sign change
    /// nothing) is the integer's key; a UUID in any spelling that the `uuid` crate reads is that UUID's. Strings beyond
    /// 1,023 bytes share the key of their first 1,023: the origin takes none over 64.
    pub fn text(id: &str) -> Self {
        // `u64::from_str` takes digits with leading zeros and a plus sign, as a lenient origin might.
        if let Ok(number) = id.parse::<u64>() {
            return Self::uint(number);
        }
        if let Ok(uuid) = Uuid::try_parse(id) {
            return Self::tagged(UUID, uuid.as_bytes());
        }
        Self::tagged(TEXT, &id.as_bytes()[..id.len().min(KEY_BYTES_MAX - 1)])
    }

    /// The key of an id as it stands in JSON: the token's text, a string with its quotes and escapes or a number. `None`
    /// where it is neither an unsigned integer nor a string: a writer must then treat what it affects as unknown
    /// ([`Affects::Namespace`](crate::Affects::Namespace)), a reader must go to the origin.
    pub fn json(token: &str) -> Option<Self> {
        let token = token.trim_ascii();
        match token.as_bytes().first()? {
            b'"' => {
                let inner = token.strip_prefix('"')?.strip_suffix('"')?;
                if inner.bytes().all(|byte| byte != b'\\' && byte != b'"' && byte >= 0x20) {
                    return Some(Self::text(inner));
                }
                serde_json::from_str::<String>(token).ok().map(|text| Self::text(&text))
            }
            b'0'..=b'9' => serde_json::from_str::<u64>(token).ok().map(Self::uint),
            _ => None,
        }
    }

    /// The key of an id as gRPC has it. `None` where the id's kind is not set.
    pub fn grpc(id: &Id) -> Option<Self> {
        match id.kind.as_ref()? {
            id::Kind::UintValue(number) => Some(Self::uint(*number)),
            id::Kind::StringValue(text) => Some(Self::text(text)),
        }
    }

    /// A key that is no document's: bytes with one spelling, such as the hash of a blob or a chunk's place. `None` where
    /// it has more than 1,023 bytes.
    pub fn opaque(bytes: &[u8]) -> Option<Self> {
        (bytes.len() < KEY_BYTES_MAX).then(|| Self::tagged(OPAQUE, bytes))
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn bytes(&self) -> Bytes {
        self.0.clone()
    }

    fn tagged(tag: u8, payload: &[u8]) -> Self {
        let mut bytes = BytesMut::with_capacity(payload.len() + 1);
        bytes.put_u8(tag);
        bytes.put_slice(payload);
        Self(bytes.freeze())
    }
}
