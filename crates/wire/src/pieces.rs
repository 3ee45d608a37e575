//! The output of a rewriter: pieces of bytes in order, few and cheap.
//!
//! A long untouched span of input is handed on as a slice of the input buffer. What is short is copied together into
//! small buffers: a system call or a frame for a stamp of forty bytes would cost more than copying its neighbours. Both
//! kinds are reference counted, so what a rewriter allocates does not grow with the body. A column of equal stamps is
//! kept as one block and a count, and only spelled out as it is taken.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Spans of at least this many bytes are shared, not copied. Copying 2 KiB costs about as much as one more piece.
const SHARE_FROM: usize = 2048;

/// Copied bytes are collected up to this many before they become a piece.
const COLLECT_UP_TO: usize = 16 * 1024;

/// The first buffer for copied bytes is smaller: most bodies need no second one.
const FIRST_BUFFER: usize = 2048;

/// Ordered pieces of an output body.
///
/// Producers push; the consumer takes pieces with [`Pieces::pop`] or [`Pieces::drain`], at any time between pushes.
#[derive(Debug, Default)]
pub struct Pieces {
    ready: VecDeque<Piece>,
    tail: BytesMut,
    bytes: u64,
}

#[derive(Debug)]
enum Piece {
    Shared(Bytes),
    Repeated { block: Bytes, times: u64 },
}

impl Pieces {
    /// No pieces. Allocates nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes wait to be taken.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing waits to be taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Appends `slice`, shared if it is long and copied if it is short.
    pub fn push_slice(&mut self, slice: Bytes) {
        if slice.len() < SHARE_FROM {
            self.push_copy(&slice);
        } else {
            self.push_shared(slice);
        }
    }

    /// Appends bytes that live as long as the program.
    pub fn push_static(&mut self, text: &'static [u8]) {
        if text.len() < SHARE_FROM {
            self.push_copy(text);
        } else {
            self.push_shared(Bytes::from_static(text));
        }
    }

    /// Appends a copy of `text`.
    pub fn push_copy(&mut self, text: &[u8]) {
        let room = self.tail.capacity() - self.tail.len();
        if room < text.len() {
            self.make_room(text.len());
        }
        self.tail.extend_from_slice(text);
        self.bytes += text.len() as u64;
    }

    /// Appends `block` `times` times over, for the memory of one.
    pub fn push_repeated(&mut self, block: Bytes, times: u64) {
        if times == 0 || block.is_empty() {
            return;
        }
        self.close_tail();
        self.bytes += times * block.len() as u64;
        self.ready.push_back(Piece::Repeated { block, times });
    }

    /// Takes the first piece; `None` when nothing waits.
    pub fn pop(&mut self) -> Option<Bytes> {
        let piece = match self.ready.pop_front() {
            Some(Piece::Shared(bytes)) => bytes,
            Some(Piece::Repeated { block, times }) => {
                if times > 1 {
                    let rest = Piece::Repeated { block: block.clone(), times: times - 1 };
                    self.ready.push_front(rest);
                }
                block
            }
            None if self.tail.is_empty() => return None,
            None => self.tail.split().freeze(),
        };
        self.bytes -= piece.len() as u64;
        Some(piece)
    }

    /// Takes all pieces in order; what is not taken stays.
    pub fn drain(&mut self) -> Drain<'_> {
        Drain(self)
    }

    /// Appends the first `count` bytes of `source` and takes them off it.
    pub(crate) fn push_front_of(&mut self, source: &mut Bytes, count: usize) {
        if count < SHARE_FROM {
            self.push_copy(&source[..count]);
            bytes::Buf::advance(source, count);
        } else {
            self.push_shared(source.split_to(count));
        }
    }

    /// Appends `slice` without copying it, however short, unless it can join bytes that are being collected.
    pub(crate) fn push_whole(&mut self, slice: Bytes) {
        if self.tail.is_empty() && self.ready.is_empty() && !slice.is_empty() {
            self.push_shared(slice);
        } else {
            self.push_slice(slice);
        }
    }

    fn push_shared(&mut self, bytes: Bytes) {
        self.close_tail();
        self.bytes += bytes.len() as u64;
        self.ready.push_back(Piece::Shared(bytes));
    }

    fn make_room(&mut self, wanted: usize) {
        let buffer = if self.tail.capacity() == 0 { FIRST_BUFFER } else { COLLECT_UP_TO };
        self.close_tail();
        self.tail.reserve(buffer.max(wanted));
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            let collected = self.tail.split().freeze();
            self.ready.push_back(Piece::Shared(collected));
        }
    }
}

/// The iterator of [`Pieces::drain`].
#[derive(Debug)]
pub struct Drain<'a>(&'a mut Pieces);

impl Iterator for Drain<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.0.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_spans_are_shared_and_short_ones_are_collected() {
        let long = Bytes::from(vec![b'x'; 10_000]);
        let mut pieces = Pieces::new();
        pieces.push_static(b"ab");
        pieces.push_slice(Bytes::from_static(b"cd"));
        pieces.push_slice(long.clone());
        pieces.push_copy(b"ef");
        assert_eq!(pieces.len_bytes(), 10_006);
        let taken: Vec<_> = pieces.drain().collect();
        assert_eq!(taken.len(), 3);
        assert_eq!(&taken[0][..], b"abcd");
        assert_eq!(taken[1].as_ptr(), long.as_ptr());
        assert_eq!(&taken[2][..], b"ef");
        assert!(pieces.is_empty());
    }

    #[test]
    fn collected_pieces_are_bounded() {
        let mut pieces = Pieces::new();
        for _ in 0..100_000 {
            pieces.push_copy(b"0123456789");
        }
        let sizes: Vec<_> = pieces.drain().map(|piece| piece.len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 1_000_000);
        assert!(sizes.iter().all(|size| *size <= COLLECT_UP_TO));
        assert!(sizes.len() < 80, "{} pieces", sizes.len());
    }

    #[test]
    fn repeated_blocks_are_spelled_out_only_when_taken() {
        let mut pieces = Pieces::new();
        pieces.push_copy(b"<");
        pieces.push_repeated(Bytes::from_static(b"ab"), 1 << 40);
        assert_eq!(pieces.len_bytes(), 1 + (2 << 40));
        assert_eq!(pieces.ready.len(), 2);
        assert_eq!(pieces.pop().as_deref(), Some(&b"<"[..]));
        assert_eq!(pieces.pop().as_deref(), Some(&b"ab"[..]));
        assert_eq!(pieces.len_bytes(), (2 << 40) - 2);
    }

    #[test]
    fn an_untouched_chunk_is_never_copied() {
        let chunk = Bytes::from(b"{}".to_vec());
        let mut pieces = Pieces::new();
        pieces.push_whole(chunk.clone());
        assert_eq!(pieces.pop().map(|piece| piece.as_ptr()), Some(chunk.as_ptr()));
    }
}
