//! A read buffer of fixed size.

use std::io::{self, Read};

/// Bytes that were read and not yet used. Its size never changes, so a peer cannot make it grow.
#[derive(Debug)]
pub struct ReadBuffer {
    data: Box<[u8]>,
    start: usize,
    end: usize,
}

/// What one read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// The free space was filled: there may be more to read.
    More,
    /// The peer has nothing more for now.
    Drained,
    /// The peer closed its side.
    Closed,
}

impl ReadBuffer {
    /// A buffer for `capacity` bytes, which is also the longest head that can be parsed from it.
    pub fn new(capacity: usize) -> Self {
        Self { data: vec![0; capacity].into_boxed_slice(), start: 0, end: 0 }
    }

    /// The bytes that wait to be used.
    pub fn unread(&self) -> &[u8] {
        &self.data[self.start..self.end]
    }

    /// Marks the first `count` unread bytes as used.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Reads once from a non-blocking `source`.
    ///
    /// A short read counts as drained: with an edge-triggered poller the next bytes raise a new event (epoll(7),
    /// question 9), so the read that would only answer "would block" is saved. The end of the stream is the exception:
    /// it may share its event with the last bytes, so after an event that says "closed" one must read on to
    /// [`Filled::Closed`].
    ///
    /// # Errors
    /// The source's error, or `InvalidData` when the buffer is full of bytes that nobody could use.
    pub fn fill(&mut self, source: &mut impl Read) -> io::Result<Filled> {
        self.make_room()?;
        loop {
            return match source.read(&mut self.data[self.end..]) {
                Ok(0) => Ok(Filled::Closed),
                Ok(count) => {
                    self.end += count;
                    let full = self.end == self.data.len();
                    Ok(if full { Filled::More } else { Filled::Drained })
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Filled::Drained),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }

    fn make_room(&mut self) -> io::Result<()> {
        if self.end < self.data.len() {
            return Ok(());
        }
        if self.start == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a message head is longer than {} bytes", self.data.len()),
            ));
        }
        self.data.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_buffer_asks_for_another_read_and_keeps_what_is_unread() {
        let mut source: &[u8] = b"abcdefgh";
        let mut buffer = ReadBuffer::new(4);
        assert_eq!(buffer.fill(&mut source).unwrap(), Filled::More);
        buffer.consume(3);
        assert_eq!(buffer.fill(&mut source).unwrap(), Filled::More);
        assert_eq!(buffer.unread(), b"defg");
        buffer.consume(4);
        assert_eq!(buffer.fill(&mut source).unwrap(), Filled::Drained);
        assert_eq!(buffer.unread(), b"h");
        assert_eq!(buffer.fill(&mut source).unwrap(), Filled::Closed);
    }

    #[test]
    fn a_head_that_does_not_fit_is_an_error() {
        let mut source: &[u8] = b"abcdefgh";
        let mut buffer = ReadBuffer::new(4);
        buffer.fill(&mut source).unwrap();
        let error = buffer.fill(&mut source).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
