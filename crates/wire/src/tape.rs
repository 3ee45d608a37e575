//! The input that has not been handed on yet.
//!
//! Positions are offsets in the whole input body. The tape knows where handing on has come to; what lies before it is
//! gone. A rewriter that cannot decide yet simply does not emit: the bytes stay here, shared and not copied, until it
//! can. How much may stay is the rewriter's bound to keep.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use crate::pieces::Pieces;

/// Parts of this size are worth a handle of their own.
const JOIN_UP_TO: usize = 2048;

/// A range of the input body, as offsets: from, and up to but without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// A span of the input and what takes its place; an empty span makes it an insertion.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    pub(crate) span: Span,
    pub(crate) text: Bytes,
}

#[derive(Debug, Default)]
pub(crate) struct Tape {
    held: VecDeque<Bytes>,
    current: Bytes,
    cursor: u64,
    end: u64,
    untouched: bool,
}

impl Tape {
    /// Takes in the next chunk of the input.
    pub(crate) fn load(&mut self, chunk: Bytes) {
        self.end += chunk.len() as u64;
        let before = std::mem::replace(&mut self.current, chunk);
        if !before.is_empty() {
            self.keep(before);
        }
        self.untouched = self.held.is_empty();
    }

    /// The offset of the end of what was taken in.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes are neither handed on nor left out yet.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> u64 {
        self.end - self.cursor
    }

    /// Hands on everything up to `offset`.
    pub(crate) fn emit_until(&mut self, offset: u64, out: &mut Pieces) {
        if self.untouched && offset == self.end {
            self.cursor = offset;
            out.push_whole(std::mem::take(&mut self.current));
            return;
        }
        self.advance(offset, |part, count| out.push_front_of(part, count));
    }

    /// Leaves out everything up to `offset`.
    pub(crate) fn drop_until(&mut self, offset: u64) {
        self.advance(offset, |part, count| part.advance(count));
    }

    /// Hands on everything up to the edit, then its text in the place of its span.
    pub(crate) fn apply(&mut self, edit: &Edit, out: &mut Pieces) {
        self.emit_until(edit.span.start, out);
        out.push_slice(edit.text.clone());
        self.drop_until(edit.span.end);
        self.untouched = false;
    }

    /// Keeps a part. Small ones are joined with as small ones before them: a body that comes byte by byte must not cost
    /// a buffer and a handle for each.
    fn keep(&mut self, mut part: Bytes) {
        while part.len() < JOIN_UP_TO
            && let Some(last) = self.held.pop_back_if(|last| last.len() <= part.len())
        {
            let mut joined = BytesMut::with_capacity(last.len() + part.len());
            joined.extend_from_slice(&last);
            joined.extend_from_slice(&part);
            part = joined.freeze();
        }
        self.held.push_back(part);
    }

    fn advance(&mut self, offset: u64, mut step: impl FnMut(&mut Bytes, usize)) {
        if offset > self.cursor {
            self.untouched = false;
        }
        while self.cursor < offset {
            let part = self.held.front_mut().unwrap_or(&mut self.current);
            let left = offset - self.cursor;
            let count = usize::try_from(left).map_or(part.len(), |left| left.min(part.len()));
            step(part, count);
            self.cursor += count as u64;
            let exhausted = part.is_empty();
            if exhausted && self.held.pop_front().is_none() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pieces: &mut Pieces) -> String {
        let bytes: Vec<u8> = pieces.drain().flatten().collect();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn edits_reach_over_chunks_that_were_kept() {
        let (mut tape, mut out) = (Tape::default(), Pieces::new());
        for chunk in ["ab", "cd", "ef"] {
            tape.load(Bytes::from(chunk));
        }
        let edit = Edit { span: Span { start: 1, end: 5 }, text: Bytes::from("-") };
        tape.apply(&edit, &mut out);
        tape.emit_until(tape.end(), &mut out);
        assert_eq!(text(&mut out), "a-f");
    }

    #[test]
    fn a_chunk_with_an_insertion_at_its_start_keeps_all_its_bytes() {
        let (mut tape, mut out) = (Tape::default(), Pieces::new());
        tape.load(Bytes::from("ab"));
        tape.apply(&Edit { span: Span { start: 0, end: 0 }, text: Bytes::from("-") }, &mut out);
        tape.emit_until(2, &mut out);
        tape.load(Bytes::from("cd"));
        tape.emit_until(4, &mut out);
        assert_eq!(text(&mut out), "-abcd");
    }

    #[test]
    fn what_is_kept_of_a_body_that_comes_byte_by_byte_is_few_parts() {
        let (mut tape, mut out) = (Tape::default(), Pieces::new());
        for byte in 0..100_000_u32 {
            tape.load(Bytes::from(vec![byte as u8]));
        }
        assert!(tape.held.len() < 100, "{} parts", tape.held.len());
        tape.emit_until(tape.end(), &mut out);
        let emitted = out.drain().flatten();
        assert!(emitted.eq((0..100_000_u32).map(|byte| byte as u8)));
    }
}
