//! Bodies, walked in place as they arrive.

use anyhow::{Result, bail};
use httparse::Status;
use memchr::memmem;

use super::Framing;

/// Where in a body the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Sized(u64),
    UntilClose,
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
    Done,
}

/// The reader of one body.
#[derive(Debug)]
pub struct Body {
    stage: Stage,
}

impl Body {
    /// A reader at the start of a body of this framing.
    pub fn new(framing: Framing) -> Self {
        let stage = match framing {
            Framing::Length(0) => Stage::Done,
            Framing::Length(length) => Stage::Sized(length),
            Framing::Chunked => Stage::ChunkSize,
            Framing::UntilClose => Stage::UntilClose,
        };
        Self { stage }
    }

    /// Whether the whole body was read.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Hands the body bytes at the front of `input` to `sink` and answers how many bytes of `input` were used.
    /// Fewer than all were used when the body is done or the rest cannot be understood before more arrives.
    ///
    /// # Errors
    /// When the chunked framing is malformed.
    pub fn decode(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<usize> {
        let mut used = 0;
        while let Some(step) = self.step(&input[used..], sink)? {
            used += step;
        }
        Ok(used)
    }

    /// Notes that the peer closed the connection.
    ///
    /// # Errors
    /// When the body was not complete.
    pub fn closed(&mut self) -> Result<()> {
        match self.stage {
            Stage::Done => Ok(()),
            Stage::UntilClose => {
                self.stage = Stage::Done;
                Ok(())
            }
            _ => bail!("the connection closed in the middle of a body"),
        }
    }

    /// One step forward, or `None` when the body is done or needs more input.
    fn step(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<Option<usize>> {
        if input.is_empty() {
            return Ok(None);
        }
        match self.stage {
            Stage::Done => Ok(None),
            Stage::UntilClose => {
                sink(input);
                Ok(Some(input.len()))
            }
            Stage::Sized(left) => Ok(Some(self.data(left, input, sink, Stage::Sized, Stage::Done))),
            Stage::ChunkData(left) => Ok(Some(self.data(left, input, sink, Stage::ChunkData, Stage::ChunkEnd))),
            Stage::ChunkSize => self.chunk_size(input),
            Stage::ChunkEnd => self.chunk_end(input),
            Stage::Trailer => Ok(self.trailer(input)),
        }
    }

    fn data(
        &mut self,
        left: u64,
        input: &[u8],
        sink: &mut impl FnMut(&[u8]),
        partly: fn(u64) -> Stage,
        wholly: Stage,
    ) -> usize {
        let take = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        sink(&input[..take]);
        let left = left - take as u64;
        self.stage = if left == 0 { wholly } else { partly(left) };
        take
    }

    fn chunk_size(&mut self, input: &[u8]) -> Result<Option<usize>> {
        match httparse::parse_chunk_size(input) {
            Ok(Status::Complete((used, 0))) => {
                self.stage = Stage::Trailer;
                Ok(Some(used))
            }
            Ok(Status::Complete((used, size))) => {
                self.stage = Stage::ChunkData(size);
                Ok(Some(used))
            }
            Ok(Status::Partial) => Ok(None),
            Err(_) => bail!("a chunk size is malformed"),
        }
    }

    fn chunk_end(&mut self, input: &[u8]) -> Result<Option<usize>> {
        if input.len() < 2 {
            return Ok(None);
        }
        if !input.starts_with(b"\r\n") {
            bail!("a chunk is longer than its size says");
        }
        self.stage = Stage::ChunkSize;
        Ok(Some(2))
    }

    fn trailer(&mut self, input: &[u8]) -> Option<usize> {
        let used = if input.starts_with(b"\r\n") { 2 } else { memmem::find(input, b"\r\n\r\n")? + 4 };
        self.stage = Stage::Done;
        Some(used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `wire` in pieces of `size` bytes and answers the body and what was left over.
    fn read(framing: Framing, wire: &[u8], size: usize) -> Result<(Vec<u8>, Vec<u8>, bool)> {
        let mut body = Body::new(framing);
        let (mut data, mut waiting) = (Vec::new(), Vec::new());
        for piece in wire.chunks(size) {
            waiting.extend_from_slice(piece);
            let used = body.decode(&waiting, &mut |part| data.extend_from_slice(part))?;
            waiting.drain(..used);
        }
        Ok((data, waiting, body.is_done()))
    }

    #[test]
    fn a_sized_body_leaves_the_next_message_alone_however_it_is_cut() {
        for size in 1..=9 {
            let (data, rest, done) = read(Framing::Length(5), b"helloNEXT", size).unwrap();
            assert_eq!((data.as_slice(), rest.as_slice(), done), (&b"hello"[..], &b"NEXT"[..], true));
        }
    }

    #[test]
    fn a_chunked_body_is_read_however_it_is_cut() {
        let wire = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: b\r\nC: d\r\n\r\nNEXT";
        for size in 1..=wire.len() {
            let (data, rest, done) = read(Framing::Chunked, wire, size).unwrap();
            assert_eq!((data.as_slice(), rest.as_slice(), done), (&b"hello world"[..], &b"NEXT"[..], true));
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        assert!(read(Framing::Chunked, b"zz\r\nhello", 64).is_err());
        assert!(read(Framing::Chunked, b"3\r\nhello\r\n", 64).is_err());
    }

    #[test]
    fn a_cut_body_is_an_error_and_a_body_until_close_is_not() {
        let mut cut = Body::new(Framing::Length(5));
        cut.decode(b"hell", &mut |_| {}).unwrap();
        assert!(cut.closed().is_err());
        let mut open = Body::new(Framing::UntilClose);
        open.decode(b"hell", &mut |_| {}).unwrap();
        assert!(!open.is_done());
        open.closed().unwrap();
        assert!(open.is_done());
    }

    #[test]
    fn an_empty_body_is_done_at_once() {
        assert!(Body::new(Framing::Length(0)).is_done());
    }
}
