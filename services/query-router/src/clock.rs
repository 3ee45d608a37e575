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
    // Half a milliard years fit.
    u64::try_from(layer_service::clock::since_boot().as_millis()).unwrap_or(u64::MAX)
}
