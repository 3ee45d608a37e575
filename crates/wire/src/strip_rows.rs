//! Takes the reserved attributes out of the rows of a recall answer, which has no list of attributes to shorten.

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use crate::names::RESERVED_PREFIX;

/// Where rows stand: `{"ground_truth": [{"nearest_neighbors": [{…row…}]}]}`. Objects elsewhere, such as a sparse vector
/// inside a row, are values and keep their keys.
const ROW: &[u8] = b"{[{[{";

/// Takes the reserved attributes out of the rows of a recall answer; all other bytes stay.
///
/// Returns the same `Bytes` if there is none, or if the body is no JSON document.
#[must_use]
pub fn strip_reserved_rows(body: Bytes) -> Bytes {
    // A key may be spelled with escapes too.
    let named = [RESERVED_PREFIX, "\\u"].iter().any(|text| memchr::memmem::find(&body, text.as_bytes()).is_some());
    let text = std::str::from_utf8(&body).ok().filter(|_| named);
    if text.is_none_or(|text| serde_json::from_str::<&RawValue>(text).is_err()) {
        return body;
    }
    let cuts = cuts(&body);
    if cuts.is_empty() {
        return body;
    }
    let mut kept = BytesMut::with_capacity(body.len());
    let mut from = 0;
    for (start, end) in cuts {
        kept.extend_from_slice(&body[from..start]);
        from = end;
    }
    kept.extend_from_slice(&body[from..]);
    kept.freeze()
}

/// The members to take out, each with one of the commas beside it. The body is known to be JSON, so brackets pair up and
/// strings end.
fn cuts(body: &[u8]) -> Vec<(usize, usize)> {
    let mut scan = Scan { path: Vec::new(), member: 0, reserved: false, first: true, cuts: Vec::new() };
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        let next = if byte == b'"' { string_end(body, at) } else { at + 1 };
        scan.token(byte, at, &body[at..next]);
        at = next;
    }
    scan.cuts
}

/// The place behind the string that begins at `start`.
fn string_end(body: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', body.get(at..).unwrap_or_default()) {
        at += found;
        if body[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    body.len()
}

struct Scan {
    path: Vec<u8>,
    /// Where the member at hand of a row begins, behind its comma or brace.
    member: usize,
    reserved: bool,
    /// No member before this one was kept in its row.
    first: bool,
    cuts: Vec<(usize, usize)>,
}

impl Scan {
    fn token(&mut self, byte: u8, at: usize, text: &[u8]) {
        let in_row = self.path == ROW;
        match byte {
            b'{' | b'[' => {
                self.path.push(byte);
                if self.path == ROW {
                    self.begin(at + 1);
                    self.first = true;
                }
            }
            b'}' | b']' => {
                if in_row {
                    self.end(at, false);
                }
                self.path.pop();
            }
            b',' if in_row => {
                self.end(at, true);
                self.begin(at + 1);
            }
            // The first string of a member is its key; a value cannot take the mark back.
            b'"' if in_row && self.member != usize::MAX => {
                let key = serde_json::from_slice::<String>(text).unwrap_or_default();
                self.reserved = key.starts_with(RESERVED_PREFIX);
                self.key_seen();
            }
            _ => {}
        }
    }

    fn begin(&mut self, at: usize) {
        self.member = at;
        self.reserved = false;
    }

    fn key_seen(&mut self) {
        if self.reserved {
            self.cuts.push((self.member, self.member));
        }
        self.member = usize::MAX;
    }

    /// The member ends at `at`, before a comma or the row's brace.
    fn end(&mut self, at: usize, comma: bool) {
        let cut = self.cuts.last_mut().filter(|_| self.reserved);
        match cut {
            None => self.first = false,
            // The comma behind it goes with it where it stands first, else the one before it.
            Some(cut) if self.first => *cut = (cut.0, at + usize::from(comma)),
            Some(cut) => *cut = (cut.0 - 1, at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(rows: &str) -> String {
        let body =
            format!(r#"{{"avg_recall":1.0,"ground_truth":[{{"query_vector":[1],"nearest_neighbors":{rows}}}]}}"#);
        let out = strip_reserved_rows(Bytes::from(body));
        assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok(), "{out:?}");
        let text = String::from_utf8(out.to_vec()).unwrap();
        let start = text.find("neighbors\":").unwrap() + "neighbors\":".len();
        text[start..text.len() - 3].to_owned()
    }

    #[test]
    fn rows_lose_their_reserved_members_and_nothing_else() {
        for (rows, expected) in [
            (r#"[{"_hevlayer_a":1}]"#, "[{}]"),
            (r#"[{"_hevlayer_a":1,"id":2}]"#, r#"[{"id":2}]"#),
            (r#"[{"id":2, "_hevlayer_a":"x,}"}]"#, r#"[{"id":2}]"#),
            (r#"[{"_hevlayer_a":[1,{"b":2}],"_hevlayer_b":{},"id":1},{"id":2}]"#, r#"[{"id":1},{"id":2}]"#),
            (r#"[{"a":1,"_hevlayer_a":1,"b":"_hevlayer_c"}]"#, r#"[{"a":1,"b":"_hevlayer_c"}]"#),
            (r#"[{"v":{"_hevlayer_dim":1.0},"_hevlayer_a":0}]"#, r#"[{"v":{"_hevlayer_dim":1.0}}]"#),
            (r#"[{"\u005fhevlayer_a":1,"id":2}]"#, r#"[{"id":2}]"#),
            (r#"[{"a":"\"_hevlayer_","b":"\\"}]"#, r#"[{"a":"\"_hevlayer_","b":"\\"}]"#),
        ] {
            assert_eq!(stripped(rows), expected, "{rows}");
        }
    }

    #[test]
    fn what_is_no_such_answer_stays() {
        for body in ["", "[", r#"{"_hevlayer_a":1}"#, r#"{"avg_recall":1.0}"#, r#"{"_hevlayer_a":1"#] {
            assert_eq!(strip_reserved_rows(Bytes::copy_from_slice(body.as_bytes())), body.as_bytes());
        }
    }
}
