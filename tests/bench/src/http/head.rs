//! Heads: the request or status line, and what the fields say about the body (RFC 9112, section 6).

use anyhow::{Context, Result, bail};
use httparse::{EMPTY_HEADER, Header, Status};

/// The most header fields that a head may have.
const MAX_FIELDS: usize = 64;

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By this many bytes.
    Length(u64),
    /// By the last chunk.
    Chunked,
    /// By the end of the connection (answers only).
    UntilClose,
}

/// A parsed request head.
#[derive(Debug)]
pub struct RequestHead<'a> {
    /// The head's own length in bytes, with its empty line.
    pub length: usize,
    /// The method as sent.
    pub method: &'a str,
    /// The request target as sent, with its query string.
    pub target: &'a str,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the client means to send another request on this connection.
    pub keep_alive: bool,
    /// Whether the client waits for a 100 before it sends the body.
    pub expects_continue: bool,
}

/// A parsed answer head.
#[derive(Debug)]
pub struct ResponseHead {
    /// The head's own length in bytes, with its empty line.
    pub length: usize,
    /// The status code.
    pub status: u16,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the server takes another request on this connection.
    pub keep_alive: bool,
}

/// Parses a request head, or answers `None` while it is incomplete.
///
/// # Errors
/// When the bytes are no HTTP/1 head, or frame their body in a way that two readers could take differently.
pub fn parse_request(bytes: &[u8]) -> Result<Option<RequestHead<'_>>> {
    let mut fields = [EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let Status::Complete(length) = request.parse(bytes).context("request head")? else {
        return Ok(None);
    };
    let facts = Facts::read(request.headers, request.version)?;
    Ok(Some(RequestHead {
        length,
        method: request.method.unwrap_or_default(),
        target: request.path.unwrap_or_default(),
        framing: facts.framing.unwrap_or(Framing::Length(0)),
        keep_alive: facts.keep_alive,
        expects_continue: facts.expects_continue,
    }))
}

/// Parses an answer head, or answers `None` while it is incomplete.
///
/// # Errors
/// As for [`parse_request`].
pub fn parse_response(bytes: &[u8]) -> Result<Option<ResponseHead>> {
    let mut fields = [EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let Status::Complete(length) = response.parse(bytes).context("answer head")? else {
        return Ok(None);
    };
    let facts = Facts::read(response.headers, response.version)?;
    let status = response.code.unwrap_or_default();
    let framing = match status {
        100..=199 | 204 | 304 => Framing::Length(0),
        _ => facts.framing.unwrap_or(Framing::UntilClose),
    };
    Ok(Some(ResponseHead { length, status, framing, keep_alive: facts.keep_alive && framing != Framing::UntilClose }))
}

/// What the header fields say about the message.
struct Facts {
    framing: Option<Framing>,
    keep_alive: bool,
    expects_continue: bool,
}

impl Facts {
    fn read(fields: &[Header<'_>], version: Option<u8>) -> Result<Self> {
        let mut facts = Self { framing: None, keep_alive: version == Some(1), expects_continue: false };
        for field in fields {
            facts.note(field)?;
        }
        Ok(facts)
    }

    fn note(&mut self, field: &Header<'_>) -> Result<()> {
        if field.name.eq_ignore_ascii_case("content-length") {
            self.frame(Framing::Length(content_length(field.value)?))?;
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            if !field.value.eq_ignore_ascii_case(b"chunked") {
                bail!("transfer-encoding: only chunked is understood");
            }
            self.frame(Framing::Chunked)?;
        } else if field.name.eq_ignore_ascii_case("connection") {
            self.keep_alive &= !field.value.eq_ignore_ascii_case(b"close");
        } else if field.name.eq_ignore_ascii_case("expect") {
            self.expects_continue = field.value.eq_ignore_ascii_case(b"100-continue");
        }
        Ok(())
    }

    fn frame(&mut self, framing: Framing) -> Result<()> {
        if self.framing.is_some_and(|known| known != framing) {
            bail!("content-length and transfer-encoding contradict each other");
        }
        self.framing = Some(framing);
        Ok(())
    }
}

fn content_length(value: &[u8]) -> Result<u64> {
    let text = std::str::from_utf8(value).context("content-length")?;
    // `parse` alone would take "+5".
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        bail!("content-length: not a number");
    }
    text.parse().context("content-length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_head_is_read_in_any_case_of_its_names() {
        let bytes = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nCONTENT-length: 12\r\nExpect: 100-Continue\r\n\r\nrest";
        let head = parse_request(bytes).unwrap().unwrap();
        assert_eq!((head.method, head.target), ("POST", "/a?b=c"));
        assert_eq!(head.framing, Framing::Length(12));
        assert_eq!(&bytes[head.length..], b"rest");
        assert!(head.keep_alive && head.expects_continue);
    }

    #[test]
    fn every_proper_prefix_of_a_head_is_incomplete() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        for end in 0..bytes.len() {
            assert!(parse_response(&bytes[..end]).unwrap().is_none(), "at {end}");
        }
        let head = parse_response(bytes).unwrap().unwrap();
        assert_eq!((head.status, head.framing), (200, Framing::Chunked));
        assert!(!head.keep_alive);
    }

    #[test]
    fn an_answer_without_framing_ends_with_its_connection_and_a_request_has_no_body() {
        let answer = parse_response(b"HTTP/1.1 200 OK\r\n\r\n").unwrap().unwrap();
        assert_eq!(answer.framing, Framing::UntilClose);
        assert!(!answer.keep_alive);
        let request = parse_request(b"GET / HTTP/1.1\r\n\r\n").unwrap().unwrap();
        assert_eq!(request.framing, Framing::Length(0));
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        for fields in [
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -1\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
        ] {
            let head = format!("POST / HTTP/1.1\r\n{fields}\r\n");
            assert!(parse_request(head.as_bytes()).is_err(), "{fields}");
        }
    }

    #[test]
    fn interim_answers_have_no_body() {
        let head = parse_response(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.status, head.framing), (100, Framing::Length(0)));
    }
}
