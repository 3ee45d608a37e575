//! Layer's own answer as it comes, and what its call holds until it has ended.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::Stream;

use super::{BoxError, Held};

type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// The pieces of an answer. One that breaks off ends with an error, so that the caller's connection is cut: what has come
/// must not pass for the whole.
pub struct Streamed {
    pieces: Pieces,
    held: Option<Held>,
    ended: bool,
}

impl Streamed {
    /// Sends `pieces`.
    pub fn new(pieces: Pieces) -> Self {
        Self { pieces, held: None, ended: false }
    }

    /// Takes what is held until the end.
    pub fn hold(&mut self, held: Held) {
        self.held = Some(held);
    }
}

impl Stream for Streamed {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let piece = ready!(this.pieces.as_mut().poll_next(cx));
        this.ended = piece.is_none();
        Poll::Ready(piece)
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        if let (false, Some((_, measured))) = (self.ended, &self.held) {
            measured.broke();
        }
    }
}
