//! One connection of the load generator.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::http::{Body, Filled, ReadBuffer, parse_response};

use super::Plan;

const READ_BYTES: usize = 64 * 1024;

/// How long a new connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How far a connection got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The answer is not complete.
    Waiting,
    /// The answer was read, and was right.
    Answered {
        /// Whether the server closes the connection after it.
        closes: bool,
    },
    /// The answer was read, and was wrong in this way.
    Wrong(String),
}

/// The answer under way.
#[derive(Debug)]
struct Answer {
    status: u16,
    keep_alive: bool,
    body: Body,
    /// Bytes that matched so far.
    matched: usize,
    differs: bool,
}

/// A keepalive connection with at most one request under way.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    input: ReadBuffer,
    /// Bytes of the request sent; `None` when none is under way.
    sent: Option<usize>,
    answer: Option<Answer>,
    pub(super) started: Instant,
}

impl Connection {
    /// Connects, waiting for it, and registers under `token`.
    pub(super) fn open(address: SocketAddr, registry: &Registry, token: Token) -> Result<Self> {
        let stream = std::net::TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, input: ReadBuffer::new(READ_BYTES), sent: None, answer: None, started: Instant::now() })
    }

    /// Whether a request is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.sent.is_some()
    }

    /// Starts the next request.
    pub(super) fn start(&mut self, plan: &Plan, now: Instant) -> Result<()> {
        self.started = now;
        self.sent = Some(0);
        self.send(plan)
    }

    /// Goes as far as the socket allows. Must be called on every event, because events are edge-triggered.
    /// `ends` says that the event told of the peer's close.
    pub(super) fn advance(&mut self, plan: &Plan, ends: bool) -> Result<Progress> {
        self.send(plan)?;
        loop {
            let filled = self.input.fill(&mut self.stream).context("reading an answer")?;
            if let Some(progress) = self.receive(plan)? {
                return Ok(progress);
            }
            match filled {
                Filled::Drained if !ends => return Ok(Progress::Waiting),
                Filled::More | Filled::Drained => {}
                Filled::Closed => return self.closed(plan),
            }
        }
    }

    fn send(&mut self, plan: &Plan) -> Result<()> {
        let Some(sent) = &mut self.sent else {
            return Ok(());
        };
        while *sent < plan.request.len() {
            match self.stream.write(&plan.request[*sent..]) {
                Ok(count) => *sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("sending a request"),
            }
        }
        Ok(())
    }

    fn receive(&mut self, plan: &Plan) -> Result<Option<Progress>> {
        if !self.is_busy() {
            return if self.input.unread().is_empty() { Ok(None) } else { bail!("bytes came that nobody asked for") };
        }
        if self.answer.is_none() && !self.receive_head()? {
            return Ok(None);
        }
        let Some(answer) = &mut self.answer else {
            return Ok(None);
        };
        let used = answer.take(self.input.unread(), &plan.answer)?;
        self.input.consume(used);
        Ok(self.finish(plan))
    }

    /// Reads the head, skipping interim ones; false while it is incomplete.
    fn receive_head(&mut self) -> Result<bool> {
        while let Some(head) = parse_response(self.input.unread())? {
            self.input.consume(head.length);
            if head.status >= 200 {
                self.answer = Some(Answer {
                    status: head.status,
                    keep_alive: head.keep_alive,
                    body: Body::new(head.framing),
                    matched: 0,
                    differs: false,
                });
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn finish(&mut self, plan: &Plan) -> Option<Progress> {
        let answer = self.answer.take_if(|answer| answer.body.is_done())?;
        self.sent = None;
        Some(answer.judge(&plan.answer))
    }

    fn closed(&mut self, plan: &Plan) -> Result<Progress> {
        let Some(answer) = &mut self.answer else {
            bail!("the connection closed before an answer");
        };
        answer.body.closed()?;
        Ok(self.finish(plan).unwrap_or(Progress::Waiting))
    }
}

impl Answer {
    fn take(&mut self, input: &[u8], expected: &[u8]) -> Result<usize> {
        let Self { body, matched, differs, .. } = self;
        body.decode(input, &mut |data| {
            if expected[(*matched).min(expected.len())..].starts_with(data) {
                *matched += data.len();
            } else {
                *differs = true;
            }
        })
    }

    fn judge(&self, expected: &[u8]) -> Progress {
        if self.status != 200 {
            return Progress::Wrong(format!("status {}", self.status));
        }
        if self.differs || self.matched != expected.len() {
            let (is, all) = (self.matched, expected.len());
            return Progress::Wrong(format!("only the first {is} of {all} bytes of the body are right"));
        }
        Progress::Answered { closes: !self.keep_alive }
    }
}
