//! Which attributes one query object asks for, and how that must change.
//!
//! `include_attributes: true` would show Layer's own attributes. It becomes `exclude_attributes` with their names, and a
//! caller's own `exclude_attributes` gets them appended. Asking for both is an error of the origin's, and must stay one:
//! an object with both is passed on as it is. That is only known at the end of the query object, so the output waits at
//! the first of the two keys until then; queries are small, and the bytes held are shared with the input.
//!
//! Past [`QUERY_HOLD_LIMIT`] the change is made by what is known, and what was handed on is sealed. Should something
//! come after that which would have needed another change there, the body is refused: never is an error of the origin's
//! turned into an answer, nor a reserved attribute shown.
//!
//! An object that has one of the keys twice is left alone: a strict parser refuses it. One case more: with
//! `include_attributes: true` and `exclude_attributes: null` the two values trade places, since a second
//! `exclude_attributes` would be a duplicate.

use bytes::Bytes;

use crate::names::RESERVED_ATTRIBUTES;
use crate::pieces::Pieces;
use crate::rejection::{Rejection, RejectionKind};
use crate::tape::{Edit, Span, Tape};

/// How much of a query body is held back at most, in bytes, while it is open what to do with an attribute list.
pub const QUERY_HOLD_LIMIT: u64 = 256 * 1024;

/// What the object says of one of the two keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Value {
    #[default]
    Absent,
    /// `null`, which the origin takes for absent.
    Null(Span),
    /// `true`, with the place of its key.
    True { key: Span, value: Span },
    /// An array: where it closes, whether it is empty, and a bit for each reserved name that it already has.
    List { close: u64, is_empty: bool, names: u32 },
    /// Anything else: for the origin to answer.
    Other,
}

impl Value {
    fn is_given(self) -> bool {
        !matches!(self, Self::Absent | Self::Null(_))
    }
}

/// Whether a member can still be changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Open,
    /// Handed on as it was.
    Sealed,
    /// Handed on changed.
    Changed,
}

#[derive(Debug, Clone, Copy, Default)]
struct Member {
    value: Value,
    fate: Fate,
}

/// One of the two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Include,
    Exclude,
}

/// A key whose value is not complete.
#[derive(Debug, Clone, Copy)]
struct Pending {
    list: List,
    key: Span,
    fate: Fate,
}

/// The attribute lists of the query object in hand.
#[derive(Debug)]
pub(crate) struct Projection {
    /// How much may be held: [`QUERY_HOLD_LIMIT`], less in tests.
    limit: u64,
    include: Member,
    exclude: Member,
    pending: Option<Pending>,
    repeated: bool,
    names: u32,
    hold: Option<u64>,
    changed: bool,
}

impl Default for Projection {
    fn default() -> Self {
        Self::new(QUERY_HOLD_LIMIT)
    }
}

impl Projection {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            include: Member::default(),
            exclude: Member::default(),
            pending: None,
            repeated: false,
            names: 0,
            hold: None,
            changed: false,
        }
    }

    /// The lists of the next query object.
    pub(crate) fn renewed(&self) -> Self {
        Self::new(self.limit)
    }

    /// Where the output waits, if it does.
    pub(crate) fn hold(&self) -> Option<u64> {
        self.hold
    }

    /// Whether anything was changed.
    pub(crate) fn changed(&self) -> bool {
        self.changed
    }

    /// Which of the two lists the value that comes now belongs to.
    pub(crate) fn pending(&self) -> Option<List> {
        self.pending.map(|pending| pending.list)
    }

    /// One of the two keys was read.
    pub(crate) fn key(&mut self, list: List, key: Span) -> Result<(), Rejection> {
        let replaced = self.include.fate == Fate::Changed;
        if replaced {
            return Err(too_far());
        }
        self.repeated |= self.member(list).value != Value::Absent;
        self.pending = Some(Pending { list, key, fate: Fate::Open });
        self.names = 0;
        self.hold.get_or_insert(key.start);
        Ok(())
    }

    /// The pending value is a scalar or a string.
    pub(crate) fn scalar(&mut self, is_true: bool, is_null: bool, value: Span) {
        let Some(pending) = self.pending else {
            return;
        };
        let seen = match pending {
            Pending { list: List::Include, key, .. } if is_true => Value::True { key, value },
            _ if is_null => Value::Null(value),
            _ => Value::Other,
        };
        self.set(seen, pending.fate);
    }

    /// The pending value is nothing that is looked into.
    pub(crate) fn other(&mut self) {
        self.set(Value::Other, Fate::Open);
    }

    /// A string element of the pending array; `is` tells whether it is a given name.
    pub(crate) fn name(&mut self, is: impl Fn(&str) -> bool) {
        for (bit, name) in RESERVED_ATTRIBUTES.iter().enumerate() {
            self.names |= u32::from(is(name)) << bit;
        }
    }

    /// The pending array closes. All that may change is at this very place, so it is open whatever was handed on.
    pub(crate) fn list_ends(&mut self, close: u64, is_empty: bool) {
        let names = self.names;
        self.set(Value::List { close, is_empty, names }, Fate::Open);
        self.hold.get_or_insert(close);
    }

    /// The query object ends: makes the changes.
    pub(crate) fn decide(&mut self, tape: &mut Tape, out: &mut Pieces) -> Result<(), Rejection> {
        self.hold = None;
        let edits = self.edits()?;
        self.changed |= !edits.is_empty();
        for edit in &edits {
            tape.apply(edit, out);
        }
        Ok(())
    }

    /// Decides now if at the offset `at` too much would be held back. It looks at offsets alone, so that the outcome is
    /// the same however the body is cut; every event must come here first.
    pub(crate) fn keep_limit(&mut self, at: u64, tape: &mut Tape, out: &mut Pieces) -> Result<(), Rejection> {
        if self.hold.is_none_or(|start| at - start <= self.limit) {
            return Ok(());
        }
        if let Some(pending) = &mut self.pending {
            pending.fate = Fate::Sealed;
            self.hold = None;
        } else {
            self.decide(tape, out)?;
        }
        self.seal();
        Ok(())
    }

    fn seal(&mut self) {
        for member in [&mut self.include, &mut self.exclude] {
            if member.fate == Fate::Open && member.value != Value::Absent {
                member.fate = Fate::Sealed;
            }
        }
    }

    fn member(&mut self, list: List) -> &mut Member {
        match list {
            List::Include => &mut self.include,
            List::Exclude => &mut self.exclude,
        }
    }

    fn set(&mut self, value: Value, fate: Fate) {
        if let Some(pending) = self.pending.take() {
            *self.member(pending.list) = Member { value, fate };
        }
    }

    /// The changes to make, in order of place. Marks what they change.
    fn edits(&mut self) -> Result<Vec<Edit>, Rejection> {
        let (include, exclude) = (self.include.value, self.exclude.value);
        if self.repeated || (include.is_given() && exclude.is_given()) {
            return Ok(Vec::new());
        }
        match (include, exclude) {
            (Value::True { value, .. }, Value::Null(null)) => {
                if !(self.change(List::Include)? && self.change(List::Exclude)?) {
                    return Ok(Vec::new());
                }
                let mut edits = vec![replace(value, "null"), replace(null, list_of_reserved())];
                edits.sort_by_key(|edit| edit.span.start);
                Ok(edits)
            }
            (Value::True { key, value }, _) if self.change(List::Include)? => {
                Ok(vec![replace(key, "\"exclude_attributes\""), replace(value, list_of_reserved())])
            }
            (_, Value::List { close, is_empty, names }) => match missing(names) {
                names if names.is_empty() => Ok(Vec::new()),
                names if self.change(List::Exclude)? => Ok(vec![append(close, is_empty, &names)]),
                _ => Ok(Vec::new()),
            },
            _ => Ok(Vec::new()),
        }
    }

    /// Marks a member as changed. False if that is done already; an error if it is too late.
    fn change(&mut self, list: List) -> Result<bool, Rejection> {
        let member = self.member(list);
        match member.fate {
            Fate::Sealed => Err(too_far()),
            Fate::Changed => Ok(false),
            Fate::Open => {
                member.fate = Fate::Changed;
                Ok(true)
            }
        }
    }
}

fn replace(span: Span, text: impl Into<Bytes>) -> Edit {
    Edit { span, text: text.into() }
}

fn append(close: u64, is_empty: bool, names: &str) -> Edit {
    let comma = if is_empty { "" } else { "," };
    replace(Span { start: close, end: close }, format!("{comma}{names}"))
}

fn list_of_reserved() -> String {
    format!("[{}]", missing(0))
}

/// The reserved names without those whose bit is set, quoted and separated by commas.
fn missing(names: u32) -> String {
    let all = RESERVED_ATTRIBUTES.iter().enumerate();
    let quoted: Vec<_> = all.filter(|(bit, _)| names >> bit & 1 == 0).map(|(_, name)| format!("\"{name}\"")).collect();
    quoted.join(",")
}

fn too_far() -> Rejection {
    let message = format!(
        "must stand within {QUERY_HOLD_LIMIT} bytes of include_attributes in a query object; put the two side by side"
    );
    Rejection::new(RejectionKind::Unrewritable, "exclude_attributes", message)
}
