//! What blobs are called: in paths, in the store, in the cache.

use std::fmt;

use layer_cache::Key;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::refusal::Refusal;

/// Longest name that the origin takes for a namespace.
const NAMESPACE_BYTES_MAX: usize = 128;

/// The SHA-256 of a blob's bytes. It prints as 64 lowercase hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Reads a path's last part.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for anything but 64 lowercase hexadecimal digits: one blob has one address.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let wrong = || Refusal::Invalid("sha256: must be 64 lowercase hexadecimal digits".to_owned());
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(wrong()),
        };
        let mut hash = [0; 32];
        if text.len() != 2 * hash.len() {
            return Err(wrong());
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(digits[0])? << 4 | digit(digits[1])?;
        }
        Ok(Self(hash))
    }

    /// The hash of what was fed to `hasher`.
    pub fn of(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }

    /// The hash of `bytes`.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Its key in the cache.
    pub fn cache_key(&self) -> Option<Key> {
        Key::opaque(&self.0)
    }

    /// What rows keep to refer to the blob.
    pub fn reference(&self) -> String {
        format!("sha256:{self}")
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The namespace in a path, decoded.
///
/// # Errors
/// [`Refusal::Invalid`] for a name that the origin does not take either: it becomes a part of keys.
pub fn namespace(encoded: &str) -> Result<String, Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let name = percent_decode_str(encoded).decode_utf8().unwrap_or_default();
    let dots = name.bytes().all(|byte| byte == b'.');
    match !dots && name.len() <= NAMESPACE_BYTES_MAX && name.bytes().all(plain) {
        true => Ok(name.into_owned()),
        false => Err(Refusal::Invalid("namespace: must be 1 to 128 of A-Z a-z 0-9 - _ .".to_owned())),
    }
}

/// Where a blob is kept. The first digits keep directories small.
pub fn key(namespace: &str, hash: &Hash) -> String {
    let hash = hash.to_string();
    format!("blobs/{namespace}/{}/{hash}", &hash[..2])
}

/// Where the parts of a large blob gather until its hash is known.
pub fn staging() -> String {
    format!("uploads/{}", Uuid::new_v4())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_hash_has_one_spelling() {
        assert_eq!(Hash::parse(EMPTY).unwrap(), Hash::of_bytes(b""));
        assert_eq!(Hash::of_bytes(b"").to_string(), EMPTY);
        for wrong in ["", "e3b0", &EMPTY.to_uppercase(), &format!("{EMPTY}00"), &EMPTY.replace('e', "g")] {
            assert!(Hash::parse(wrong).unwrap_err().to_string().contains("sha256"), "{wrong}");
        }
    }

    #[test]
    fn keys_hold_nothing_that_leads_elsewhere() {
        assert_eq!(key("a.b", &Hash::of_bytes(b"")), format!("blobs/a.b/e3/{EMPTY}"));
        assert_eq!(namespace("a%2Db").unwrap(), "a-b");
        for wrong in ["", ".", "..", "a%2fb", "ä", "a b", &"a".repeat(129)] {
            assert!(namespace(wrong).is_err(), "{wrong}");
        }
    }
}
