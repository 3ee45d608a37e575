//! What a round measured, and the verdict.

use std::time::Duration;

use crate::figures::{Spread, Verdict};

/// Documents a second that a job must reach, or as many as the origin gives without Layer where that is less.
pub(super) const AIM: f64 = 20_000.0;

/// A job, from the request to the last document that is served from the cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Warmed {
    pub(super) time: Duration,
    /// CPU time meanwhile: of the router, of doc-cache, of the origin.
    pub(super) cpu: [Duration; 3],
    pub(super) router_peak_bytes: u64,
}

/// Fetches from the cache at one connection, in µs, and how many of them it answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latency {
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) hits: f64,
}

/// One round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// The origin read without Layer.
    pub(super) alone: Duration,
    pub(super) warmed: Warmed,
    /// Fetches before the job, and during it.
    pub(super) quiet: Latency,
    pub(super) meanwhile: Latency,
    pub(super) documents: u64,
}

/// The rounds with one origin.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) delay_ms: u64,
    pub(super) rounds: Vec<Figures>,
}

impl Figures {
    fn rate(&self, time: Duration) -> f64 {
        self.documents as f64 / time.as_secs_f64()
    }

    /// Documents a second without Layer.
    pub(super) fn alone_rate(&self) -> f64 {
        self.rate(self.alone)
    }

    /// Documents a second into the cache.
    pub(super) fn warm_rate(&self) -> f64 {
        self.rate(self.warmed.time)
    }

    /// CPU time for each document, in µs.
    pub(super) fn cpu_us(&self, part: usize) -> f64 {
        self.warmed.cpu[part].as_secs_f64() * 1e6 / self.documents as f64
    }
}

impl Sheet {
    /// A figure over the rounds.
    pub(super) fn spread(&self, figure: impl Fn(&Figures) -> f64) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(figure))
    }

    /// How the rate stands to the aim.
    pub(super) fn verdict(&self) -> Verdict {
        let over = self.spread(|round| round.warm_rate() / round.alone_rate().min(AIM));
        over.map_or(Verdict::Over, |over| Verdict::of_least(over, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(alone_s: u64, warmed_s: u64) -> Sheet {
        let seconds = Duration::from_secs;
        let warmed = Warmed { time: seconds(warmed_s), cpu: [seconds(1); 3], router_peak_bytes: 0 };
        let fetches = Latency { p50_us: 1, p99_us: 2, hits: 1.0 };
        let round = Figures { alone: seconds(alone_s), warmed, quiet: fetches, meanwhile: fetches, documents: 200_000 };
        Sheet { delay_ms: 0, rounds: vec![round] }
    }

    #[test]
    fn a_slow_origin_is_the_aim_where_it_is_slower_than_the_aim() {
        assert!(sheet(1, 10).verdict().passes());
        assert!(!sheet(1, 11).verdict().passes());
        assert!(sheet(20, 20).verdict().passes());
        assert!(!sheet(20, 21).verdict().passes());
        assert_eq!(sheet(1, 10).rounds[0].cpu_us(0), 5.0);
    }
}
