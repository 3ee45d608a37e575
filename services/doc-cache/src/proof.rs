//! The canary: whether this replica may serve hits.
//!
//! A hit is only as true as the hold that would have cleared it. So a replica must know that holds and releases go
//! through, by doing both itself every [`EVERY`], on the backend that all replicas share. Where that has not worked for
//! `proof.lapse_ms`, it serves nothing; and when it works again after nobody's worked, the backend has begun a new epoch, in
//! which nothing was filled yet.
//!
//! A reply asks twice, before the backend is read and right before the reply is made, on a clock that runs on while the
//! process is suspended: both times there must be a proof, and both of the same epoch. Once would not do. A process that
//! was suspended after the first of these and wakes long after is told by the second; and a lookup that came right after
//! the process woke, and read the backend before the first canary brought the new epoch, is told by the first.
//!
//! When holds go through again, writers do not know it yet: one that gave the cache up would acknowledge without a word to
//! it. So nothing is served, and no lease is given, until they must have found it again: [`Proof::epoch`] is `None` for
//! the settling time after a lapse, a start or a new epoch, while holds and releases are taken from the first moment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use layer_service::lifecycle::{Lifecycle, Stage};
use tokio::time::MissedTickBehavior;

use crate::{
    backend::{Backend, BackendError, Canary},
    clock::Clock,
    observe::Observe,
    settings::ProofSettings,
};

/// Between two canaries.
pub(crate) const EVERY: Duration = Duration::from_millis(100);
/// How long the backend may take for one.
const DEADLINE: Duration = Duration::from_millis(400);

/// What is known of the canary; shared by the loop that sends it and by every call.
pub(crate) struct Proof {
    clock: Arc<dyn Clock>,
    /// When the last one was sent that went through, in nanoseconds of the clock; 0: none yet.
    sent_at: AtomicU64,
    epoch: AtomicU64,
    stop_writes: AtomicBool,
    /// How old the last canary that went through may be.
    lapse: Duration,
    settle: Duration,
    /// When writers must have found the cache, in nanoseconds of the clock.
    settled_at: AtomicU64,
}

impl Proof {
    /// Nothing is proven.
    pub(crate) fn new(clock: Arc<dyn Clock>, settings: &ProofSettings) -> Self {
        Self {
            clock,
            sent_at: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            stop_writes: AtomicBool::new(false),
            lapse: Duration::from_millis(settings.lapse_ms),
            settle: Duration::from_millis(settings.settle_ms),
            settled_at: AtomicU64::new(0),
        }
    }

    /// The epoch that is proven now; `None` where none is, or writers may not know of it yet.
    pub(crate) fn epoch(&self) -> Option<u64> {
        // The loop stores the epoch and the settling before the time: whoever sees the time sees them at least as new.
        let serves = self.is_fresh() && self.now() >= self.settled_at.load(Ordering::Acquire);
        serves.then(|| self.epoch.load(Ordering::Acquire))
    }

    /// The last epoch that was known, proven or not; 0 where none was.
    pub(crate) fn last_epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Whether the backend refused writes when it was last asked.
    pub(crate) fn stop_writes(&self) -> bool {
        self.stop_writes.load(Ordering::Relaxed)
    }

    /// Whether the proof is young enough, settled or not.
    fn is_fresh(&self) -> bool {
        self.age().is_some_and(|age| age < self.lapse)
    }

    /// The age of the proof.
    pub(crate) fn age(&self) -> Option<Duration> {
        let sent_at = self.sent_at.load(Ordering::Acquire);
        (sent_at != 0).then(|| self.clock.now().saturating_sub(Duration::from_nanos(sent_at)))
    }

    fn now(&self) -> u64 {
        // Five centuries of nanoseconds fit.
        nanos(self.clock.now()).max(1)
    }

    fn went_through(&self, sent_at: u64, canary: Canary) {
        let before = self.sent_at.load(Ordering::Acquire);
        let lapsed = before == 0 || sent_at.saturating_sub(before) >= nanos(self.lapse);
        self.stop_writes.store(canary.stop_writes, Ordering::Relaxed);
        if lapsed && canary.stop_writes {
            // An outage while writes are refused leaves no trace: removes extend a proof and never begin one.
            return;
        }
        if lapsed || canary.epoch != self.last_epoch() {
            self.settled_at.store(self.now().saturating_add(nanos(self.settle)), Ordering::Release);
        }
        self.epoch.store(canary.epoch, Ordering::Release);
        self.sent_at.store(sent_at, Ordering::Release);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Sends canaries until the service is cut. The first that goes through makes the service ready.
pub(crate) async fn keep_proving(
    proof: Arc<Proof>,
    backend: Arc<dyn Backend>,
    observe: Arc<Observe>,
    lifecycle: Lifecycle,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Told::default();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = lifecycle.reached(Stage::Cut) => return,
        }
        observe.proof(proof.age(), proof.is_fresh(), &backend.usage());
        // The proof is as old as the question, not as the answer.
        let sent_at = proof.now();
        let sent = backend.canary(proof.lapse, DEADLINE);
        let answer = tokio::time::timeout(DEADLINE, sent).await.unwrap_or(Err(BackendError::Timeout));
        if let Ok(canary) = &answer {
            proof.went_through(sent_at, *canary);
            lifecycle.advance(Stage::Serving);
        }
        last.tell(&answer, &observe);
    }
}

/// What the last canary told: only changes are worth a line.
#[derive(Debug, Default)]
struct Told {
    canary: Option<Canary>,
    failing: bool,
}

impl Told {
    fn tell(&mut self, answer: &Result<Canary, BackendError>, observe: &Observe) {
        match answer {
            Ok(canary) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the backend takes holds again");
                }
                let before = self.canary.replace(*canary);
                self.changed(before, canary, observe);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "the backend takes no holds: no hits are served until it does");
                }
            }
        }
    }

    fn changed(&self, before: Option<Canary>, now: &Canary, observe: &Observe) {
        if before.is_some_and(|before| before.epoch != now.epoch) {
            observe.epoch_changed();
            tracing::warn!("a new epoch: nobody could hold for a while, so everything cached before is void");
        }
        let refused = before.is_some_and(|before| before.stop_writes);
        match (refused, now.stop_writes) {
            (false, true) => tracing::warn!("the backend refuses writes: nothing is cached anew, holds go as removes"),
            (true, false) => tracing::info!("the backend takes writes again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn settling(settle_ms: u64) -> ProofSettings {
        ProofSettings { settle_ms, ..ProofSettings::default() }
    }

    struct Hand(Mutex<Duration>);

    impl Clock for Hand {
        fn now(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn a_proof_is_as_old_as_its_question_and_ends_with_the_clock() {
        let clock = Arc::new(Hand(Mutex::new(Duration::from_secs(10))));
        let proof = Proof::new(Arc::clone(&clock) as _, &settling(0));
        assert_eq!((proof.epoch(), proof.age()), (None, None));
        let sent_at = proof.now();
        *clock.0.lock().unwrap() += Duration::from_millis(400);
        proof.went_through(sent_at, Canary { epoch: 7, stop_writes: false });
        assert_eq!((proof.epoch(), proof.age()), (Some(7), Some(Duration::from_millis(400))));
        *clock.0.lock().unwrap() += Duration::from_millis(100);
        assert_eq!((proof.epoch(), proof.last_epoch()), (None, 7));
    }
    #[test]
    fn nothing_is_served_until_writers_must_have_found_the_cache() {
        let clock = Arc::new(Hand(Mutex::new(Duration::from_secs(10))));
        let proof = Proof::new(Arc::clone(&clock) as _, &settling(3000));
        let pass = |millis| *clock.0.lock().unwrap() += Duration::from_millis(millis);
        let canary = |epoch| proof.went_through(proof.now(), Canary { epoch, stop_writes: false });
        let settle = |epoch| {
            for _ in 0..9 {
                canary(epoch);
                assert_eq!(proof.epoch(), None);
                pass(333);
            }
            pass(3);
            canary(epoch);
            assert_eq!(proof.epoch(), Some(epoch));
        };
        settle(7);
        pass(400);
        canary(7);
        assert_eq!(proof.epoch(), Some(7), "in time");
        pass(500);
        settle(7);
        // A new epoch without a lapse: the backend is another one.
        settle(8);
    }

    #[test]
    fn a_proof_is_never_begun_while_writes_are_refused() {
        let clock = Arc::new(Hand(Mutex::new(Duration::from_secs(10))));
        let proof = Proof::new(Arc::clone(&clock) as _, &settling(0));
        let pass = |millis| *clock.0.lock().unwrap() += Duration::from_millis(millis);
        let canary = |stop_writes| proof.went_through(proof.now(), Canary { epoch: 7, stop_writes });
        canary(true);
        assert_eq!((proof.epoch(), proof.stop_writes()), (None, true));
        canary(false);
        pass(400);
        canary(true);
        assert_eq!(proof.epoch(), Some(7), "extended");
        pass(500);
        canary(true);
        assert_eq!(proof.epoch(), None, "lapsed");
        canary(false);
        assert_eq!(proof.epoch(), Some(7));
    }
}
