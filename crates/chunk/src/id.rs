//! The ids of chunks, which are the ids of their rows.
//!
//! A document that is chunked again must get the same ids, or its old rows would stay behind; two documents must never get
//! the same. An id is at most 64 bytes long, as the origin demands, and never ends in `~` and letters and digits, which
//! is where Layer writes the version.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The longest id, in bytes: the origin's limit.
const ID_MAX: usize = 64;
/// The most digits of an index that the room is kept for.
const DIGITS_MAX: usize = 6;
/// What is left for the document's part. Documents with shorter ids keep them, all others get a part of just this length,
/// so that the two can never be the same.
const STEM_MAX: usize = ID_MAX - 1 - DIGITS_MAX;
/// How many hexadecimal digits of the hash a shortened part has at least: 128 bits.
const HASH_MIN: usize = 32;

/// The id of a document's chunk: `<document id>-<index>`, where a document id of 57 bytes or more is shortened to its
/// beginning and a hash of the whole. `index` is below 1,000,000.
pub fn chunk_id(document_id: &str, index: u32) -> String {
    if document_id.len() < STEM_MAX {
        return format!("{document_id}-{index}");
    }
    let beginning = &document_id[..document_id.floor_char_boundary(STEM_MAX - 1 - HASH_MIN)];
    let hash = hex(&Sha256::digest(document_id.as_bytes()));
    format!("{beginning}-{}-{index}", &hash[..STEM_MAX - 1 - beginning.len()])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_document_ids_are_kept() {
        assert_eq!(chunk_id("guide.md", 0), "guide.md-0");
        assert_eq!(chunk_id(&"a".repeat(56), 99_999).len(), 62);
    }

    #[test]
    fn long_document_ids_are_shortened_by_a_hash() {
        let [one, other] = ["x".repeat(200) + "1", "x".repeat(200) + "2"];
        assert_ne!(chunk_id(&one, 3), chunk_id(&other, 3));
        assert!(chunk_id(&one, 3).starts_with("xxxxxxxxxxxxxxxxxxxxxxxx-"));
        assert_eq!(chunk_id(&one, 999_999).len(), ID_MAX);
    }

    proptest! {
        #[test]
        fn every_id_fits_and_carries_no_version(document in "[a-zäß漢😀~0-9-]{1,80}", index in 0..1_000_000u32) {
            let id = chunk_id(&document, index);
            prop_assert!((1..=ID_MAX).contains(&id.len()), "{id}");
            let behind = id.rsplit_once('~').map_or("", |(_, behind)| behind);
            prop_assert!(behind.is_empty() || behind.contains('-'), "{id} looks like a version");
        }

        #[test]
        fn no_two_chunks_share_an_id(pairs in proptest::collection::vec(("[a1-]{1,70}", 0..30u32), 2..40)) {
            let mut seen = HashMap::new();
            for pair in pairs {
                let before = seen.insert(chunk_id(&pair.0, pair.1), pair.clone());
                prop_assert!(before.is_none() || before == Some(pair));
            }
        }
    }
}
