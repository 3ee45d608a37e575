//! Ids of documents, picked out of a body while it passes.
//!
//! Whoever keeps copies of documents must know which ones a write touches. The ids stand in the body that is walked
//! anyway, so they are read there, exactly: an integer up to 2^64-1 is never a float, and `1` is not `"1"`. They are kept
//! in two blocks of memory with a bound on both. What cannot be read for certain (a number of another form, an id that is
//! an array, text that is no UTF-8) makes the whole set unknown: a set that leaves one out would be worse than none.

use crate::walk::Text;

/// An id of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id<'a> {
    /// An integer.
    Number(u64),
    /// A string, also one that spells an integer or a UUID.
    Text(&'a str),
}

/// How many ids are kept at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdLimits {
    /// Ids; beyond them the set is unknown.
    pub ids_max: usize,
    /// Bytes of all ids together, eight for an integer; beyond them the set is unknown.
    pub bytes_max: usize,
}

/// Some ids in the order of a body, all integers before all strings, repeated ones repeated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    numbers: Vec<u64>,
    text: String,
    /// Where each string ends in `text`.
    ends: Vec<usize>,
}

impl Ids {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len() + self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Id<'_>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let texts = starts.zip(&self.ends).map(|(start, end)| Id::Text(&self.text[start..*end]));
        self.numbers.iter().map(|number| Id::Number(*number)).chain(texts)
    }

    fn bytes(&self) -> usize {
        8 * self.numbers.len() + self.text.len()
    }
}

/// Picks up ids, until one is too many or cannot be read.
#[derive(Debug)]
pub(crate) struct Collector {
    limits: IdLimits,
    /// Gone when the set is unknown.
    ids: Option<Ids>,
}

impl Collector {
    pub(crate) fn new(limits: IdLimits) -> Self {
        Self { limits, ids: Some(Ids::default()) }
    }

    /// Whether further ids matter.
    pub(crate) fn is_collecting(&self) -> bool {
        self.ids.is_some()
    }

    /// There is an id that cannot be read.
    pub(crate) fn give_up(&mut self) {
        self.ids = None;
    }

    /// Takes in an id as spelled.
    pub(crate) fn add(&mut self, text: &Text<'_>) {
        let Some(ids) = &mut self.ids else { return };
        let known = if text.is_quoted() { add_text(ids, text) } else { add_number(ids, text) };
        if known.is_none() || ids.len() > self.limits.ids_max || ids.bytes() > self.limits.bytes_max {
            self.ids = None;
        }
    }

    /// The set, if it is known.
    pub(crate) fn into_ids(self) -> Option<Ids> {
        self.ids
    }
}

fn add_number(ids: &mut Ids, text: &Text<'_>) -> Option<()> {
    ids.numbers.push(text.unsigned()?);
    Some(())
}

fn add_text(ids: &mut Ids, text: &Text<'_>) -> Option<()> {
    let decoded = text.whole()?;
    ids.text.push_str(std::str::from_utf8(&decoded).ok()?);
    ids.ends.push(ids.text.len());
    Some(())
}
