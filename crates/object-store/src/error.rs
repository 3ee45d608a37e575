//! What can go wrong at an object store, in one closed list: the same for both backends.
//!
//! No message holds a key: keys carry namespaces' names, and messages go to logs.

use std::time::Duration;

/// Why a call failed. Where the outcome of a change is unknown, the variant says so.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No object has this key.
    #[error("the object store has no such object")]
    NotFound,
    /// The condition of a put did not hold, or another write of the same key was in progress: nothing was written.
    #[error("the object store holds another version of this object")]
    Precondition,
    /// The range begins at or behind the object's end.
    #[error("the range begins behind the object's end ({size} bytes)")]
    Range {
        /// The object's size in bytes, 0 where the store does not tell.
        size: u64,
    },
    /// The key cannot be one.
    #[error("object key: {0}")]
    Key(&'static str),
    /// The object is larger than the store takes.
    #[error("the object is larger than {max} bytes")]
    TooLarge {
        /// The limit in bytes.
        max: u64,
    },
    /// Too many uploads are in flight in this process.
    #[error("{max} uploads are in flight (object_store.uploads_max)")]
    Saturated {
        /// The limit.
        max: usize,
    },
    /// The store refused the credentials, or there are none.
    #[error("the object store refused the credentials: {0}")]
    Denied(String),
    /// The store refused the call for another reason: a missing bucket, a setting that does not fit.
    #[error("the object store refused the call: {0}")]
    Refused(String),
    /// The store cannot be reached, is overloaded, or broke off. A change may have been made.
    #[error("the object store is away: {0}")]
    Unavailable(String),
    /// The store did not answer in time. A change may have been made.
    #[error("the object store did not answer within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// An object's body ended early.
    #[error("the object's body ended {missing} bytes early")]
    Truncated {
        /// Bytes that are missing.
        missing: u64,
    },
}

impl Error {
    /// Whether the same call may succeed later, with nobody having repaired anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Saturated { .. } | Self::Unavailable(_) | Self::Timeout { .. } | Self::Truncated { .. })
    }

    /// The word that metrics use.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Precondition => "precondition",
            Self::Range { .. } | Self::Key(_) | Self::TooLarge { .. } => "invalid",
            Self::Saturated { .. } => "saturated",
            Self::Denied(_) => "denied",
            Self::Refused(_) => "refused",
            Self::Unavailable(_) | Self::Truncated { .. } => "unavailable",
            Self::Timeout { .. } => "timeout",
        }
    }
}
