//! Wakes that would find nothing to do, held back.
//!
//! hyper moves a body from its connection to its reader through a channel whose ends wake each other. In Layer one task is
//! both: it drives the connection and reads the body. A wake from one to the other then makes the runtime poll the
//! task a second time, for nothing; on a proxy's way that is every second poll. A [`Gate`] stands between a connection
//! and its task's waker and holds back what is woken while the task itself is at work there.
//!
//! It must never lose a wake: what it held back it reports, and whoever shut it decides whether there is still something
//! to do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// A waker's gate; clones share it.
#[derive(Debug, Clone)]
pub struct Gate {
    inner: Arc<Inner>,
    /// Of `inner`, made once.
    waker: Waker,
}

#[derive(Debug, Default)]
struct Inner {
    task: AtomicWaker,
    shut: AtomicBool,
    held: AtomicBool,
}

impl Default for Gate {
    fn default() -> Self {
        let inner = Arc::<Inner>::default();
        Self { waker: Waker::from(Arc::clone(&inner)), inner }
    }
}

impl Gate {
    /// Calls `poll` with a waker that wakes the task of `cx` through this gate.
    pub fn through<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        self.inner.task.register(cx.waker());
        poll(&mut Context::from_waker(&self.waker))
    }

    /// Calls `work` with the gate shut; whether anything was woken meanwhile is the second value.
    pub fn shut<T>(&self, work: impl FnOnce() -> T) -> (T, bool) {
        self.inner.shut.store(true, SeqCst);
        let result = work();
        self.inner.shut.store(false, SeqCst);
        (result, self.inner.held.swap(false, SeqCst))
    }

    /// Wakes the task, for a wake that was held back and is needed after all.
    pub fn wake(&self) {
        self.inner.task.wake();
    }
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.shut.load(SeqCst) {
            self.held.store(true, SeqCst);
            // Opened in between: nobody would look at what was held.
            if self.shut.load(SeqCst) {
                return;
            }
        }
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn a_shut_gate_holds_wakes_and_reports_them_and_an_open_one_passes_them_on() {
        let count = Arc::new(Count::default());
        let task = Waker::from(Arc::clone(&count));
        let gate = Gate::default();
        let kept = gate.through(&mut Context::from_waker(&task), |cx| cx.waker().clone());
        assert_eq!(gate.shut(|| kept.wake_by_ref()), ((), true));
        assert_eq!(gate.shut(|| ()), ((), false));
        assert_eq!(count.0.load(SeqCst), 0);
        kept.wake_by_ref();
        assert_eq!(count.0.load(SeqCst), 1);
        gate.through(&mut Context::from_waker(&task), |_| ());
        gate.wake();
        assert_eq!(count.0.load(SeqCst), 2);
    }

    #[test]
    fn the_task_that_polled_last_is_woken_and_once() {
        let counts = [Arc::new(Count::default()), Arc::new(Count::default())];
        let gate = Gate::default();
        let woken = |through: &Waker| {
            through.wake_by_ref();
            through.wake_by_ref();
            counts.each_ref().map(|count| count.0.swap(0, SeqCst))
        };
        let poll = |count: &Arc<Count>| {
            gate.through(&mut Context::from_waker(&Waker::from(Arc::clone(count))), |cx| cx.waker().clone())
        };
        let first = poll(&counts[0]);
        let second = poll(&counts[1]);
        assert_eq!(woken(&first), [0, 1]);
        poll(&counts[0]);
        assert_eq!(woken(&second), [1, 0]);
    }

    /// One thread wakes while another shuts and opens: the wake is reported or it goes through, or both.
    #[test]
    fn no_wake_is_lost_while_the_gate_opens() {
        const ROUNDS: usize = 20_000;
        let (gate, count) = (Gate::default(), Arc::new(Count::default()));
        let task = Waker::from(Arc::clone(&count));
        let kept = gate.through(&mut Context::from_waker(&task), |cx| cx.waker().clone());
        let (begun, ended, mut lost) = (AtomicUsize::new(0), AtomicUsize::new(0), 0);
        let reach = |counter: &AtomicUsize, round| {
            while counter.load(SeqCst) < round {
                std::hint::spin_loop();
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..=ROUNDS {
                    reach(&begun, round);
                    kept.wake_by_ref();
                    ended.store(round, SeqCst);
                }
            });
            for round in 1..=ROUNDS {
                gate.through(&mut Context::from_waker(&task), |_| ());
                let before = count.0.load(SeqCst);
                // The other begins while it is shut, and mostly ends after it has opened.
                let ((), held) = gate.shut(|| {
                    begun.store(round, SeqCst);
                    (0..round % 64).for_each(|_| std::hint::spin_loop());
                });
                reach(&ended, round);
                lost += usize::from(!held && count.0.load(SeqCst) == before);
                gate.shut(|| ());
            }
        });
        assert_eq!(lost, 0);
    }
}
