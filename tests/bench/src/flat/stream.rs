//! A client that sends one write without ever holding it.

use std::io::{self, BufWriter, Read as _, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::bodies::{WRITE_END, WRITE_START, row};
use crate::case::{COUNTED, head};
use crate::http::parse_response;

use super::Framing;

/// How long the server may neither read nor answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes sent at once, and in one chunk.
const PIECE_BYTES: usize = 64 * 1_024;

/// No answer's head is longer.
const MAX_ANSWER_BYTES: usize = 64 * 1_024;

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Rows in the write.
    pub rows: u64,
    /// Bytes of the body, without its framing.
    pub body_bytes: u64,
}

/// Sends one write of about `bytes` bytes and reads the answer's head.
///
/// # Errors
/// When the connection breaks or the answer is not 200.
pub fn send_write(address: SocketAddr, bytes: u64, framing: Framing) -> Result<Sent> {
    let row_bytes = row(0).len() as u64 + 1;
    let edges = (WRITE_START.len() + WRITE_END.len()) as u64 - 1;
    let rows = bytes.saturating_sub(edges) / row_bytes;
    let sent = Sent { rows: rows.max(1), body_bytes: edges + rows.max(1) * row_bytes };
    let mut stream = TcpStream::connect(address).context("connecting")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let written = write_request(&mut stream, address, sent, framing);
    // A refusal may come before the body was read; it says more than the broken connection does.
    let status = read_status(&mut stream);
    if let (Err(error), Err(_)) = (&written, &status) {
        bail!("the write broke off: {error}");
    }
    let status = status?;
    ensure!(status == 200, "the write was answered with {status}, not with 200");
    written?;
    Ok(sent)
}

fn write_request(stream: &mut TcpStream, address: SocketAddr, sent: Sent, framing: Framing) -> io::Result<()> {
    let target = format!("/v2/namespaces/bench{COUNTED}-flat");
    let framing_field = match framing {
        Framing::Length => format!("Content-Length: {}", sent.body_bytes),
        Framing::Chunked => "Transfer-Encoding: chunked".to_owned(),
    };
    let head = head("POST", &target, &address.to_string());
    write!(stream, "{head}Connection: close\r\n{framing_field}\r\n\r\n")?;
    match framing {
        Framing::Length => write_body(BufWriter::with_capacity(PIECE_BYTES, &mut *stream), sent.rows),
        Framing::Chunked => {
            write_body(BufWriter::with_capacity(PIECE_BYTES, Chunks(&mut *stream)), sent.rows)?;
            stream.write_all(b"0\r\n\r\n")
        }
    }
}

fn write_body(mut out: impl Write, rows: u64) -> io::Result<()> {
    out.write_all(WRITE_START.as_bytes())?;
    for index in 0..rows {
        if index > 0 {
            out.write_all(b",")?;
        }
        // The index only makes rows differ; after four thousand million it may start anew.
        out.write_all(row((index & u64::from(u32::MAX)) as u32).as_bytes())?;
    }
    out.write_all(WRITE_END.as_bytes())?;
    out.flush()
}

/// Frames every write as one chunk; meant to stand under a `BufWriter`.
struct Chunks<W>(W);

impl<W: Write> Write for Chunks<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if !data.is_empty() {
            write!(self.0, "{:x}\r\n", data.len())?;
            self.0.write_all(data)?;
            self.0.write_all(b"\r\n")?;
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn read_status(stream: &mut TcpStream) -> Result<u16> {
    let mut answer = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let count = stream.read(&mut piece).context("reading the answer")?;
        answer.extend_from_slice(&piece[..count]);
        if let Some(head) = parse_response(&answer)? {
            return Ok(head.status);
        }
        ensure!(count > 0 && answer.len() < MAX_ANSWER_BYTES, "the connection closed before an answer");
    }
}
