//! A breaker in front of another service: who failed several times in a row is left alone for a while.
//!
//! While it is open no call is tried, so that none waits for what will not answer. After the wait one call is let through to
//! see; the others go on being refused until it is answered. It must never stay open by itself: a trial that nobody
//! finishes is over after the longest wait.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How a breaker opens and closes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Failures in a row after which it opens.
    pub failures: u32,
    /// How long it is open at first; doubles with every trial that fails.
    pub min: Duration,
    /// How long it is open at the most.
    pub max: Duration,
}

/// A breaker.
#[derive(Debug)]
pub struct Breaker {
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed {
        failures: u32,
    },
    /// `trial`: a call was let through to see.
    Open {
        until: Instant,
        wait: Duration,
        trial: bool,
    },
}

impl Breaker {
    /// A closed one.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Whether a call may be tried now; where not, how long that will last.
    ///
    /// # Errors
    /// The time until the next trial.
    pub fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.lock();
        match *state {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } if now < until => Err(until - now),
            State::Open { wait, .. } => {
                // This call is the trial; the others wait for it, but not for ever.
                *state = State::Open { until: now + self.bounds.max, wait, trial: true };
                Ok(())
            }
        }
    }

    /// A call was answered, however: the service is there. Answers whether that closed the breaker.
    pub fn answered(&self) -> bool {
        let mut state = self.lock();
        let closed = matches!(*state, State::Open { .. });
        *state = State::Closed { failures: 0 };
        closed
    }

    /// A call was not answered. Answers whether that opened the breaker.
    pub fn failed(&self, now: Instant) -> bool {
        let mut state = self.lock();
        match *state {
            State::Closed { failures } if failures + 1 < self.bounds.failures => {
                *state = State::Closed { failures: failures + 1 };
                false
            }
            State::Closed { .. } => {
                *state = State::Open { until: now + self.bounds.min, wait: self.bounds.min, trial: false };
                true
            }
            // Calls that were under way when it opened say nothing new.
            State::Open { trial: false, .. } => false,
            State::Open { wait, .. } => {
                let wait = (wait * 2).min(self.bounds.max);
                *state = State::Open { until: now + wait, wait, trial: false };
                false
            }
        }
    }

    /// Whether calls are refused now.
    pub fn is_open(&self, now: Instant) -> bool {
        matches!(*self.lock(), State::Open { until, .. } if now < until)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> Breaker {
        Breaker::new(Bounds { failures: 3, min: SECOND, max: 4 * SECOND })
    }

    fn fail(breaker: &Breaker, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.failed(now);
        }
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_only_then() {
        let (breaker, now) = (breaker(), Instant::now());
        assert_eq!((breaker.failed(now), breaker.failed(now)), (false, false));
        assert!(!breaker.answered());
        assert_eq!([breaker.failed(now), breaker.failed(now), breaker.failed(now)], [false, false, true]);
        assert!(breaker.is_open(now));
        assert_eq!(breaker.admit(now), Err(SECOND));
    }

    #[test]
    fn one_call_tries_and_an_answer_closes_it() {
        let (breaker, now) = (breaker(), Instant::now());
        fail(&breaker, 3, now);
        let later = now + SECOND;
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(breaker.admit(later).is_err(), "the others wait for the trial");
        assert!(breaker.answered());
        assert_eq!(breaker.admit(later), Ok(()));
    }

    #[test]
    fn trials_that_fail_come_ever_more_seldom_up_to_a_bound() {
        let (breaker, mut now) = (breaker(), Instant::now());
        fail(&breaker, 3, now);
        let mut waits = Vec::new();
        for _ in 0..4 {
            let wait = breaker.admit(now).unwrap_err();
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.failed(now);
        }
        assert_eq!(waits, [1, 2, 4, 4]);
    }

    #[test]
    fn calls_that_were_under_way_do_not_lengthen_the_wait() {
        let (breaker, now) = (breaker(), Instant::now());
        fail(&breaker, 50, now);
        assert_eq!(breaker.admit(now), Err(SECOND));
    }

    #[test]
    fn a_trial_that_nobody_finishes_is_over_after_a_while() {
        let (breaker, now) = (breaker(), Instant::now());
        fail(&breaker, 3, now);
        assert_eq!(breaker.admit(now + SECOND), Ok(()));
        assert_eq!(breaker.admit(now + 5 * SECOND), Ok(()));
    }
}
