//! Takes Layer's own attributes out of the schema that the origin answers.
//!
//! Schemas and metadata are small answers (a thousand attributes at most), so here the body is whole. What is taken out
//! is a member with one comma; all other bytes stay. A body that is not of the expected form is returned as it is.

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use crate::scan::is_whitespace;
use crate::tape::Span;
use crate::walk::{Frame, Handler, Malformed, Step, Text, Walker};

/// Takes the reserved attributes out of a schema answer, which is a map from attribute names.
///
/// Returns the same `Bytes` if there is none, or if the body is no JSON object.
#[must_use]
pub fn strip_reserved_schema(body: Bytes) -> Bytes {
    strip(body, Role::Schema)
}

/// Takes the reserved attributes out of the `schema` member of a metadata answer.
///
/// Returns the same `Bytes` if there is none, or if the body is no JSON object with such a member.
#[must_use]
pub fn strip_reserved_metadata(body: Bytes) -> Bytes {
    strip(body, Role::Metadata)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Role {
    #[default]
    Metadata,
    Schema,
}

fn strip(body: Bytes, root: Role) -> Bytes {
    let mut search = Search { body: &body, root, is_schema: false, cuts: Vec::new(), open: None, kept: false };
    let mut walker = Walker::new();
    let walked = walker.feed(&body, &mut search).and_then(|()| walker.finish());
    let cuts = search.cuts;
    if walked.is_err() || cuts.is_empty() || !is_document(&body) {
        return body;
    }
    without(&body, &cuts)
}

/// Whether the body is JSON throughout. The walk jumps over values, and a fault in one that is taken out would go unseen.
fn is_document(body: &[u8]) -> bool {
    let text = std::str::from_utf8(body).ok();
    text.is_some_and(|text| serde_json::from_str::<&RawValue>(text).is_ok())
}

fn without(body: &[u8], cuts: &[(usize, usize)]) -> Bytes {
    let mut kept = BytesMut::with_capacity(body.len());
    let mut from = 0;
    for &(start, end) in cuts {
        kept.extend_from_slice(&body[from..start]);
        from = end;
    }
    kept.extend_from_slice(&body[from..]);
    kept.freeze()
}

/// Finds what to cut.
struct Search<'a> {
    body: &'a [u8],
    root: Role,
    /// Whether the value that comes now is the `schema` of a metadata answer.
    is_schema: bool,
    cuts: Vec<(usize, usize)>,
    /// Where the key of the first of the reserved members in hand starts.
    open: Option<usize>,
    /// Whether the schema has a member that stays, before those in hand.
    kept: bool,
}

impl Handler for Search<'_> {
    type Role = Role;
    type Error = Malformed;

    fn key(&mut self, frame: &Frame<Role>, key: Text<'_>, span: Span) -> Result<(), Malformed> {
        if frame.role == Role::Metadata {
            self.is_schema = *key.decoded() == *b"schema";
            return Ok(());
        }
        let start = offset(span.start);
        if key.reserved().is_some() {
            self.open.get_or_insert(start);
        } else {
            self.cuts.extend(self.open.take().map(|open| (open, start)));
            self.kept = true;
        }
        Ok(())
    }

    fn value(&mut self, frame: Option<&Frame<Role>>, first: u8, _at: u64) -> Result<Step<Role>, Malformed> {
        Ok(match frame.map(|frame| frame.role) {
            None if first == b'{' => Step::Enter(self.root),
            Some(Role::Metadata) if self.is_schema && first == b'{' => Step::Enter(Role::Schema),
            _ => Step::Skip,
        })
    }

    fn end(&mut self, frame: &Frame<Role>, at: u64) -> Result<(), Malformed> {
        if frame.role == Role::Schema {
            let last = self.open.take().map(|open| self.last_cut(open, offset(at)));
            self.cuts.extend(last);
            self.kept = false;
        }
        Ok(())
    }
}

impl Search<'_> {
    /// The reserved members from `open` are the last before the bracket at `close`: the comma before them goes too.
    fn last_cut(&self, open: usize, close: usize) -> (usize, usize) {
        let start = if self.kept { before_whitespace(self.body, open) - 1 } else { open };
        (start, before_whitespace(self.body, close))
    }
}

/// The index after the last byte before `at` that is no whitespace.
fn before_whitespace(body: &[u8], at: usize) -> usize {
    let solid = body[..at].iter().rposition(|&byte| !is_whitespace(byte));
    solid.map_or(0, |last| last + 1)
}

/// An offset in a body that is in memory as a whole.
fn offset(at: u64) -> usize {
    usize::try_from(at).expect("the body is one slice, so its offsets fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(body: &'static str) -> String {
        let stripped = strip_reserved_schema(Bytes::from_static(body.as_bytes()));
        String::from_utf8(stripped.to_vec()).unwrap()
    }

    #[test]
    fn takes_out_reserved_members_wherever_they_stand() {
        for (body, expected) in [
            (r#"{"_hevlayer_a":1}"#, "{}"),
            (r#"{ "_hevlayer_a":{"x":[1]} , "_hevlayer_b":2 }"#, "{  }"),
            (r#"{"_hevlayer_a":1,"b":2}"#, r#"{"b":2}"#),
            (r#"{"a":1,"_hevlayer_b":2}"#, r#"{"a":1}"#),
            (r#"{"a":1, "_hevlayer_b":2, "c":3}"#, r#"{"a":1, "c":3}"#),
            (r#"{"_hevlayer_a":1,"b":2,"_hevlayer_c":3,"_hevlayer_d":4,"e":5,"_hevlayer_f":6}"#, r#"{"b":2,"e":5}"#),
            ("{\n  \"a\": 1,\n  \"\\u005fhevlayer_b\": \"x\"\n}\n", "{\n  \"a\": 1\n}\n"),
        ] {
            assert_eq!(schema(body), expected);
        }
    }

    #[test]
    fn returns_the_same_bytes_when_there_is_nothing_to_take_out() {
        for body in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"a":{"_hevlayer_b":1}}"#,
            r#"{"hevlayer_":1}"#,
            r#"{"_hevlayer_a":1"#,
            r#"{"_hevlayer_a":1}}"#,
            r#"{"_hevlayer_a":1,}"#,
            r#"{"_hevlayer_a":[},1],"b":2}"#,
            r#"{"_hevlayer_a":01}"#,
        ] {
            let bytes = Bytes::from_static(body.as_bytes());
            assert_eq!(strip_reserved_schema(bytes.clone()).as_ptr(), bytes.as_ptr(), "{body}");
        }
    }

    #[test]
    fn metadata_is_stripped_in_its_schema_only() {
        let body =
            r#"{"_hevlayer_x":1,"schema":{"id":{},"_hevlayer_upserted_at":{"type":"int"}},"index":{"_hevlayer_y":2}}"#;
        let expected = r#"{"_hevlayer_x":1,"schema":{"id":{}},"index":{"_hevlayer_y":2}}"#;
        let stripped = strip_reserved_metadata(Bytes::from(body));
        assert_eq!(stripped, expected.as_bytes());
        for other in [r#"{"schema":null}"#, r#"{"schema":[{"_hevlayer_a":1}]}"#, r#"[{"schema":{"_hevlayer_a":1}}]"#] {
            assert_eq!(strip_reserved_metadata(Bytes::from(other)), other.as_bytes());
        }
    }
}
