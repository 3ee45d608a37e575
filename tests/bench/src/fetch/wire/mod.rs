//! The three protocols that fetches are measured over, each as bytes to send and bytes to expect.
//!
//! One client for all of them: were each measured through a client library of its own, the libraries would be compared
//! and not the servers, for on two cores the client costs as much as what it calls.

mod grpc;
mod http;
mod redis;

use anyhow::Result;

pub use grpc::frame as grpc_message;
pub use redis::{get, mget, set};

/// How a connection speaks.
#[derive(Debug, Clone)]
pub enum Dialect {
    /// HTTP/1.1.
    Http,
    /// gRPC: calls of one method.
    Grpc(grpc::Method),
    /// Redis.
    Redis,
}

impl Dialect {
    /// Calls of the gRPC method `path` at `authority`.
    pub fn grpc(path: &str, authority: &str) -> Self {
        Self::Grpc(grpc::Method::new(path, authority))
    }
}

/// One request and what a right answer's body is.
#[derive(Debug, Clone)]
pub struct Question {
    /// What is sent: a whole HTTP request, a gRPC message with its prefix, a Redis command.
    pub request: Vec<u8>,
    /// What must come: an HTTP body, gRPC messages with their prefixes, a Redis reply.
    pub answer: Vec<u8>,
}

/// How much of an answer was right so far.
#[derive(Debug, Default)]
pub struct Matching {
    matched: usize,
    differs: bool,
}

impl Matching {
    fn see(&mut self, data: &[u8], expected: &[u8]) {
        if !self.differs && expected[self.matched.min(expected.len())..].starts_with(data) {
            self.matched += data.len();
        } else {
            self.differs = true;
        }
    }

    fn is_whole(&self, expected: &[u8]) -> bool {
        !self.differs && self.matched == expected.len()
    }

    /// In what way it is wrong.
    fn wrong(&self, expected: &[u8]) -> anyhow::Error {
        anyhow::anyhow!("only the first {} of {} bytes of an answer are right", self.matched, expected.len())
    }
}

/// A right answer, read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// It says that it came from the cache (`x-layer-cache: hit`); only HTTP is looked at.
    pub hit: bool,
}

/// One connection's state in its protocol.
#[derive(Debug)]
pub enum Speaker {
    /// HTTP/1.1.
    Http(http::Reader),
    /// gRPC.
    Grpc(Box<grpc::Speaker>),
    /// Redis.
    Redis(Matching),
}

impl Speaker {
    /// A speaker for a new connection; what the connection begins with goes to `out`.
    pub fn new(dialect: &Dialect, out: &mut Vec<u8>) -> Self {
        match dialect {
            Dialect::Http => Self::Http(http::Reader::default()),
            Dialect::Grpc(method) => Self::Grpc(Box::new(grpc::Speaker::new(method.clone(), out))),
            Dialect::Redis => Self::Redis(Matching::default()),
        }
    }

    /// Begins `question`, appending what is to be sent to `out`.
    pub fn ask(&mut self, question: &Question, out: &mut Vec<u8>) {
        match self {
            Self::Http(_) | Self::Redis(_) => out.extend_from_slice(&question.request),
            Self::Grpc(speaker) => speaker.ask(&question.request, out),
        }
    }

    /// Uses what came. Answers how many bytes of `input` were used, and whether the answer ended with them.
    ///
    /// # Errors
    /// When the answer is wrong or no answer.
    pub fn take(&mut self, input: &[u8], expected: &[u8], out: &mut Vec<u8>) -> Result<(usize, Option<Answered>)> {
        match self {
            Self::Http(reader) => reader.take(input, expected),
            Self::Grpc(speaker) => speaker.take(input, expected, out),
            Self::Redis(matching) => redis::take(matching, input, expected),
        }
    }
}
