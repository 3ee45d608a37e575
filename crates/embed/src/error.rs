//! Why a text has no vector.

use std::time::Duration;

use crate::ModelError;

/// Who is to blame, and so what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The text, or what the model makes of it: another attempt is no use.
    Text,
    /// Chance, or a text that breaks the server: another attempt may succeed, but not any number of them.
    Attempt,
    /// The endpoint is away, overloaded, or does not let us in: nothing can be embedded at present, and no text is to pay for it.
    Endpoint,
}

/// Why a text has no vector. No message has a text or a key in it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EmbedError {
    /// The endpoint cannot be reached.
    #[error("the embedding endpoint cannot be reached: {0}")]
    Unreachable(String),
    /// The endpoint says that there are too many requests, and time was up before it took one.
    #[error("the embedding endpoint takes no more requests at present")]
    RateLimited,
    /// The endpoint refuses the key, the account or the model: somebody has to change a setting.
    #[error("the embedding endpoint refuses all requests (status {status}): {message}")]
    Denied {
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The endpoint failed on this text.
    #[error("the embedding endpoint failed (status {status})")]
    Failed {
        /// The HTTP status.
        status: u16,
    },
    /// The endpoint refuses this text.
    #[error("the embedding endpoint refuses the text (status {status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The endpoint did not answer in time.
    #[error("the embedding endpoint did not answer within {limit:?}")]
    Timeout {
        /// How long was waited for the answer.
        limit: Duration,
    },
    /// The answer is not what was asked for.
    #[error("the embedding endpoint's answer is wrong: {0}")]
    Answer(String),
    /// The text is empty, or too large to be sent.
    #[error("the text has {size} bytes; 1 to {max} are taken")]
    Size {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The time of the whole call was up.
    #[error("there was no time left")]
    Deadline,
    /// The model in this process failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl EmbedError {
    /// Who is to blame.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Refused { .. } | Self::Size { .. } | Self::Model(_) => Blame::Text,
            Self::Failed { .. } | Self::Timeout { .. } | Self::Answer(_) => Blame::Attempt,
            Self::Unreachable(_) | Self::RateLimited | Self::Denied { .. } | Self::Deadline => Blame::Endpoint,
        }
    }
}
