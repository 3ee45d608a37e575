//! A bound on requests in flight: what comes on top is refused at once, it never queues.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts what is in flight against a bound; every clone shares the count.
#[derive(Debug, Clone)]
pub struct InFlight {
    now: Arc<AtomicUsize>,
    max: usize,
}

/// A place among the requests in flight, given back when dropped.
#[derive(Debug)]
pub struct Permit(Arc<AtomicUsize>);

impl InFlight {
    /// Allows `max` at once.
    pub fn new(max: usize) -> Self {
        Self { now: Arc::default(), max }
    }

    /// A place, or `None` where all are taken.
    pub fn enter(&self) -> Option<Permit> {
        let before = self.now.fetch_add(1, Ordering::Relaxed);
        let permit = Permit(Arc::clone(&self.now));
        (before < self.max).then_some(permit)
    }

    /// How many may be in flight at once.
    pub fn limit(&self) -> usize {
        self.max
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_above_the_bound_and_takes_places_back() {
        let flights = InFlight::new(2);
        let first = flights.enter().unwrap();
        let _second = flights.enter().unwrap();
        assert!(flights.enter().is_none());
        drop(first);
        assert!(flights.enter().is_some());
    }
}
