//! Time that runs on while the process or the machine is suspended, behind a trait so that tests move it.
//!
//! Holds, times to live and the canary's proof all ask it. A clock that stands still while a process is stopped would
//! let it serve what others cleared meanwhile.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A clock that never runs backwards.
pub trait Clock: Send + Sync + 'static {
    /// The time since some fixed moment.
    fn now(&self) -> Duration;
}

/// `CLOCK_BOOTTIME`.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootClock;

impl Clock for BootClock {
    fn now(&self) -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        // The time since boot is never negative, and a second has fewer nanoseconds than 2^32.
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_forward() {
        let before = BootClock.now();
        assert!(before > Duration::ZERO && BootClock.now() >= before);
    }
}
