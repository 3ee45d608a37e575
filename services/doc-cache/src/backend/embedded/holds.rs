//! The open holds of one key or namespace.

use std::time::Duration;

use crate::backend::WriteId;

/// Writes told apart on one key or namespace. More than these at once mean a storm on one key, for which the answer "not
/// now, until the last of them has run out" is right, if late.
const HOLDS_MAX: usize = 64;

/// Holds, each with the time at which it runs out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Holds {
    open: Vec<(WriteId, Duration)>,
    /// When the last of those runs out that had no room: nobody can close them sooner.
    crowd: Option<Duration>,
}

impl Holds {
    /// Opens the hold of `write` until `until`; one that is open already stands at least as long.
    pub(super) fn open(&mut self, write: WriteId, until: Duration) {
        if let Some((_, end)) = self.open.iter_mut().find(|(id, _)| *id == write) {
            *end = until.max(*end);
        } else if self.open.len() < HOLDS_MAX {
            self.open.push((write, until));
        } else {
            self.crowd = self.crowd.max(Some(until));
        }
    }

    /// Closes the hold of `write`, if it is open.
    pub(super) fn close(&mut self, write: WriteId) {
        self.open.retain(|(id, _)| *id != write);
    }

    /// Forgets what has run out by `now`, and says whether that was any.
    pub(super) fn run_out(&mut self, now: Duration) -> bool {
        let before = self.open.len() + usize::from(self.crowd.is_some());
        self.open.retain(|(_, end)| *end > now);
        self.crowd = self.crowd.filter(|end| *end > now);
        before != self.open.len() + usize::from(self.crowd.is_some())
    }

    /// How many are open at `now`.
    pub(super) fn count(&self, now: Duration) -> u32 {
        let open = self.open.iter().map(|(_, end)| end).chain(&self.crowd).filter(|end| **end > now).count();
        u32::try_from(open).unwrap_or(u32::MAX)
    }

    /// Whether there is none, run out or not.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.crowd.is_none()
    }

    /// When the last one runs out.
    pub(super) fn last(&self) -> Option<Duration> {
        self.open.iter().map(|(_, end)| *end).chain(self.crowd).max()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.open.capacity() * size_of::<(WriteId, Duration)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn second(at: u64) -> Duration {
        Duration::from_secs(at)
    }

    #[test]
    fn holds_are_counted_by_write_and_run_out() {
        let mut holds = Holds::default();
        holds.open([1; 16], second(10));
        holds.open([1; 16], second(5));
        holds.open([2; 16], second(20));
        assert_eq!((holds.count(second(9)), holds.count(second(10)), holds.last()), (2, 1, Some(second(20))));
        assert!(!holds.run_out(second(9)) && holds.run_out(second(10)));
        holds.close([2; 16]);
        assert!(holds.is_empty() && !holds.run_out(second(99)));
    }

    #[test]
    fn a_crowd_stands_until_its_last_hold_ran_out() {
        let mut holds = Holds::default();
        for write in 0..=u8::try_from(HOLDS_MAX).unwrap() {
            holds.open([write; 16], second(10 + u64::from(write)));
        }
        for write in 0..=u8::try_from(HOLDS_MAX).unwrap() {
            holds.close([write; 16]);
        }
        let end = second(10 + HOLDS_MAX as u64);
        assert_eq!((holds.count(second(0)), holds.count(end)), (1, 0));
        assert!(holds.run_out(end) && holds.is_empty());
    }
}
