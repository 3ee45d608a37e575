//! When to declare the stamp's type, in a stream.
//!
//! A write that is stamped declares the stamp's type to the origin in its own `schema`; a write that is not stamped must
//! stay as it is, byte for byte. A body may bring `schema` first, and clients do, when it cannot be known yet whether a
//! row follows. So after such a schema the output stops right at its closing brace, and what follows is held back until
//! the first row begins (then the declaration is inserted and all goes on) or the body ends (then nothing is inserted).
//! What lies between is mostly a few bytes: `},"upsert_rows":[{`.
//!
//! The hold has a bound, [`SCHEMA_HOLD_LIMIT`]. Past it the declaration is inserted. That can only happen to a body with
//! a schema and more than that of something else before its first row, such as tens of thousands of deletes. If rows
//! still follow, the declaration is right; if none does, the namespace knows an attribute that no row has yet, which
//! Layer's views do not show. The other choice, to leave it out, would rest the type of the stamp on inference in just
//! the rare case that nobody tries. The bytes held are shared with the input, not copied.
//!
//! Reordering (`schema` to the end) would change the caller's bytes, and a second `schema` member is a duplicate key.
//! If the caller's body has several, strict parsers refuse it and lenient ones take the last; the last is declared in.

use bytes::Bytes;

use super::stamp::{SCHEMA_MEMBER, SCHEMA_OBJECT, schema_entry};
use crate::pieces::Pieces;
use crate::tape::{Edit, Span, Tape};

/// How much of a write body is held back at most, in bytes, while it is open whether the schema needs the declaration.
pub const SCHEMA_HOLD_LIMIT: u64 = 256 * 1024;

/// How long a scalar in the schema's place may be held to see whether it is `null`.
const SCALAR_HOLD_LIMIT: u64 = 1024;

#[derive(Debug)]
pub(crate) struct Declaration {
    /// How much may be held: [`SCHEMA_HOLD_LIMIT`], less in tests.
    pub(crate) limit: u64,
    /// Some row was stamped, or is about to be.
    stamped: bool,
    /// The body has a `schema` member.
    has_schema: bool,
    hold: Hold,
}

#[derive(Debug, Default)]
enum Hold {
    #[default]
    None,
    /// A scalar that may be `null` started here.
    Scalar(u64),
    /// The declaration would go here.
    Edit(Edit),
}

impl Default for Declaration {
    fn default() -> Self {
        Self { limit: SCHEMA_HOLD_LIMIT, stamped: false, has_schema: false, hold: Hold::None }
    }
}

impl Declaration {
    pub(crate) fn stamped(&self) -> bool {
        self.stamped
    }

    /// A row is about to be stamped.
    pub(crate) fn require(&mut self, tape: &mut Tape, out: &mut Pieces) {
        self.stamped = true;
        self.insert_held(tape, out);
    }

    /// A `schema` member begins at `at`.
    pub(crate) fn schema_begins(&mut self, first: u8, at: u64, tape: &mut Tape, out: &mut Pieces) {
        self.keep_limit(at, tape, out);
        self.has_schema = true;
        self.hold = if first == b'n' { Hold::Scalar(at) } else { Hold::None };
    }

    /// The schema's scalar has been read.
    pub(crate) fn scalar_ends(&mut self, is_null: bool, span: Span, tape: &mut Tape, out: &mut Pieces) {
        self.hold = Hold::None;
        if is_null {
            self.declare(Edit { span, text: Bytes::from_static(SCHEMA_OBJECT) }, tape, out);
        }
    }

    /// The schema object closes at `at`.
    pub(crate) fn object_ends(&mut self, is_empty: bool, at: u64, tape: &mut Tape, out: &mut Pieces) {
        let span = Span { start: at, end: at };
        self.declare(Edit { span, text: schema_entry(is_empty) }, tape, out);
    }

    /// The body's object closes at `at`.
    pub(crate) fn body_ends(&mut self, at: u64, tape: &mut Tape, out: &mut Pieces) {
        self.keep_limit(at, tape, out);
        self.hold = Hold::None;
        if self.stamped && !self.has_schema {
            tape.emit_until(at, out);
            out.push_static(SCHEMA_MEMBER);
        }
    }

    /// Hands on all that the hold does not keep back.
    pub(crate) fn flush(&mut self, tape: &mut Tape, out: &mut Pieces) {
        self.keep_limit(tape.end(), tape, out);
        let until = match &self.hold {
            Hold::None => tape.end(),
            Hold::Scalar(start) => *start,
            Hold::Edit(edit) => edit.span.start,
        };
        tape.emit_until(until, out);
    }

    fn declare(&mut self, edit: Edit, tape: &mut Tape, out: &mut Pieces) {
        self.hold = Hold::Edit(edit);
        if self.stamped {
            self.insert_held(tape, out);
        }
    }

    fn insert_held(&mut self, tape: &mut Tape, out: &mut Pieces) {
        if let Hold::Edit(edit) = &self.hold {
            tape.apply(edit, out);
            self.hold = Hold::None;
        }
    }

    /// Ends a hold that would keep back too much at the offset `at`. It looks at offsets alone, so that the outcome is
    /// the same however the body is cut.
    fn keep_limit(&mut self, at: u64, tape: &mut Tape, out: &mut Pieces) {
        match &self.hold {
            Hold::Scalar(start) if at - start > SCALAR_HOLD_LIMIT => self.hold = Hold::None,
            Hold::Edit(edit) if at - edit.span.start > self.limit => self.insert_held(tape, out),
            _ => {}
        }
    }
}
