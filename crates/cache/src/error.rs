//! How the cache can be away, and what callers are told of it.

/// Why the cache gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Away {
    /// No cache is configured.
    #[error("no document cache is configured")]
    Disabled,
    /// No replica is known to answer: scaled to zero, starting, or gone.
    #[error("no replica of the document cache is there")]
    NoReplica,
    /// The breaker is open; a probe in the background will close it.
    #[error("the document cache failed repeatedly and is left alone for a while")]
    BreakerOpen,
    /// It did not answer in time.
    #[error("the document cache did not answer in time")]
    Deadline,
    /// This process asks it for as much as it may already; it is not to blame.
    #[error("too many keys are being looked up at once")]
    Busy,
    /// It answered with an error, broke the connection, or answered what makes no sense.
    #[error("the document cache failed")]
    Failed,
}

/// Why a value was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// The cache was not there.
    #[error("{0}")]
    Away(Away),
    /// The look-up gave no leave to fill: it settles after a start, refuses writes, or the key is being written.
    #[error("the document cache gives no leave to fill at present")]
    NoLease,
    /// It refuses writes at present: it is full, or too busy.
    #[error("the document cache refuses writes")]
    StopWrites,
    /// A write came between, or an operator's purge.
    #[error("the lease ended")]
    LeaseEnded,
    /// The value is larger than the cache takes.
    #[error("the value is too large for the document cache")]
    TooLarge,
    /// The namespace has its share.
    #[error("the namespace's share of the document cache is full")]
    OverQuota,
}

/// Why a write must not be sent: `cache.coherence` is `strict` and its hold could not be placed. Answer it with
/// UNAVAILABLE (503); nothing was sent to the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the write was not sent: cache.coherence is `strict`, and {reason}")]
pub struct Refused {
    /// Why the hold could not be placed.
    pub reason: Away,
}

/// Why a write must not be acknowledged though the origin has applied it: `cache.coherence` is `strict`, and the cache
/// could not be told what changed under a namespace's hold. Other processes may read older values until it is told, which
/// is tried in the background. (Keys that are held one by one are safe: they have no value while their hold stands.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the write was applied and not acknowledged: cache.coherence is `strict`, and the document cache could not be told \
     what changed; send it again"
)]
pub struct Untold;
