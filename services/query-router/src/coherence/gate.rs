//! The last look at a write before its bytes leave.
//!
//! A hold stands for a limited time, on the assumption that the origin has answered by then. A process that is suspended
//! (SIGSTOP, a paused machine) between its hold and its first byte would break that: it wakes up, the hold has run out,
//! and an old write goes to the origin under nobody's eyes. So each piece of a write's body passes a gate that compares
//! the age of the hold, on a clock that runs on while the process or the machine stands still. An incomplete body changes
//! nothing at the origin: whoever is stopped here is known to have changed nothing, however far it came.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use layer_origin::LastLook;

use crate::{
    body::{Fault, Progress},
    clock,
    refusal::Refusal,
};

/// Why a write's bytes may not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The caller's deadline has passed.
    #[error("the caller's deadline passed before the write was sent whole")]
    Deadline,
    /// What protects the write may not last until the origin answers.
    #[error("this router stood still for too long before the write was sent whole")]
    Late,
    /// Nobody waits for it any more.
    #[error("the caller went away before the write was sent whole")]
    Abandoned,
}

impl From<Stopped> for Refusal {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Deadline => Self::Expired,
            Stopped::Late | Stopped::Abandoned => Self::Unsent(stopped.to_string()),
        }
    }
}

/// What all pieces of one write's body pass.
#[derive(Debug)]
pub struct Gate {
    /// When the caller waits no more, in milliseconds of [`clock::boot_ms`].
    deadline_ms: Option<u64>,
    /// When the hold was asked for last, in milliseconds of [`clock::boot_ms`].
    since_ms: AtomicU64,
    slack_ms: u64,
    /// Only the first piece is looked at for its age.
    once: bool,
    abandoned: AtomicBool,
    begun: AtomicBool,
    complete: AtomicBool,
}

impl Gate {
    /// A gate that closes at `deadline`, and `slack` from now unless it is renewed.
    pub fn new(deadline: Option<Instant>, slack: Duration) -> Self {
        Self::with(deadline, slack, false)
    }

    /// The same for a write that nothing protects: it closes unless something passes within `slack`.
    pub fn unheld(deadline: Option<Instant>, slack: Duration) -> Self {
        Self::with(deadline, slack, true)
    }

    fn with(deadline: Option<Instant>, slack: Duration, once: bool) -> Self {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now()).as_millis();
        let at = |deadline| clock::boot_ms().saturating_add(u64::try_from(left(deadline)).unwrap_or(u64::MAX));
        Self {
            once,
            deadline_ms: deadline.map(at),
            since_ms: AtomicU64::new(clock::boot_ms()),
            slack_ms: u64::try_from(slack.as_millis()).unwrap_or(u64::MAX),
            abandoned: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            complete: AtomicBool::new(false),
        }
    }

    /// Whether a piece may leave now.
    ///
    /// # Errors
    /// [`Stopped`]: the body must be broken off.
    pub fn pass(&self) -> Result<(), Stopped> {
        if self.abandoned.load(Relaxed) {
            return Err(Stopped::Abandoned);
        }
        if self.deadline_ms.is_some_and(|deadline| deadline <= clock::boot_ms()) {
            return Err(Stopped::Deadline);
        }
        if self.is_late() && !(self.once && self.is_begun()) {
            return Err(Stopped::Late);
        }
        self.begun.store(true, Relaxed);
        Ok(())
    }

    /// The same, asked when bytes are about to be written to the connection: a piece that has passed may wait for that.
    /// Where the gate is closed by then, `progress` tells why.
    pub fn last_look(self: &Arc<Self>, progress: &Arc<Progress>) -> LastLook {
        let (gate, progress) = (Arc::clone(self), Arc::clone(progress));
        LastLook::new(move || {
            gate.pass().map_err(|stopped| {
                let fault = Fault::Stopped(stopped);
                progress.broke(&fault);
                fault.into()
            })
        })
    }

    /// All pieces have passed.
    pub fn complete(&self) {
        self.complete.store(true, Relaxed);
    }

    /// Whether nothing is left that must pass.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Relaxed)
    }

    /// The hold is too old for what is left: no renewal mends that, for the process must have stood still.
    pub fn is_late(&self) -> bool {
        self.age_ms() > self.slack_ms
    }

    /// How old the hold may get while pieces are left.
    pub fn slack(&self) -> Duration {
        Duration::from_millis(self.slack_ms)
    }

    /// How old the hold is, by a clock that also counts while the process stands still.
    pub(super) fn age_ms(&self) -> u64 {
        clock::boot_ms().saturating_sub(self.since_ms.load(Relaxed))
    }

    /// A new hold was asked for at `since_ms` of [`clock::boot_ms`], and stands.
    pub fn renew(&self, since_ms: u64) {
        self.since_ms.store(since_ms, Relaxed);
    }

    /// Lets nothing pass any more.
    pub fn abandon(&self) {
        self.abandoned.store(true, Relaxed);
    }

    /// Something has passed, so the origin may have got it.
    pub fn is_begun(&self) -> bool {
        self.begun.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(deadline: Option<Instant>) -> Gate {
        Gate::new(deadline, Duration::from_secs(10))
    }

    /// As if the process had stood still for `seconds`.
    fn stand_still(gate: &Gate, seconds: u64) {
        gate.since_ms.store(clock::boot_ms() - seconds * 1000, Relaxed);
    }

    #[test]
    fn opens_while_the_hold_is_young() {
        let gate = gate(None);
        assert!(!gate.is_begun());
        assert_eq!(gate.pass(), Ok(()));
        assert!(gate.is_begun());
        stand_still(&gate, 11);
        assert_eq!(gate.pass(), Err(Stopped::Late));
        gate.renew(clock::boot_ms());
        assert_eq!(gate.pass(), Ok(()));
    }

    #[test]
    fn without_a_hold_only_the_first_piece_can_be_late() {
        let gate = Gate::unheld(None, Duration::from_secs(10));
        assert_eq!(gate.pass(), Ok(()));
        stand_still(&gate, 11);
        assert_eq!(gate.pass(), Ok(()));
        let late = Gate::unheld(None, Duration::from_secs(10));
        stand_still(&late, 11);
        assert_eq!(late.pass(), Err(Stopped::Late));
    }

    #[test]
    fn a_deadline_passes_while_the_machine_is_suspended() {
        let mut gate = gate(Some(Instant::now() + Duration::from_secs(5)));
        assert_eq!(gate.pass(), Ok(()));
        // The other clock stood still meanwhile.
        gate.deadline_ms = gate.deadline_ms.map(|deadline| deadline - 6000);
        assert_eq!(gate.pass(), Err(Stopped::Deadline));
    }

    #[test]
    fn what_never_passed_is_not_begun() {
        let late = gate(None);
        stand_still(&late, 11);
        assert_eq!(late.pass(), Err(Stopped::Late));
        assert!(!late.is_begun());
        let over = gate(Some(Instant::now()));
        assert_eq!((over.pass(), over.is_begun()), (Err(Stopped::Deadline), false));
        let gone = gate(None);
        gone.abandon();
        assert_eq!((gone.pass(), gone.is_begun()), (Err(Stopped::Abandoned), false));
    }
}
