//! What goes wrong, by command.

use std::time::Duration;

/// Whether writes are refused for want of space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StopWrites {
    /// They are taken.
    #[default]
    Off,
    /// Every write gets code 8, before anything about the record is looked at, and the statistic says so.
    On,
    /// The file is full and the statistic does not say so yet: a write that would have been stored gets code 8; one that
    /// fails anyway (generation, exists, filter) gets its own code.
    Full,
}

/// When a slow request does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowPhase {
    /// First the wait, then the work: a caller that gave up is still written for.
    BeforeWork,
    /// First the work, then the wait, then the answer.
    AfterWork,
}

/// Slow answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slow {
    /// How long a request waits.
    pub delay: Duration,
    /// Only requests that write (put, operate with a write, touch, delete, a batch with one of them).
    pub only_writes: bool,
    /// Before or after the work.
    pub phase: SlowPhase,
}

/// A limit of a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetLimit {
    /// `stop-writes-count`: a record that would be new gets code 22 when the set has so many.
    pub count: Option<u64>,
    /// `stop-writes-size`: every write gets code 22 when the set takes so many bytes.
    pub bytes: Option<u64>,
}

/// What is wrong at present. Info requests (a client's tending) go on unless the connection itself is affected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Writes refused for want of space.
    pub stop_writes: StopWrites,
    /// Writes get code 18; reads and removes go on.
    pub device_overload: bool,
    /// Every request gets this code and nothing is done.
    pub answer_all: Option<u8>,
    /// Every write, also a remove, gets this code and nothing is done.
    pub answer_writes: Option<u8>,
    /// Slow answers.
    pub slow: Option<Slow>,
    /// Connections are taken and requests read, and nothing is done or answered, also no info request.
    pub black_hole: bool,
    /// As a stopped process: nothing is read; what waits is done, and answered, when this ends.
    pub paused: bool,
    /// Requests are done, and then the connection is closed without an answer. Info requests are answered.
    pub lose_replies: bool,
    /// Answers are noise, also to info requests.
    pub garbage: bool,
}
