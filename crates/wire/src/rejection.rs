//! Why a body is refused before anything of it is acted on.
//!
//! The router answers 422 with this text, so it speaks to the caller: it names the field by its path and says what to
//! do. It carries attribute names, which are the caller's schema, but never a value.

use crate::walk::Malformed;

/// The class of a refusal, for a machine-readable reason beside the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionKind {
    /// The body is not one complete JSON object, as far as it was looked at.
    Malformed,
    /// No recognised write operation is in the body.
    NoOperation,
    /// A key of another API (`upserts`, `patches`) where a native one is meant.
    ForeignKey,
    /// A name that only Layer itself may set.
    ReservedName,
    /// The request cannot be rewritten within the bounds of this crate.
    Unrewritable,
}

/// A body that is refused, with the path of the field at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Rejection {
    /// What class of fault it is.
    pub kind: RejectionKind,
    /// The path of the field, such as `upsert_rows[3]._hevlayer_x`; `body` for the document as a whole.
    pub field: String,
    /// What is wrong with it, and what to do instead.
    pub message: String,
}

impl Rejection {
    pub(crate) fn new(kind: RejectionKind, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, field: field.into(), message: message.into() }
    }
}

impl From<Malformed> for Rejection {
    fn from(malformed: Malformed) -> Self {
        Self::new(RejectionKind::Malformed, "body", malformed.to_string())
    }
}
