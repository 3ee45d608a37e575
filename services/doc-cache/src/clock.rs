//! Time that runs on while the process or the machine is suspended, behind a trait so that tests move it.
//!
//! Holds, times to live and the canary's proof all ask it. A clock that stands still while a process is stopped would
//! let it serve what others cleared meanwhile.

use std::time::Duration;

use layer_service::clock::since_boot;

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
        since_boot()
    }
}
