//! Demand for the document cache, as KEDA asks for it: is there any, and how much.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// How many marks a window is made of.
const MARKS: u32 = 8;
/// Between two marks at the least, whatever window somebody asks for.
const MARK_EVERY: Duration = Duration::from_secs(1);
/// Marks that are kept; windows of several callers share them.
const MARKS_MAX: usize = 64;

/// Fetches that wanted the cache.
pub struct Demand {
    began: Instant,
    total: AtomicU64,
    /// Milliseconds since `began`, plus one; 0 before the first.
    last_ms: AtomicU64,
    /// The time of the last demand that came after none for a while; those who wait for demand watch it.
    woken: watch::Sender<Option<Instant>>,
    /// What the total was when, the oldest first; never empty.
    marks: Mutex<VecDeque<(Instant, u64)>>,
}

impl Default for Demand {
    fn default() -> Self {
        let began = Instant::now();
        Self {
            began,
            total: AtomicU64::new(0),
            last_ms: AtomicU64::new(0),
            woken: watch::Sender::new(None),
            marks: Mutex::new(VecDeque::from([(began, 0)])),
        }
    }
}

/// Demand this recent needs no waking.
const AWAKE: Duration = Duration::from_millis(500);

impl Demand {
    /// A fetch wants the cache.
    pub fn wanted(&self) {
        self.total.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let ms = u64::try_from(now.duration_since(self.began).as_millis()).unwrap_or(u64::MAX - 1) + 1;
        // Many fetches share a millisecond, and writing it takes it from the other cores.
        if self.last_ms.load(Ordering::Relaxed) == ms {
            return;
        }
        let before = self.last_ms.swap(ms, Ordering::Relaxed);
        if before == 0 || ms.saturating_sub(before) > AWAKE.as_millis() as u64 {
            self.woken.send_replace(Some(now));
        }
    }

    /// When a fetch last wanted it.
    pub fn last(&self) -> Option<Instant> {
        match self.last_ms.load(Ordering::Relaxed) {
            0 => None,
            ms => Some(self.began + Duration::from_millis(ms - 1)),
        }
    }

    /// Whether one did within `window`.
    pub fn active(&self, window: Duration) -> bool {
        self.last().is_some_and(|last| last.elapsed() < window)
    }

    /// Waits until [`Demand::active`] is not `now` any more.
    pub async fn changed(&self, now: bool, window: Duration) {
        let mut woken = self.woken.subscribe();
        while self.active(window) == now {
            if now {
                // It ends by itself, unless there is more meanwhile.
                tokio::time::sleep_until(self.last().unwrap_or_else(Instant::now) + window).await;
            } else if woken.changed().await.is_err() {
                return;
            }
        }
    }

    /// Fetches per second over `window`, or since the last mark before it: after a long time without a question that is
    /// longer, and never all that there ever was in the time of one window.
    pub fn rate(&self, window: Duration) -> f64 {
        let (now, total) = (Instant::now(), self.total.load(Ordering::Relaxed));
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let before = marks.iter().rev().find(|(at, _)| now.duration_since(*at) >= window);
        let (since, from) = before.or(marks.front()).copied().unwrap_or((self.began, 0));
        if marks.back().is_none_or(|(at, _)| now.duration_since(*at) >= (window / MARKS).max(MARK_EVERY)) {
            marks.push_back((now, total));
            let over = marks.len().saturating_sub(MARKS_MAX);
            marks.drain(..over);
        }
        let seconds = now.duration_since(since).as_secs_f64();
        if seconds > 0.0 { (total - from) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn demand_begins_at_once_and_ends_with_the_window() {
        let demand = Demand::default();
        assert!(!demand.active(WINDOW));
        let waited = async {
            demand.changed(false, WINDOW).await;
            Instant::now()
        };
        let (woken, ()) = tokio::join!(waited, async {
            tokio::time::advance(Duration::from_secs(3)).await;
            demand.wanted();
        });
        assert_eq!(woken.duration_since(demand.began), Duration::from_secs(3));
        assert!(demand.active(WINDOW));
        demand.changed(true, WINDOW).await;
        assert!(Instant::now().duration_since(demand.began) >= Duration::from_secs(13));
    }

    #[tokio::test(start_paused = true)]
    async fn steady_demand_keeps_it_active() {
        let demand = Demand::default();
        demand.wanted();
        let quiet = demand.changed(true, WINDOW);
        let busy = async {
            for _ in 0..5 {
                tokio::time::advance(WINDOW / 2).await;
                demand.wanted();
            }
            Instant::now()
        };
        let (ended, last) = tokio::join!(async { (quiet.await, Instant::now()).1 }, busy);
        assert!(ended.duration_since(last) >= WINDOW - Duration::from_millis(2), "{:?}", ended.duration_since(last));
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_that_of_the_window() {
        let demand = Demand::default();
        for _ in 0..40 {
            tokio::time::advance(Duration::from_millis(250)).await;
            demand.wanted();
            demand.rate(WINDOW);
        }
        assert!((demand.rate(WINDOW) - 4.0).abs() < 0.5, "{}", demand.rate(WINDOW));
        tokio::time::advance(WINDOW * 2).await;
        assert!(demand.rate(WINDOW) < 4.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_never_of_all_time_whoever_asks_and_when() {
        let demand = Demand::default();
        (0..10_000).for_each(|_| demand.wanted());
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(demand.rate(WINDOW) < 4.0, "the first question after an hour: {}", demand.rate(WINDOW));
        for _ in 0..2 * MARKS_MAX {
            tokio::time::advance(MARK_EVERY).await;
            demand.rate(Duration::from_nanos(1));
        }
        assert!(demand.rate(WINDOW) < 4.0, "after another's short windows: {}", demand.rate(WINDOW));
        assert!(demand.marks.lock().unwrap().len() <= MARKS_MAX);
    }
}
