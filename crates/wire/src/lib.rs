//! Rewrites the JSON bodies of Turbopuffer's wire while they pass through.
//!
//! Layer changes very little of what a client sends: a stamp in every written row, the declaration of the stamp's type,
//! a shorter attribute list in a query. Parsing a body into a tree and printing it again would cost several times what
//! the whole request costs, would need memory in proportion to the body, and would lose what the origin can still see:
//! key order, the text of numbers above 2^53, whitespace, duplicate keys. So this crate never builds a tree. It walks
//! the few levels that matter with a push tokenizer, jumps over every other value with vectorised search, and hands on
//! the input bytes themselves with short insertions between them.
//!
//! # What it promises
//!
//! 1. **Nothing else changes.** The output is the input with insertions (and, in queries, replaced tokens); all other
//!    bytes are the input's, in order.
//! 2. **Broken stays broken.** If the input is no JSON document, the output is none either, or the body is refused.
//!    On the levels that are walked, the structure is checked in full: quotes, colons, commas, brackets. A value that
//!    is jumped over is not checked, but it is passed on whole and nothing is inserted inside it. Suppose the output
//!    were valid. A parser of the output and the walker then read the same tokens in step: each jumped-over value is a
//!    valid value, whose end the jump finds just where the parser does. Take the insertions out, which are whole
//!    members with their comma, and what is left parses too. So the input was valid.
//! 3. **Chunks do not matter.** However the body is cut, the concatenated output is the same.
//! 4. **Memory is bounded.** At most one hold (see [`WriteRewriter`] and [`QueryRewriter`]) of a fixed size is kept
//!    back beside the chunk in hand; the depth of nesting costs a counter, not a stack.
//!
//! It must never log or keep what it reads: bodies carry vectors, texts and ids. It knows nothing of sockets, HTTP or
//! configuration, so that it can be fuzzed and measured alone.

mod affected;
mod ids;
mod names;
mod pieces;
mod query;
mod rejection;
mod scan;
mod strip;
mod strip_rows;
mod tape;
mod walk;
mod write;

#[cfg(test)]
mod hold_tests;

pub use affected::{Affected, AffectedRewriter};
pub use ids::{Id, IdLimits, Ids};
pub use names::{RESERVED_ATTRIBUTES, RESERVED_PREFIX, UPSERTED_AT};
pub use pieces::{Drain, Pieces};
pub use query::{QUERY_HOLD_LIMIT, QueryRewriter, QuerySummary};
pub use rejection::{Rejection, RejectionKind};
pub use strip::{strip_reserved_metadata, strip_reserved_schema};
pub use strip_rows::strip_reserved_rows;
pub use write::{
    Asked, Operation, OperationSet, SCHEMA_HOLD_LIMIT, Touched, WriteOptions, WriteRewriter, WriteSummary,
};
