//! What a write affects, before it is sent and after it was answered.
//!
//! Pure decisions on what the wire's rewriters found, so that each can be read and tested alone. In doubt a write affects
//! the whole namespace.

use layer_cache::{Affects, Key, Outcome};
use layer_wire::{Asked, Id, Ids, Operation, Touched, WriteSummary};

/// What was found in a write's body, once it was seen whole.
#[derive(Debug, Clone)]
pub struct Written {
    /// Which operations it has.
    pub summary: WriteSummary,
    /// Which documents it touches.
    pub touched: Touched,
}

impl Written {
    /// Rows are touched that the body does not name.
    fn is_wide(&self) -> bool {
        self.is_by_filter() || self.is_whole()
    }

    /// The origin finds the rows by a filter.
    fn is_by_filter(&self) -> bool {
        let operations = self.summary.operations;
        operations.contains(Operation::DeleteByFilter) || operations.contains(Operation::PatchByFilter)
    }

    /// Any row may become another one.
    fn is_whole(&self) -> bool {
        let operations = self.summary.operations;
        let filled = operations.contains(Operation::CopyFromNamespace);
        filled || operations.contains(Operation::BranchFromNamespace) || self.touched.alters_rows
    }

    /// The origin will list the rows that a filter hit, and nothing else hides what changed.
    pub fn is_listed(&self) -> bool {
        self.is_by_filter() && !self.is_whole() && self.touched.asked != Asked::Nobody
    }

    /// The lists in the answer are none of the caller's asking.
    pub fn hides_lists(&self) -> bool {
        self.touched.asked == Asked::Layer
    }

    /// All rows that were written, by their ids: those that the body names, and those that a filter hit. `None`: there may
    /// be others.
    pub fn named<'a>(&'a self, listed: Option<&'a Ids>) -> Option<Vec<&'a Ids>> {
        let ids = self.touched.ids.as_ref().filter(|_| !self.is_whole())?;
        match (self.is_by_filter(), listed) {
            (false, _) => Some(vec![ids]),
            (true, Some(listed)) => Some(vec![ids, listed]),
            (true, None) => None,
        }
    }

    /// The documents that the body names, where there are few.
    pub fn few(&self, at_most: usize) -> Option<&Ids> {
        self.touched.ids.as_ref().filter(|ids| ids.len() <= at_most && !self.is_wide())
    }
}

/// What is held of a write whose body was seen whole (`written`), or not. `None`: it touches no document.
pub fn affects(written: Option<&Written>, keys_max: usize) -> Option<Affects> {
    let Some(ids) = written.and_then(|written| written.few(keys_max)) else { return Some(Affects::Namespace) };
    (!ids.is_empty()).then(|| Affects::Keys(keys(ids)))
}

/// What became of a write that the origin has applied. `held` are the keys' holds, if there are any; `listed` what the
/// origin says that it touched.
pub fn changed(held: &Affects, written: Option<&Written>, listed: Option<&Ids>) -> Outcome {
    if let Affects::Keys(_) = held {
        return Outcome::Changed(Vec::new());
    }
    let Some(named) = written.filter(|written| !written.is_whole()) else { return Outcome::ChangedUnknown };
    let Some(ids) = &named.touched.ids else { return Outcome::ChangedUnknown };
    match (named.is_by_filter(), listed) {
        (false, _) => Outcome::Changed(keys(ids)),
        (true, Some(listed)) => Outcome::Changed(keys(ids).into_iter().chain(keys(listed)).collect()),
        (true, None) => Outcome::ChangedUnknown,
    }
}

/// The cache's keys of these ids.
pub fn keys(ids: &Ids) -> Vec<Key> {
    ids.iter().map(key).collect()
}

fn key(id: Id<'_>) -> Key {
    match id {
        Id::Number(number) => Key::uint(number),
        Id::Text(text) => Key::text(text),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use layer_wire::{AffectedRewriter, IdLimits, Pieces, WriteOptions, WriteRewriter};

    use super::*;

    const LIMITS: IdLimits = IdLimits { ids_max: 10, bytes_max: 1000 };

    fn written(body: &str) -> Written {
        let options = WriteOptions { upserted_at_ms: 0, allow_reserved: false };
        let (mut rewriter, mut out) = (WriteRewriter::new(options).tracked(LIMITS), Pieces::new());
        rewriter.push(Bytes::copy_from_slice(body.as_bytes()), &mut out).unwrap();
        let (summary, touched) = rewriter.finish_tracked(&mut out).unwrap();
        Written { summary, touched: touched.unwrap() }
    }

    fn listed(answer: &str) -> Option<Ids> {
        let (mut rewriter, mut out) = (AffectedRewriter::new(LIMITS, true), Pieces::new());
        rewriter.push(Bytes::copy_from_slice(answer.as_bytes()), &mut out);
        rewriter.finish(&mut out).unwrap().ids
    }

    /// `-` for nothing, `*` for the namespace, else the number of keys.
    fn held(body: &str) -> String {
        match affects(Some(&written(body)), 3) {
            None => "-".to_owned(),
            Some(Affects::Namespace) => "*".to_owned(),
            Some(Affects::Keys(keys)) => keys.len().to_string(),
        }
    }

    #[test]
    fn few_ids_are_held_one_by_one_and_all_else_by_the_namespace() {
        for (body, expected) in [
            (r#"{"upsert_rows":[{"id":1},{"id":"a"}],"deletes":[3]}"#, "3"),
            (r#"{"upsert_rows":[{"id":1}],"upsert_condition":["a","Eq",1],"schema":{"a":"int"}}"#, "1"),
            (r#"{"deletes":[1,2,3,4]}"#, "*"),
            (r#"{"deletes":[1,2,3,4,5,6,7,8,9,10,11]}"#, "*"),
            (r#"{"deletes":[-1]}"#, "*"),
            (r#"{"deletes":[1],"delete_by_filter":["a","Eq",1]}"#, "*"),
            (r#"{"patch_by_filter":{"filters":["a","Eq",1],"patch":{"a":2}}}"#, "*"),
            (r#"{"copy_from_namespace":"b"}"#, "*"),
            (r#"{"branch_from_namespace":{"source_namespace":"b"}}"#, "*"),
            (r#"{"upsert_rows":[{"id":1}],"schema":{"a":{"drop":true}}}"#, "*"),
            (r#"{"schema":{"a":"int"},"create_namespace":true}"#, "-"),
            (r#"{"upsert_rows":[]}"#, "-"),
        ] {
            assert_eq!(held(body), expected, "{body}");
        }
        assert!(matches!(affects(None, 3), Some(Affects::Namespace)));
    }

    #[test]
    fn what_changed_is_what_was_named_and_listed_or_else_anything() {
        let outcome = |body: &str, answer: Option<&str>| {
            let written = written(body);
            let held = affects(Some(&written), 3).unwrap();
            match changed(&held, Some(&written), answer.and_then(listed).as_ref()) {
                Outcome::Changed(keys) => keys.len().to_string(),
                Outcome::ChangedUnknown => "*".to_owned(),
                Outcome::Nothing => "-".to_owned(),
            }
        };
        let filter = r#"{"deletes":[7],"delete_by_filter":["a","Eq",1]}"#;
        for (body, answer, expected) in [
            // Those that are held by key need no naming.
            (r#"{"deletes":[1,2]}"#, None, "0"),
            (r#"{"deletes":[1,2,3,4]}"#, None, "4"),
            (r#"{"deletes":[1,2,3,4,5,6,7,8,9,10,11]}"#, None, "*"),
            (filter, Some(r#"{"rows_affected":3,"deleted_ids":[1,2,7]}"#), "4"),
            (filter, Some(r#"{"rows_affected":4,"deleted_ids":[1,2,7]}"#), "*"),
            (filter, None, "*"),
            (r#"{"copy_from_namespace":"b"}"#, None, "*"),
            (r#"{"schema":{"a":{"drop":true}},"delete_by_filter":["a","Eq",1]}"#, Some(r#"{"rows_affected":0}"#), "*"),
        ] {
            assert_eq!(outcome(body, answer), expected, "{body}");
        }
        assert!(matches!(changed(&Affects::Namespace, None, None), Outcome::ChangedUnknown));
    }

    #[test]
    fn lists_are_read_where_somebody_asked_and_hidden_where_it_was_layer() {
        let of = |body: &str| {
            let written = written(body);
            (written.is_listed(), written.hides_lists())
        };
        assert_eq!(of(r#"{"delete_by_filter":["a","Eq",1]}"#), (true, true));
        assert_eq!(of(r#"{"delete_by_filter":["a","Eq",1],"return_affected_ids":true}"#), (true, false));
        assert_eq!(of(r#"{"delete_by_filter":["a","Eq",1],"return_affected_ids":false}"#), (false, false));
        assert_eq!(of(r#"{"deletes":[1],"return_affected_ids":true}"#), (false, false));
    }
}
