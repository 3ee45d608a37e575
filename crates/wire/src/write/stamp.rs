//! The texts that a write gets inserted, made once per request.

use bytes::Bytes;

use crate::names::UPSERTED_AT;
use crate::pieces::Pieces;

/// How many stamps of a column are spelled out in one piece: about 14 KiB.
const COLUMN_BLOCK: u64 = 1024;

/// Where the number starts in a stamp: after the comma, the quoted name and the colon.
const NUMBER_AT: usize = UPSERTED_AT.len() + 4;

/// The stamp of one request.
#[derive(Debug)]
pub(crate) struct Stamp {
    /// `,"_hevlayer_upserted_at":N`
    member: String,
}

impl Stamp {
    pub(crate) fn new(upserted_at_ms: i64) -> Self {
        Self { member: format!(",\"{UPSERTED_AT}\":{upserted_at_ms}") }
    }

    /// The stamp as a last member of an object.
    pub(crate) fn push_member(&self, first: bool, out: &mut Pieces) {
        out.push_copy(&self.member.as_bytes()[usize::from(first)..]);
    }

    /// An array of `rows` stamps (at least one) as a last member of an object that has others.
    pub(crate) fn push_column(&self, rows: u64, out: &mut Pieces) {
        let (key, number) = self.member.split_at(NUMBER_AT);
        let listed = |times: u64| (0..times).flat_map(|_| [number, ","]).collect::<String>();
        let (blocks, rest) = ((rows - 1) / COLUMN_BLOCK, (rows - 1) % COLUMN_BLOCK);
        out.push_copy(key.as_bytes());
        out.push_static(b"[");
        if blocks > 0 {
            out.push_repeated(Bytes::from(listed(COLUMN_BLOCK)), blocks);
        }
        out.push_copy(listed(rest).as_bytes());
        out.push_copy(number.as_bytes());
        out.push_static(b"]");
    }
}

/// The declaration of the stamp's type, as a member of a schema object.
pub(crate) fn schema_entry(first: bool) -> Bytes {
    const ENTRY: &[u8] = b",\"_hevlayer_upserted_at\":\"int\"";
    Bytes::from_static(&ENTRY[usize::from(first)..])
}

/// A schema object with the declaration alone.
pub(crate) const SCHEMA_OBJECT: &[u8] = b"{\"_hevlayer_upserted_at\":\"int\"}";

/// The same as a last member of the body.
pub(crate) const SCHEMA_MEMBER: &[u8] = b",\"schema\":{\"_hevlayer_upserted_at\":\"int\"}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_as_many_stamps_as_rows_for_the_memory_of_a_block() {
        let stamp = Stamp::new(7);
        for rows in [1, 2, 1023, 1024, 1025, 2048, 2049, 10_000] {
            let mut out = Pieces::new();
            stamp.push_column(rows, &mut out);
            let text: Vec<u8> = out.drain().flatten().collect();
            let document: serde_json::Value =
                serde_json::from_slice(&[b"{\"id\":0", &text[..], b"}"].concat()).unwrap();
            let column = document[UPSERTED_AT].as_array().unwrap();
            assert_eq!(column.len() as u64, rows);
            assert!(column.iter().all(|value| value == 7));
        }
    }

    #[test]
    fn the_declarations_name_the_stamp() {
        for text in [&schema_entry(false)[..], SCHEMA_OBJECT, SCHEMA_MEMBER] {
            let expected = format!("\"{UPSERTED_AT}\":\"int\"");
            assert!(String::from_utf8_lossy(text).contains(&expected));
        }
        assert!(schema_entry(true).starts_with(b"\""));
    }
}
