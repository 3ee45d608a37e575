//! One connection to the fake origin.

use std::io::{self, Write};

use anyhow::Result;
use mio::net::TcpStream;

use crate::http::{Body, Filled, ReadBuffer, parse_request};

use super::site::{Answer, Route, Site, is_counted};
use super::tally::Watch;

/// Bytes read at once; larger ones make long bodies cheaper, and 64 KiB is near the end of that.
const READ_BYTES: usize = 64 * 1024;

/// The longest body that an answer may depend on: a query for ten thousand documents has a tenth of it.
const MAX_KEPT_BYTES: usize = 1024 * 1024;

/// Whether a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    Close,
}

/// A request whose head was read.
#[derive(Debug)]
struct Exchange {
    route: Route,
    body: Body,
    watch: Option<Box<Watch>>,
    /// The body, where the answer depends on it.
    kept: Vec<u8>,
}

/// A connection: what was read, the request under way, the answer under way.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    input: ReadBuffer,
    exchange: Option<Exchange>,
    output: Option<(Answer, usize)>,
    last: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, input: ReadBuffer::new(READ_BYTES), exchange: None, output: None, last: false }
    }

    /// Goes as far as the socket allows. Must be called on every event, because events are edge-triggered.
    /// `ends` says that the event told of the peer's close.
    pub(super) fn advance(&mut self, site: &mut Site, ends: bool) -> io::Result<Fate> {
        let mut drained = false;
        loop {
            if !self.flush()? {
                return Ok(Fate::Keep);
            }
            if self.last && self.exchange.is_none() {
                return Ok(Fate::Close);
            }
            if self.serve(site) {
                continue;
            }
            if drained {
                return Ok(Fate::Keep);
            }
            match self.input.fill(&mut self.stream)? {
                Filled::Closed => return Ok(Fate::Close),
                Filled::Drained => drained = !ends,
                Filled::More => {}
            }
        }
    }

    /// Uses what was read; true when there is something to send.
    fn serve(&mut self, site: &mut Site) -> bool {
        match self.read_request(site) {
            Ok(answer) => self.output = answer.map(|answer| (answer, 0)),
            Err(_) => {
                self.output = Some((site.malformed(), 0));
                self.exchange = None;
                self.last = true;
            }
        }
        self.output.is_some()
    }

    fn read_request(&mut self, site: &mut Site) -> Result<Option<Answer>> {
        if self.exchange.is_none() {
            let Some(head) = parse_request(self.input.unread())? else {
                return Ok(None);
            };
            self.exchange = Some(Exchange {
                route: Route::of(head.method, head.target),
                body: Body::new(head.framing),
                watch: is_counted(head.target).then(|| Box::new(Watch::new())),
                kept: Vec::new(),
            });
            self.last = !head.keep_alive;
            let (length, expects_continue) = (head.length, head.expects_continue);
            self.input.consume(length);
            if expects_continue {
                return Ok(Some(Answer::from(&b"HTTP/1.1 100 Continue\r\n\r\n"[..])));
            }
        }
        self.read_body(site)
    }

    fn read_body(&mut self, site: &mut Site) -> Result<Option<Answer>> {
        let Some(exchange) = &mut self.exchange else {
            return Ok(None);
        };
        let (watch, kept) = (&mut exchange.watch, &mut exchange.kept);
        let keeps = exchange.route.is_read();
        let used = exchange.body.decode(self.input.unread(), &mut |data| {
            if let Some(watch) = watch {
                watch.see(data);
            }
            if keeps && kept.len() < MAX_KEPT_BYTES {
                kept.extend_from_slice(data);
            }
        })?;
        self.input.consume(used);
        if !exchange.body.is_done() {
            return Ok(None);
        }
        if let Some(watch) = &exchange.watch {
            watch.settle(&mut site.tally);
        }
        let answer = if keeps { site.queried(exchange.route, &exchange.kept) } else { site.answer(exchange.route) };
        self.exchange = None;
        Ok(Some(answer))
    }

    /// Sends what is due; false when the socket takes no more for now.
    fn flush(&mut self) -> io::Result<bool> {
        while let Some((answer, sent)) = &mut self.output {
            match self.stream.write(&answer[*sent..]) {
                Ok(count) => *sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if *sent == answer.len() {
                self.output = None;
            }
        }
        Ok(true)
    }
}
