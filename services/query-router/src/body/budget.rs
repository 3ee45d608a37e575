//! A bound on the bytes that all writes together are read ahead.
//!
//! Each write's own bound does not keep a thousand of them from filling the memory. When the budget is used up a write is
//! not refused: it is read ahead less, and checked while it streams.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The bytes that may be held; clones share them.
#[derive(Debug, Clone)]
pub struct Budget {
    held: Arc<AtomicU64>,
    max: u64,
}

/// One body's part of the budget, given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    bytes: u64,
}

impl Budget {
    /// Allows `max` bytes.
    pub fn new(max: u64) -> Self {
        Self { held: Arc::default(), max }
    }

    /// A part of nothing yet.
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Makes this part `bytes` large, where the budget allows it; else it stays as it was.
    pub fn grow_to(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let room = |held: u64| held.checked_add(more).filter(|held| *held <= self.budget.max);
        let grown = self.budget.held.fetch_update(Relaxed, Relaxed, room).is_ok();
        if grown {
            self.bytes += more;
        }
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_the_budget_and_come_back() {
        let budget = Budget::new(10);
        let (mut first, mut second) = (budget.share(), budget.share());
        assert!(first.grow_to(6) && first.grow_to(5));
        assert!(!second.grow_to(5) && second.grow_to(4));
        drop(first);
        assert!(second.grow_to(10) && !second.grow_to(11));
        drop(second);
        assert_eq!(budget.held.load(Relaxed), 0);
    }
}
