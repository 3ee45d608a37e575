//! The load generator: closed loop, one thread, keepalive connections.
//!
//! Each connection sends its next request when the answer to the last one was read and compared, byte for byte, with
//! what the origin answers. A wrong answer is an error, and a run with errors has no figures.

mod connection;
mod generator;
mod outcome;

pub use generator::{Generator, Limit};
pub use outcome::{Errors, Outcome};

/// What is sent, and what must come back.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The request as bytes, with a `Host` that fits the target.
    pub request: Vec<u8>,
    /// The body of a right answer; its status is 200.
    pub answer: Vec<u8>,
}

impl Plan {
    /// The plan of a case, for the target at `host`.
    pub fn of(case: crate::case::Case, host: &str, counted: bool) -> Self {
        Self { request: case.request(host, counted), answer: case.answer().into_bytes() }
    }
}
