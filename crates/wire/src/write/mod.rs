//! Writes: the stamp, its declaration, and the refusal of what is no write.
//!
//! Row-producing operations get the time of the write in every row, so that readers can cut at a moment and a late row
//! can be told from an early one. What the origin itself refuses (an array that is none, a row that is no object) is
//! passed on as it is: the origin has its own texts for it. What Layer refuses is named in [`RejectionKind`].
//!
//! A `null` operation is an absent one: it is passed on but does not make the body a write. An empty `patch` of a
//! `patch_by_filter` and columns without ids write nothing and so are not stamped. Attribute names are the keys of a
//! row, of columns, of a patch and of a schema; names inside values, filters or ids are the caller's own.
//!
//! [`RejectionKind`]: crate::RejectionKind

mod declaration;
mod operation;
mod pass;
mod stamp;
mod touched;

use bytes::Bytes;

pub use declaration::SCHEMA_HOLD_LIMIT;
pub use operation::{Operation, OperationSet};
pub use touched::{Asked, Touched};

use self::pass::{Pass, Progress, Role};
use self::stamp::Stamp;
use self::touched::Tracker;
use crate::ids::IdLimits;
use crate::pieces::Pieces;
use crate::rejection::{Rejection, RejectionKind};
use crate::tape::Tape;
use crate::walk::Walker;

/// How a write is to be rewritten.
#[derive(Debug, Clone, Copy)]
pub struct WriteOptions {
    /// The stamp: milliseconds since the Unix epoch.
    pub upserted_at_ms: i64,
    /// Whether reserved names may be set, as Layer's own services do. The stamp itself never may.
    pub allow_reserved: bool,
}

/// What a write body turned out to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteSummary {
    /// Rows of upserts and patches, by rows or by columns. Rows hit by a filter are not known here.
    pub rows: u64,
    /// Elements of `deletes`.
    pub deletes: u64,
    /// The operations that the body carries.
    pub operations: OperationSet,
    /// Whether something was stamped, and so declared.
    pub stamped: bool,
}

/// Rewrites one write body, `POST /v2/namespaces/{namespace}`, as it comes in.
///
/// Holds back at most [`SCHEMA_HOLD_LIMIT`] bytes beyond the chunk in hand, and those are shared with the input.
///
/// ```
/// use bytes::Bytes;
/// use layer_wire::{Pieces, WriteOptions, WriteRewriter};
///
/// let options = WriteOptions { upserted_at_ms: 17, allow_reserved: false };
/// let (mut rewriter, mut out) = (WriteRewriter::new(options), Pieces::new());
/// rewriter.push(Bytes::from(r#"{"upsert_rows":[{"id":1}]}"#), &mut out)?;
/// let summary = rewriter.finish(&mut out)?;
/// assert_eq!(summary.rows, 1);
/// let body: Vec<u8> = out.drain().flatten().collect();
/// let expected = r#"{"upsert_rows":[{"id":1,"_hevlayer_upserted_at":17}],"schema":{"_hevlayer_upserted_at":"int"}}"#;
/// assert_eq!(body, expected.as_bytes());
/// # Ok::<(), layer_wire::Rejection>(())
/// ```
#[derive(Debug)]
pub struct WriteRewriter {
    walker: Walker<Role>,
    tape: Tape,
    progress: Progress,
    refused: Option<Rejection>,
}

impl WriteRewriter {
    /// A rewriter for one body.
    #[must_use]
    pub fn new(options: WriteOptions) -> Self {
        Self {
            walker: Walker::new(),
            tape: Tape::default(),
            progress: Progress::new(Stamp::new(options.upserted_at_ms), options.allow_reserved),
            refused: None,
        }
    }

    /// The same rewriter, which also finds out what the write touches: see [`Self::finish_tracked`]. A body with a filter
    /// that does not say `return_affected_ids` then gets it as a last member, so that the origin names what was hit.
    #[must_use]
    pub fn tracked(mut self, limits: IdLimits) -> Self {
        self.progress.tracker = Some(Box::new(Tracker::new(limits)));
        self
    }

    /// Takes in the next chunk and appends to `out` what can be handed on.
    ///
    /// # Errors
    /// The [`Rejection`], as soon as it is certain, and again at every later call. What was appended before it is then
    /// the start of a body that must not be completed.
    pub fn push(&mut self, chunk: Bytes, out: &mut Pieces) -> Result<(), Rejection> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        self.tape.load(chunk.clone());
        let mut pass = Pass { progress: &mut self.progress, tape: &mut self.tape, out };
        let walked = self.walker.feed(&chunk, &mut pass);
        walked.inspect_err(|refused| self.refused = Some(refused.clone()))?;
        self.progress.declaration.flush(&mut self.tape, out);
        Ok(())
    }

    /// The body is complete: appends the last of it.
    ///
    /// # Errors
    /// The [`Rejection`] of an earlier push, of a body that ends too early, or of one without any operation.
    pub fn finish(self, out: &mut Pieces) -> Result<WriteSummary, Rejection> {
        self.finish_tracked(out).map(|(summary, _)| summary)
    }

    /// The same, with what the write touches where the rewriter is [`Self::tracked`].
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn finish_tracked(mut self, out: &mut Pieces) -> Result<(WriteSummary, Option<Touched>), Rejection> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        self.walker.finish()?;
        let touched = self.progress.tracker.take().map(|tracker| tracker.into_touched());
        let (summary, mut tape) = (self.progress.summary(), self.tape);
        if summary.operations.is_empty() {
            let known: Vec<_> = Operation::ALL.into_iter().map(Operation::key).collect();
            let message = format!("holds no write operation; expected one of {}", known.join(", "));
            return Err(Rejection::new(RejectionKind::NoOperation, "body", message));
        }
        tape.emit_until(tape.end(), out);
        Ok((summary, touched))
    }
}

#[cfg(test)]
impl WriteRewriter {
    /// A rewriter whose hold is short enough for a test to pass its end in every way.
    pub(crate) fn with_hold(mut self, limit: u64) -> Self {
        self.progress.declaration.limit = limit;
        self
    }
}

#[cfg(test)]
mod tests;
