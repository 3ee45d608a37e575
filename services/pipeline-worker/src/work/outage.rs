//! A part that all documents need is away: nobody claims until it may be back.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::backoff;

/// The first pause, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Whether there is an outage, and until when claims pause.
#[derive(Default)]
pub(super) struct Outage {
    state: Mutex<Option<State>>,
}

struct State {
    failures: u32,
    until: Instant,
}

impl Outage {
    /// Something that everybody needs failed. Those who fail during a pause fail with it, and do not make it longer.
    pub(super) fn failed(&self, what: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let failures = match &*state {
            Some(state) if state.until > now => return,
            Some(state) => state.failures.saturating_add(1),
            None => {
                tracing::warn!(reason = what, "work pauses: documents are returned until what is away is back");
                1
            }
        };
        *state = Some(State { failures, until: now + backoff(failures, FIRST, LONGEST) });
    }

    /// It works.
    pub(super) fn over(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.take().is_some() {
            tracing::info!("work goes on");
        }
    }

    /// Waits for the end of the pause, if there is one.
    pub(super) async fn wait(&self) {
        let until = self.state.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|state| state.until);
        if let Some(until) = until {
            tokio::time::sleep_until(until.into()).await;
        }
    }
}
