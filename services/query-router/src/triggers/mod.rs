//! Telling pipeline-worker which rows were written, for functions that begin with a write.
//!
//! Best effort: what is not told is found by the functions' own search. A write only looks whether its namespace is of
//! interest and leaves a note; it never waits, and never fails, for any of this. What is of interest pipeline-worker says
//! in each answer. Where there are too many notes, or pipeline-worker is away, the namespaces are remembered, and told of
//! as written to later.
//!
//! Results of functions are never told of: a function that writes its own inputs would never end.

mod run;

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Mutex, PoisonError, RwLock},
};

use layer_proto::{
    function::v1::WrittenRows,
    types::v1::{Id, id},
};
use layer_service::metrics::{Metrics, Series as _};
use layer_wire::Ids;
use prometheus::IntCounter;
use tokio::sync::mpsc;

pub use run::run;

use crate::coherence::Written;

layer_service::metrics! {
    /// Every metric of writes that functions are told of.
    pub METRICS:

    /// Writes that functions want to know of, by what became of the note: named (with ids), unnamed (a search follows),
    /// failed (told of later).
    NOTES = Counter "layer_function_write_notes_total" by ["status"];
}

/// Notes that wait to be sent.
const NOTES_MAX: usize = 1024;
/// Ids of one note; a write of more is told of without them.
const IDS_MAX: usize = 1000;

/// What all workers share of it.
pub struct Triggers {
    /// Namespaces whose writes are of interest.
    wanted: RwLock<HashSet<String>>,
    notes: mpsc::Sender<WrittenRows>,
    /// Namespaces of which a note was lost.
    missed: Mutex<BTreeSet<String>>,
    named: IntCounter,
    unnamed: IntCounter,
    failed: IntCounter,
}

/// Notes that were left.
pub type Notes = mpsc::Receiver<WrittenRows>;

impl Triggers {
    /// Nothing is of interest until [`run`] was told.
    pub fn new(metrics: &Metrics) -> (Self, Notes) {
        let (notes, inbox) = mpsc::channel(NOTES_MAX);
        let [named, unnamed, failed] = metrics.counter(&NOTES).of(["named", "unnamed", "failed"]);
        let (wanted, missed) = (RwLock::default(), Mutex::default());
        (Self { wanted, notes, missed, named, unnamed, failed }, inbox)
    }

    /// Whether somebody wants to know of writes to a namespace.
    pub fn wants(&self, namespace: &str) -> bool {
        self.wanted.read().unwrap_or_else(PoisonError::into_inner).contains(namespace)
    }

    /// Notes a write that the origin has applied. `written` is what was found in its body, where that was looked at;
    /// `listed` the rows that a filter hit, as the origin says.
    pub fn note(&self, namespace: &str, written: Option<&Written>, listed: Option<&Ids>) {
        let named = written.and_then(|written| written.named(listed));
        let ids = named.filter(|ids| ids.iter().map(|ids| ids.len()).sum::<usize>() <= IDS_MAX);
        let unnamed = ids.is_none();
        let ids: Vec<_> = ids.into_iter().flatten().flat_map(Ids::iter).map(typed).collect();
        if ids.is_empty() && !unnamed {
            return;
        }
        if unnamed {
            self.unnamed.inc()
        } else {
            self.named.inc()
        }
        let note = WrittenRows { namespace: namespace.to_owned(), ids, unnamed };
        if self.notes.try_send(note).is_err() {
            self.failed.inc();
            self.miss(namespace.to_owned());
        }
    }

    /// A note was lost. There are no more namespaces here than are of interest.
    fn miss(&self, namespace: String) {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner).insert(namespace);
    }

    /// Takes some of the namespaces of which notes were lost.
    fn take_missed(&self, most: usize) -> Vec<String> {
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        let some: Vec<_> = missed.iter().take(most).cloned().collect();
        for name in &some {
            missed.remove(name);
        }
        some
    }

    fn want(&self, namespaces: Vec<String>) {
        *self.wanted.write().unwrap_or_else(PoisonError::into_inner) = namespaces.into_iter().collect();
    }
}

fn typed(one: layer_wire::Id<'_>) -> Id {
    let kind = match one {
        layer_wire::Id::Number(number) => id::Kind::UintValue(number),
        layer_wire::Id::Text(text) => id::Kind::StringValue(text.to_owned()),
    };
    Id { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use layer_wire::{IdLimits, Pieces, WriteOptions, WriteRewriter};

    use super::*;

    fn written(body: &str) -> Written {
        let options = WriteOptions { upserted_at_ms: 0, allow_reserved: false };
        let limits = IdLimits { ids_max: 10_000, bytes_max: 1_000_000 };
        let (mut rewriter, mut out) = (WriteRewriter::new(options).tracked(limits), Pieces::new());
        rewriter.push(Bytes::copy_from_slice(body.as_bytes()), &mut out).unwrap();
        let (summary, touched) = rewriter.finish_tracked(&mut out).unwrap();
        Written { summary, touched: touched.unwrap() }
    }

    fn noted(triggers: &Triggers, inbox: &mut Notes, body: &str) -> Option<(usize, bool)> {
        triggers.note("n", Some(&written(body)), None);
        inbox.try_recv().ok().map(|note| (note.ids.len(), note.unnamed))
    }

    #[test]
    fn rows_are_named_where_the_body_names_them() {
        let (triggers, mut inbox) = Triggers::new(&Metrics::default());
        let mut note = |body: &str| noted(&triggers, &mut inbox, body);
        assert_eq!(note(r#"{"upsert_rows":[{"id":1},{"id":2}]}"#), Some((2, false)));
        assert_eq!(note(r#"{"patch_columns":{"id":["a"],"x":[1]},"deletes":["b"]}"#), Some((2, false)));
        assert_eq!(note(r#"{"patch_by_filter":{"filters":["a","Eq",1],"patch":{"b":2}}}"#), Some((0, true)));
        assert_eq!(note(r#"{"schema":{"a":"int"}}"#), None);
        let many = (0..=IDS_MAX).map(|id| format!("{{\"id\":{id}}}")).collect::<Vec<_>>().join(",");
        assert_eq!(note(&format!("{{\"upsert_rows\":[{many}]}}")), Some((0, true)));
        triggers.note("n", None, None);
        assert!(inbox.try_recv().unwrap().unnamed, "a body that was not seen whole");
    }

    #[test]
    fn a_note_that_finds_no_room_is_remembered_by_its_namespace() {
        let (triggers, inbox) = Triggers::new(&Metrics::default());
        for n in 0..NOTES_MAX + 3 {
            triggers.note(&format!("n{}", n % 2), None, None);
        }
        assert_eq!(inbox.len(), NOTES_MAX);
        assert_eq!(triggers.take_missed(1).len() + triggers.take_missed(9).len(), 2);
        assert!(triggers.take_missed(9).is_empty());
    }

    #[test]
    fn nothing_is_wanted_before_it_was_asked_for() {
        let (triggers, _inbox) = Triggers::new(&Metrics::default());
        assert!(!triggers.wants("n"));
        triggers.want(vec!["n".to_owned()]);
        assert!(triggers.wants("n") && !triggers.wants("m"));
    }
}
