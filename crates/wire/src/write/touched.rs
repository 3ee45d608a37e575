//! What a write does to documents that somebody may hold copies of.

use crate::ids::{Collector, IdLimits, Ids};
use crate::walk::Text;

/// Members of an attribute's declaration that change rows which are there already: one takes the attribute out of all of
/// them, the other fills in an attribute of vectors.
const ALTERING: [&[u8]; 2] = [b"drop", b"embed"];

/// Asks the origin for the ids of the rows that a write touched, as a last member of the body.
pub(crate) const ASK_MEMBER: &[u8] = b",\"return_affected_ids\":true";

/// Which documents a write touches, as far as its body tells. What a filter hits is not in it, nor what a copied
/// namespace brings: see the summary's operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The ids that the body names, in rows, columns and deletes. `None`: too many for the limits, or not certain.
    pub ids: Option<Ids>,
    /// Its schema drops an attribute or changes how one is embedded: rows that it does not name change too.
    pub alters_rows: bool,
    /// Who asks the origin to name the rows that were touched.
    pub asked: Asked,
}

/// Who asks the origin for ids in its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Asked {
    /// Nobody.
    #[default]
    Nobody,
    /// The caller; the ids in the answer are its own.
    Caller,
    /// Layer, since a filter's hits are not known otherwise; the caller does not expect ids in the answer.
    Layer,
}

/// Follows what a body touches.
#[derive(Debug)]
pub(crate) struct Tracker {
    pub(crate) ids: Collector,
    alters_rows: bool,
    asked: Asked,
    /// The body says whether it wants ids; Layer cannot say it again.
    says: bool,
}

impl Tracker {
    pub(crate) fn new(limits: IdLimits) -> Self {
        Self { ids: Collector::new(limits), alters_rows: false, asked: Asked::Nobody, says: false }
    }

    /// A member of an attribute's declaration.
    pub(crate) fn declares(&mut self, key: &Text<'_>) {
        self.alters_rows |= ALTERING.contains(&&*key.decoded());
    }

    /// The member `return_affected_ids`.
    pub(crate) fn says_ids(&mut self) {
        (self.says, self.asked) = (true, Asked::Nobody);
    }

    /// Its value.
    pub(crate) fn asks(&mut self, value: &Text<'_>) {
        self.asked = if value.is_scalar(b"true") { Asked::Caller } else { Asked::Nobody };
    }

    /// Whether Layer should ask, at the end of a body with a filter.
    pub(crate) fn ask(&mut self) -> bool {
        if self.says {
            return false;
        }
        self.asked = Asked::Layer;
        true
    }

    pub(crate) fn into_touched(self) -> Touched {
        Touched { ids: self.ids.into_ids(), alters_rows: self.alters_rows, asked: self.asked }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Id, Pieces, WriteOptions, WriteRewriter};

    const LIMITS: IdLimits = IdLimits { ids_max: 4, bytes_max: 64 };

    fn touched_within(limits: IdLimits, body: &str) -> (String, Touched) {
        let options = WriteOptions { upserted_at_ms: 17, allow_reserved: false };
        let (mut rewriter, mut out) = (WriteRewriter::new(options).tracked(limits), Pieces::new());
        rewriter.push(Bytes::copy_from_slice(body.as_bytes()), &mut out).unwrap();
        let (_, touched) = rewriter.finish_tracked(&mut out).unwrap();
        let rewritten = String::from_utf8(out.drain().flatten().collect()).unwrap();
        (rewritten, touched.unwrap())
    }

    fn ids(body: &str) -> Option<Vec<String>> {
        let touched = touched_within(LIMITS, body).1;
        touched.ids.map(|ids| ids.iter().map(|id| format!("{id:?}")).collect())
    }

    #[test]
    fn ids_are_read_exactly_wherever_they_stand() {
        let body = r#"{"upsert_rows":[{"id":18446744073709551615,"a":{"id":3}}],"patch_columns":{"b":["id"],"id":["1"]},
            "deletes":[1,"\u00e9\n"],"schema":{"id":"uint"}}"#;
        let expected = ["Number(18446744073709551615)", "Number(1)", "Text(\"1\")", "Text(\"é\\n\")"];
        assert_eq!(ids(body).unwrap(), expected);
        assert_eq!(ids(r#"{"schema":{"a":"int"},"deletes":null}"#).unwrap(), [""; 0]);
    }

    #[test]
    fn doubt_makes_them_unknown() {
        for body in [
            r#"{"deletes":[-1]}"#,
            r#"{"deletes":[1.0]}"#,
            r#"{"deletes":[1e2]}"#,
            r#"{"deletes":[18446744073709551616]}"#,
            r#"{"deletes":[null]}"#,
            r#"{"deletes":[[1]]}"#,
            r#"{"deletes":[1,{"id":2}]}"#,
            r#"{"deletes":{"a":1}}"#,
            r#"{"deletes":7}"#,
            r#"{"upsert_rows":{"id":1}}"#,
            r#"{"upsert_rows":[1]}"#,
            r#"{"upsert_rows":[{"id":true}]}"#,
            r#"{"patch_rows":[{"id":[1]}]}"#,
            r#"{"upsert_columns":[{"id":1}]}"#,
            r#"{"upsert_columns":{"id":1}}"#,
            r#"{"patch_columns":{"id":[1.5]}}"#,
            r#"{"deletes":[1,2,3,4,5]}"#,
        ] {
            assert_eq!(ids(body), None, "{body}");
        }
        let long = "x".repeat(65);
        assert_eq!(ids(&format!(r#"{{"deletes":["{long}"]}}"#)), None);
        let longer_than_any = "x".repeat(2000);
        let wide = IdLimits { ids_max: 9, bytes_max: 1 << 20 };
        assert_eq!(touched_within(wide, &format!(r#"{{"deletes":["{longer_than_any}"]}}"#)).1.ids, None);
    }

    #[test]
    fn what_alters_rows_that_are_not_named_is_told() {
        let alters = |body: &str| touched_within(LIMITS, body).1.alters_rows;
        assert!(alters(r#"{"schema":{"a":{"drop":true}}}"#));
        assert!(alters(r#"{"schema":{"a":"int","b":{"type":"string","\u0065mbed":null}}}"#));
        for body in [
            r#"{"schema":{"drop":"int","embed":{"type":"string","full_text_search":{"drop":true}}}}"#,
            r#"{"upsert_rows":[{"id":1,"drop":true,"x":{"embed":1}}]}"#,
        ] {
            assert!(!alters(body), "{body}");
        }
    }

    #[test]
    fn the_origin_is_asked_for_what_a_filter_hits_unless_the_caller_says() {
        for (body, rewritten, asked) in [
            (
                r#"{"delete_by_filter":["a","Eq",1] }"#,
                r#"{"delete_by_filter":["a","Eq",1] ,"return_affected_ids":true}"#,
                Asked::Layer,
            ),
            (
                r#"{"schema":{"a":"int"},"delete_by_filter":[]}"#,
                r#"{"schema":{"a":"int"},"delete_by_filter":[],"return_affected_ids":true}"#,
                Asked::Layer,
            ),
            (
                r#"{"patch_by_filter":{"filters":[],"patch":{"a":1}}}"#,
                r#"{"patch_by_filter":{"filters":[],"patch":{"a":1,"_hevlayer_upserted_at":17}},"schema":{"_hevlayer_upserted_at":"int"},"return_affected_ids":true}"#,
                Asked::Layer,
            ),
        ] {
            let (body, touched) = touched_within(LIMITS, body);
            assert_eq!((&*body, touched.asked), (rewritten, asked));
        }
        for (body, asked) in [
            (r#"{"return_affected_ids":true,"delete_by_filter":["a"]}"#, Asked::Caller),
            (r#"{"delete_by_filter":["a"],"return_affected_ids":false}"#, Asked::Nobody),
            (r#"{"delete_by_filter":["a"],"return_affected_ids":null}"#, Asked::Nobody),
            (r#"{"delete_by_filter":["a"],"return_affected_ids":[true]}"#, Asked::Nobody),
            (r#"{"return_affected_ids":true,"delete_by_filter":["a"],"return_affected_ids":[true]}"#, Asked::Nobody),
            (r#"{"delete_by_filter":null,"deletes":[1]}"#, Asked::Nobody),
            (r#"{"deletes":[1],"return_affected_ids":true}"#, Asked::Caller),
        ] {
            let (rewritten, touched) = touched_within(LIMITS, body);
            assert_eq!((&*rewritten, touched.asked), (body, asked));
        }
    }

    /// The ids of a body as a parser that others rely on finds them.
    #[test]
    fn the_ids_are_those_that_serde_json_finds() {
        let ids: Vec<serde_json::Value> = (0..500_u64)
            .map(|n| {
                if n % 3 == 0 { format!("\"{n}\u{e9}\\").into() } else { n.wrapping_mul(0x9e37_79b9_7f4a_7c15).into() }
            })
            .collect();
        let row = |id: &serde_json::Value| serde_json::json!({"b": [1, {"id": 0}], "id": id, "z": "\"id\":1"});
        let rows: Vec<_> = ids[..200].iter().map(row).collect();
        let body =
            serde_json::json!({"deletes": ids[300..], "patch_rows": rows, "upsert_columns": {"id": ids[200..300]}});
        let wide = IdLimits { ids_max: 500, bytes_max: 1 << 20 };
        let touched = touched_within(wide, &body.to_string()).1.ids.unwrap();
        let value = |id: Id<'_>| match id {
            Id::Number(number) => serde_json::Value::from(number).to_string(),
            Id::Text(text) => serde_json::Value::from(text).to_string(),
        };
        let mut found: Vec<_> = touched.iter().map(value).collect();
        let mut expected: Vec<_> = ids.iter().map(ToString::to_string).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}
