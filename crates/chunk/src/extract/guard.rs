//! Runs a parser where it can do no harm: on a thread with a deep stack, with a deadline, and with its panics caught.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::ExtractError;

/// The parser's stack, in bytes. Only what is used costs memory.
const STACK: usize = 256 << 20;
/// How many parsers may run on after their time. They look at the clock, so it takes a parser that hangs to leave one behind.
const LEFT_BEHIND_MAX: usize = 4;

/// Parsers that nobody waits for any more.
static LEFT_BEHIND: AtomicUsize = AtomicUsize::new(0);

/// Runs `work` and waits for it for up to `limit`. `kind` names the format in errors.
pub(super) fn run<T, F>(kind: &'static str, limit: Duration, work: F) -> Result<T, ExtractError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, ExtractError> + Send + 'static,
{
    if LEFT_BEHIND.load(Ordering::Relaxed) >= LEFT_BEHIND_MAX {
        return Err(ExtractError::Busy);
    }
    let (sender, receiver) = sync_channel(0);
    let task = move || {
        let result = caught(kind, work);
        if sender.send(result).is_err() {
            LEFT_BEHIND.fetch_sub(1, Ordering::Relaxed);
        }
    };
    let named = std::thread::Builder::new().name(format!("extract-{kind}")).stack_size(STACK);
    named.spawn(task).map_err(|_| ExtractError::Busy)?;
    receiver.recv_timeout(limit).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => {
            LEFT_BEHIND.fetch_add(1, Ordering::Relaxed);
            Err(ExtractError::Timeout { limit })
        }
        RecvTimeoutError::Disconnected => Err(malformed(kind, "its parser ended")),
    })
}

/// Runs `work`; a panic is an error of the format.
pub(super) fn caught<T>(kind: &'static str, work: impl FnOnce() -> Result<T, ExtractError>) -> Result<T, ExtractError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(malformed(kind, "its parser gave up")))
}

/// A file that cannot be read.
pub(super) fn malformed(kind: &'static str, reason: impl Into<String>) -> ExtractError {
    ExtractError::Malformed { kind, reason: reason.into() }
}

/// When a parser that looks at it gives up.
pub(super) struct Clock {
    end: Instant,
    limit: Duration,
}

impl Clock {
    /// Runs out after `limit`.
    pub(super) fn new(limit: Duration) -> Self {
        Self { end: Instant::now() + limit, limit }
    }

    /// Fails when the time is up.
    pub(super) fn check(&self) -> Result<(), ExtractError> {
        if Instant::now() < self.end { Ok(()) } else { Err(ExtractError::Timeout { limit: self.limit }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let result: Result<(), _> = run("PDF", Duration::from_secs(10), || panic!("on purpose"));
        assert!(matches!(result, Err(ExtractError::Malformed { kind: "PDF", .. })));
    }

    #[test]
    fn nobody_waits_longer_than_the_limit() {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let limit = Duration::from_millis(20);
        let result = run("PDF", limit, move || {
            let _ = held.recv();
            Ok(())
        });
        assert_eq!(result, Err(ExtractError::Timeout { limit }));
        drop(release);
    }
}
