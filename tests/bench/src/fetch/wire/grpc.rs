//! gRPC over HTTP/2 (RFC 9113, RFC 7541), as much as a client with one call at a time needs.
//!
//! It does what a good client does: its fields are in the server's table after the first call, its windows are wide, it
//! acknowledges settings and pings. It does not decode fields: a call is right if the messages are the expected ones,
//! and a call that failed has none.

use anyhow::{Result, bail, ensure};

use super::{Answered, Matching};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD: usize = 9;
/// How much may come before this client says that it took it; far more than one answer.
const WINDOW: u32 = 1 << 30;
/// The window that every connection begins with.
const FIRST_WINDOW: u32 = 65_535;
/// What was taken is told when it is this much.
const CREDIT: u32 = 1 << 24;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// A method and how calls of it begin: once with fields that the server is to remember, then by their numbers.
#[derive(Debug, Clone)]
pub struct Method {
    first: Vec<u8>,
    later: Vec<u8>,
}

impl Method {
    pub(super) fn new(path: &str, authority: &str) -> Self {
        // POST and http are in the static table; the others go to the dynamic one, the last as number 62.
        let mut first = vec![0x83, 0x86];
        let authorization = format!("Bearer {}", crate::case::API_KEY);
        let named = [(0x44, path), (0x41, authority), (0x5f, "application/grpc"), (0x57, &*authorization)];
        for (name, value) in named {
            first.push(name);
            literal(&mut first, value);
        }
        first.push(0x40);
        literal(&mut first, "te");
        literal(&mut first, "trailers");
        Self { first, later: vec![0x83, 0x86, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe] }
    }
}

fn literal(out: &mut Vec<u8>, text: &str) {
    // Lengths from 127 on take another form, and no field here has them.
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX).min(126));
    out.extend_from_slice(text.as_bytes());
}

/// A gRPC message with its prefix: not compressed, and its length.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], length.to_be_bytes().as_slice(), message].concat()
}

/// One connection.
#[derive(Debug)]
pub struct Speaker {
    method: Method,
    stream: u32,
    /// Bytes left of the data frame that is being read, and whether the stream ends with it.
    data: Option<(usize, bool)>,
    matching: Matching,
    credit: u32,
}

impl Speaker {
    pub(super) fn new(method: Method, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(PREFACE);
        // No push; the window of each stream.
        let settings = [&[0, 2, 0, 0, 0, 0, 0, 4][..], &WINDOW.to_be_bytes()].concat();
        push(out, SETTINGS, 0, 0, &settings);
        push(out, WINDOW_UPDATE, 0, 0, &(WINDOW - FIRST_WINDOW).to_be_bytes());
        Self { method, stream: 0, data: None, matching: Matching::default(), credit: 0 }
    }

    pub(super) fn ask(&mut self, message: &[u8], out: &mut Vec<u8>) {
        let fields = if self.stream == 0 { &self.method.first } else { &self.method.later };
        self.stream = if self.stream == 0 { 1 } else { self.stream + 2 };
        push(out, HEADERS, END_HEADERS, self.stream, fields);
        push(out, DATA, END_STREAM, self.stream, message);
    }

    pub(super) fn take(
        &mut self,
        input: &[u8],
        expected: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<Answered>)> {
        let mut used = 0;
        while let Some((step, ends)) = self.step(&input[used..], expected, out)? {
            used += step;
            if ends {
                let matching = std::mem::take(&mut self.matching);
                ensure!(matching.is_whole(expected), matching.wrong(expected));
                return Ok((used, Some(Answered { hit: false })));
            }
        }
        Ok((used, None))
    }

    /// Uses the next bytes: how many, and whether the answer ended; none where more must come first.
    fn step(&mut self, input: &[u8], expected: &[u8], out: &mut Vec<u8>) -> Result<Option<(usize, bool)>> {
        if let Some((left, ends)) = self.data {
            let take = left.min(input.len());
            if take == 0 && left > 0 {
                return Ok(None);
            }
            self.matching.see(&input[..take], expected);
            self.data = (take < left).then_some((left - take, ends));
            return Ok(Some((take, ends && take == left)));
        }
        let Some(head) = Head::of(input) else {
            return Ok(None);
        };
        if head.kind == DATA {
            ensure!(head.flags & PADDED == 0, "a padded frame");
            self.data = Some((head.length, head.flags & END_STREAM != 0));
            self.took(head.length, out);
            return Ok(Some((FRAME_HEAD, false)));
        }
        let Some(payload) = input.get(FRAME_HEAD..FRAME_HEAD + head.length) else {
            return Ok(None);
        };
        Ok(Some((FRAME_HEAD + head.length, self.other(head, payload, out)?)))
    }

    /// A frame that is no data; whether the answer ends with it.
    fn other(&self, head: Head, payload: &[u8], out: &mut Vec<u8>) -> Result<bool> {
        match head.kind {
            HEADERS => {
                ensure!(head.flags & END_HEADERS != 0, "fields that go on in another frame");
                return Ok(head.stream == self.stream && head.flags & END_STREAM != 0);
            }
            SETTINGS if head.flags & ACK == 0 => push(out, SETTINGS, ACK, 0, &[]),
            PING if head.flags & ACK == 0 => push(out, PING, ACK, 0, payload),
            RESET | GO_AWAY => bail!("the server gave the call up (frame {})", head.kind),
            _ => {}
        }
        Ok(false)
    }

    fn took(&mut self, bytes: usize, out: &mut Vec<u8>) {
        self.credit += u32::try_from(bytes).unwrap_or(0);
        if self.credit >= CREDIT {
            push(out, WINDOW_UPDATE, 0, 0, &self.credit.to_be_bytes());
            self.credit = 0;
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Head {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Head {
    fn of(input: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, s, t, u, v] = input.first_chunk::<FRAME_HEAD>()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        Some(Self { length, kind, flags, stream: u32::from_be_bytes([s & 0x7f, t, u, v]) })
    }
}

fn push(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(stream: u32, message: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        push(&mut wire, SETTINGS, 0, 0, &[]);
        push(&mut wire, HEADERS, END_HEADERS, stream, &[0x88]);
        let (first, second) = message.split_at(message.len() / 2);
        push(&mut wire, DATA, 0, stream, first);
        push(&mut wire, DATA, 0, stream, second);
        push(&mut wire, HEADERS, END_HEADERS | END_STREAM, stream, &[0xbe]);
        wire
    }

    #[test]
    fn an_answer_is_read_however_it_is_cut() {
        let expected = frame(b"hello");
        for size in 1..60 {
            let mut out = Vec::new();
            let mut speaker = Speaker::new(Method::new("/a/b", "c"), &mut out);
            speaker.ask(b"x", &mut out);
            let (mut waiting, mut answered) = (Vec::new(), 0);
            for piece in answer(1, &expected).chunks(size) {
                waiting.extend_from_slice(piece);
                let (used, done) = speaker.take(&waiting, &expected, &mut out).unwrap();
                waiting.drain(..used);
                answered += usize::from(done.is_some());
            }
            assert_eq!((answered, waiting.len()), (1, 0), "in pieces of {size}");
        }
    }

    #[test]
    fn a_failed_call_and_another_answer_are_errors() {
        let take = |wire: &[u8]| {
            let mut out = Vec::new();
            let mut speaker = Speaker::new(Method::new("/a/b", "c"), &mut out);
            speaker.ask(b"x", &mut out);
            speaker.take(wire, &frame(b"hello"), &mut out)
        };
        assert!(take(&answer(1, &frame(b"hello"))).is_ok());
        assert!(take(&answer(1, &frame(b"jello"))).is_err());
        let mut failed = Vec::new();
        push(&mut failed, HEADERS, END_HEADERS | END_STREAM, 1, &[0x88]);
        assert!(take(&failed).is_err());
    }
}
