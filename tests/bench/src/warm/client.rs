//! One keepalive connection that waits for each answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use memchr::memmem;

use crate::case::head;
use crate::http::{Body, parse_response};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the router says of documents that all came from the cache.
const HIT: &[u8] = b"x-layer-cache: hit\r\n";

/// The connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    host: String,
    input: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) hit: bool,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, host: address.to_string(), input: Vec::new() })
    }

    /// Sends a request and reads its answer.
    pub(super) fn call(&mut self, method: &str, target: &str, body: &str) -> Result<Answer> {
        let head = head(method, target, &self.host);
        self.stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
        let head = loop {
            if let Some(head) = parse_response(&self.input)? {
                break head;
            }
            self.more()?;
        };
        let hit = memmem::find(&self.input[..head.length], HIT).is_some();
        self.input.drain(..head.length);
        let (mut framed, mut body) = (Body::new(head.framing), Vec::new());
        loop {
            let used = framed.decode(&self.input, &mut |data| body.extend_from_slice(data))?;
            self.input.drain(..used);
            if framed.is_done() {
                return Ok(Answer { status: head.status, body, hit });
            }
            self.more()?;
        }
    }

    /// The body of a good answer.
    pub(super) fn good(&mut self, method: &str, target: &str, body: &str) -> Result<Answer> {
        let answer = self.call(method, target, body)?;
        let text = || String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)]).into_owned();
        ensure!(matches!(answer.status, 200 | 202), "{method} {target}: status {}: {}", answer.status, text());
        Ok(answer)
    }

    fn more(&mut self) -> Result<()> {
        let length = self.input.len();
        self.input.resize(length + 256 * 1024, 0);
        let count = self.stream.read(&mut self.input[length..]).context("reading an answer")?;
        self.input.truncate(length + count);
        ensure!(count > 0, "the connection closed before the answer");
        Ok(())
    }
}
