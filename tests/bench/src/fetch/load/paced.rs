//! So many requests a second, whatever the answers: latency where the target is not driven to its limit.
//!
//! A closed loop says how much a target can do; the latency it sees is the connections divided by that. Users see the
//! latency at a rate that leaves room. A request that is due while every connection is busy counts from when it was due.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::load::Outcome;

use super::{ALARM, Load, STALLED, STRIDE, Stretch};

impl Load {
    /// Sends `per_second` requests a second, evenly, for `time`, then waits for the answers still due.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub fn paced(&mut self, time: Duration, per_second: u32) -> Result<Stretch> {
        let begun = Instant::now();
        let (every, end) = (Duration::from_secs(1) / per_second, begun + time);
        let mut stretch = Stretch { outcome: Outcome::new()?, hits: 0, begun, started: 0, busy: 0 };
        let (mut events, mut free) = (Events::with_capacity(256), (0..self.connections.len()).collect::<Vec<_>>());
        let (mut due, mut starved, alarm) = (begun, false, Alarm::new(&self.poll)?);
        while due < end || stretch.busy > 0 {
            let now = Instant::now();
            while due <= now.min(end)
                && let Some(index) = free.pop()
            {
                stretch.started += 1;
                stretch.busy += 1;
                self.connections[index].start(&self.sheet, STRIDE, if starved { due } else { Instant::now() })?;
                due += every;
            }
            starved = due <= now.min(end);
            if !starved && due < end {
                alarm.set(due.saturating_duration_since(Instant::now()))?;
            }
            self.answers(&mut events, STALLED, &mut stretch, &mut free)?;
            ensure!(!events.is_empty(), self.stalled());
        }
        stretch.outcome.elapsed = begun.elapsed();
        Ok(stretch)
    }
}

/// Wakes a poller to the microsecond: its own timeout knows milliseconds only.
struct Alarm(OwnedFd);

impl Alarm {
    fn new(poll: &Poll) -> Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK).context("a timer")?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), ALARM, Interest::READABLE).context("a timer")?;
        Ok(Self(timer))
    }

    /// Rings after `patience`, once.
    fn set(&self, patience: Duration) -> Result<()> {
        // Zero would turn it off.
        let it_value = Timespec::try_from(patience.max(Duration::from_nanos(1))).context("a wait that is too long")?;
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once).context("a timer").map(drop)
    }
}
