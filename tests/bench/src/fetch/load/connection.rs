//! One connection, with at most one request under way.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Interest, Poll, Token};

use crate::http::{Filled, ReadBuffer};

use super::super::wire::{Answered, Dialect, Speaker};
use super::Sheet;

const READ_BYTES: usize = 64 * 1024;

/// How long a new connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    input: ReadBuffer,
    speaker: Speaker,
    out: Vec<u8>,
    sent: usize,
    question: usize,
    busy: bool,
    pub(super) started: Instant,
}

impl Connection {
    /// Connects, waiting for it, and registers under `token`. It begins with `question`.
    pub(super) fn open(
        address: SocketAddr,
        poll: &Poll,
        token: Token,
        dialect: &Dialect,
        question: usize,
    ) -> Result<Self> {
        let stream = std::net::TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let mut out = Vec::new();
        let speaker = Speaker::new(dialect, &mut out);
        let input = ReadBuffer::new(READ_BYTES);
        Ok(Self { stream, input, speaker, out, sent: 0, question, busy: false, started: Instant::now() })
    }

    /// Asks the question that is `stride` after the last.
    pub(super) fn start(&mut self, sheet: &Sheet, stride: usize, now: Instant) -> Result<()> {
        self.question = (self.question + stride) % sheet.questions.len();
        self.started = now;
        self.busy = true;
        self.speaker.ask(&sheet.questions[self.question], &mut self.out);
        self.send()
    }

    /// Goes as far as the socket allows. Must be called on every event, because events are edge-triggered.
    /// `ends` says that the event told of the peer's close.
    pub(super) fn advance(&mut self, sheet: &Sheet, ends: bool) -> Result<Option<Answered>> {
        self.send()?;
        let expected = &sheet.questions[self.question].answer;
        loop {
            let filled = self.input.fill(&mut self.stream).context("reading an answer")?;
            let (used, answered) = self.speaker.take(self.input.unread(), expected, &mut self.out)?;
            self.input.consume(used);
            self.send()?;
            if let Some(answered) = answered {
                ensure!(std::mem::take(&mut self.busy), "an answer came that nobody asked for");
                return Ok(Some(answered));
            }
            match filled {
                Filled::Drained if !ends => return Ok(None),
                Filled::More | Filled::Drained => {}
                Filled::Closed => bail!("the server closed the connection"),
            }
        }
    }

    fn send(&mut self) -> Result<()> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("sending a request"),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }
}
