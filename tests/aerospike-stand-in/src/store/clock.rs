//! The server's own clock. Tests move it, so that none waits for a record to expire.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The server counts from 2010-01-01, in seconds after 1970.
pub(crate) const EPOCH_SECS: u64 = 1_262_304_000;

/// Time since 2010.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead_ms: AtomicI64,
}

impl Clock {
    /// Milliseconds since 2010.
    pub(crate) fn now_ms(&self) -> u64 {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let real = since_1970.saturating_sub(Duration::from_secs(EPOCH_SECS)).as_millis() as u64;
        real.saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Seconds since 2010.
    pub(crate) fn now_secs(&self) -> u32 {
        (self.now_ms() / 1000) as u32
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(by.as_millis() as i64, Ordering::Relaxed);
    }
}

/// Nanoseconds since 1970 of milliseconds since 2010.
pub(crate) fn unix_nanos(ms: u64) -> i64 {
    ((ms + EPOCH_SECS * 1000) * 1_000_000) as i64
}

/// Milliseconds since 2010 of nanoseconds since 1970.
pub(crate) fn ms_of_unix_nanos(nanos: u64) -> u64 {
    (nanos / 1_000_000).saturating_sub(EPOCH_SECS * 1000)
}
