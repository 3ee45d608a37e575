//! Why the origin gave no answer.

use std::time::Duration;

/// No answer from the origin. Nothing in it is secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection: refused, no such name, TLS failure. Nothing was sent.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// Host and port.
        address: String,
        /// The system's words.
        reason: String,
    },
    /// No connection in time. Nothing was sent.
    #[error("connecting to {address} took longer than {limit:?}")]
    ConnectTimeout {
        /// Host and port.
        address: String,
        /// How long was waited.
        limit: Duration,
    },
    /// Every connection was in use for too long. Nothing was sent.
    #[error("all {limit} connections are in use")]
    Saturated {
        /// How many there are.
        limit: usize,
    },
    /// The request's last look forbade it, on HTTP/2. Nothing was sent. (On HTTP/1.1, where a part may have left, the
    /// connection is [`Error::Broken`].)
    #[error("it was not sent: {0}")]
    Withheld(#[source] std::io::Error),
    /// The connection broke after the request was begun: whether the origin acted on it is unknown.
    #[error("the connection broke before there was an answer: {0}")]
    Broken(#[source] hyper::Error),
}
