//! The wall clock, for stamps.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, as stamps carry them.
pub fn epoch_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds of a clock that only runs forward and goes on while this process is stopped or the machine is suspended
/// (`CLOCK_BOOTTIME`). For ages, never for dates.
pub fn boot_ms() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds * 1000 + nanos / 1_000_000
}
