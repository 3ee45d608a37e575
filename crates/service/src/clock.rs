//! The clock for ages that must be right: it runs on while the process is stopped or the machine is suspended.
//!
//! `std::time::Instant` is `CLOCK_MONOTONIC` on Linux, which stands still while a machine is suspended: what was fresh
//! before would be fresh after, however long that took. It stays the clock for waits, whose ends nobody relies on.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The time since the machine was started, suspensions included (`CLOCK_BOOTTIME`). For ages, never for dates.
pub fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    // The time since boot is never negative, and a second has fewer nanoseconds than 2^32.
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_forward() {
        let before = since_boot();
        assert!(before > Duration::ZERO && since_boot() >= before);
    }
}
