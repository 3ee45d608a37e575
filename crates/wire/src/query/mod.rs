//! Queries: Layer's own attributes stay out of answers unless they are asked for by name.
//!
//! The change is made to the question, so that answers, which are far bigger, stream through untouched. It concerns the
//! query object itself, or each of the `queries` of a multi-query; nothing inside filters or ranking is looked at. What
//! is no JSON is passed on as it is, for the origin to answer.

mod pass;
mod projection;

use bytes::Bytes;

pub use projection::QUERY_HOLD_LIMIT;

use self::pass::{Pass, Progress, Role, Stop};
use crate::pieces::Pieces;
use crate::rejection::Rejection;
use crate::tape::Tape;
use crate::walk::Walker;

/// What a query body turned out to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuerySummary {
    /// The number of `queries`, if the body is a multi-query.
    pub multi: Option<u32>,
    /// Whether any query has `filters`.
    pub has_filter: bool,
    /// Whether any query has `rank_by`.
    pub has_rank_by: bool,
    /// Whether anything was changed.
    pub rewritten: bool,
}

/// Rewrites one query body, `POST .../query` or `.../explain_query`, as it comes in.
///
/// Holds back at most [`QUERY_HOLD_LIMIT`] bytes beyond the chunk in hand, and those are shared with the input.
///
/// ```
/// use bytes::Bytes;
/// use layer_wire::{Pieces, QueryRewriter};
///
/// let (mut rewriter, mut out) = (QueryRewriter::new(), Pieces::new());
/// rewriter.push(Bytes::from(r#"{"top_k":1,"include_attributes":true}"#), &mut out)?;
/// assert!(rewriter.finish(&mut out)?.rewritten);
/// let body: Vec<u8> = out.drain().flatten().collect();
/// assert_eq!(body, br#"{"top_k":1,"exclude_attributes":["_hevlayer_upserted_at"]}"#);
/// # Ok::<(), layer_wire::Rejection>(())
/// ```
#[derive(Debug)]
pub struct QueryRewriter {
    walker: Walker<Role>,
    tape: Tape,
    progress: Progress,
    fate: Fate,
}

#[derive(Debug)]
enum Fate {
    Walking,
    /// No JSON: all further bytes are passed on.
    Malformed,
    Refused(Rejection),
}

impl Default for QueryRewriter {
    fn default() -> Self {
        Self::new()
    }
}

impl QueryRewriter {
    /// A rewriter for one body.
    #[must_use]
    pub fn new() -> Self {
        Self { walker: Walker::new(), tape: Tape::default(), progress: Progress::default(), fate: Fate::Walking }
    }

    /// Takes in the next chunk and appends to `out` what can be handed on.
    ///
    /// # Errors
    /// [`Rejection`] if the body cannot be rewritten within [`QUERY_HOLD_LIMIT`], and again at every later call. What was
    /// appended before it is then the start of a body that must not be completed.
    pub fn push(&mut self, chunk: Bytes, out: &mut Pieces) -> Result<(), Rejection> {
        if let Fate::Refused(refused) = &self.fate {
            return Err(refused.clone());
        }
        self.tape.load(chunk.clone());
        if let Fate::Walking = self.fate {
            self.walk(&chunk, out).inspect_err(|refused| self.fate = Fate::Refused(refused.clone()))?;
        }
        let until = match self.fate {
            Fate::Walking => self.waits_at(),
            _ => self.tape.end(),
        };
        self.tape.emit_until(until, out);
        Ok(())
    }

    /// The body is complete: appends the last of it.
    ///
    /// # Errors
    /// The [`Rejection`] of an earlier push.
    pub fn finish(mut self, out: &mut Pieces) -> Result<QuerySummary, Rejection> {
        if let Fate::Refused(refused) = self.fate {
            return Err(refused);
        }
        self.tape.emit_until(self.tape.end(), out);
        Ok(self.progress.summary)
    }

    fn walk(&mut self, chunk: &Bytes, out: &mut Pieces) -> Result<(), Rejection> {
        let mut pass = Pass { progress: &mut self.progress, tape: &mut self.tape, out };
        match self.walker.feed(chunk, &mut pass) {
            Ok(()) => pass.keep_limit(pass.tape.end()),
            Err(Stop::Refused(rejection)) => Err(rejection),
            Err(Stop::Malformed(malformed)) => {
                self.fate = Fate::Malformed;
                pass.keep_limit(malformed.at)
            }
        }
    }

    /// How far the input may be handed on: not past a hold, nor into a key that may turn out to be one to replace.
    fn waits_at(&self) -> u64 {
        let end = self.tape.end();
        let hold = self.progress.projection.hold().unwrap_or(end);
        hold.min(self.walker.key_in_hand().unwrap_or(end))
    }
}

#[cfg(test)]
impl QueryRewriter {
    /// A rewriter whose hold is short enough for a test to pass its end in every way.
    pub(crate) fn with_hold(mut self, limit: u64) -> Self {
        self.progress.projection = projection::Projection::new(limit);
        self
    }
}

#[cfg(test)]
mod tests;
