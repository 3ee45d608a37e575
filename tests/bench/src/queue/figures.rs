//! What was measured, and how it stands to the aims.

use std::time::Duration;

use crate::figures::{Spread, Verdict};

use super::drive::Done;

/// Jobs a second over the peer's, at least.
const RATIO: f64 = 1.0;
/// The 99th percentile of a claim at the largest depth, in ms.
const CLAIM_MS: f64 = 20.0;

/// What is measured in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Peer,
    Library,
    Service,
}

impl Target {
    pub(super) const ALL: [Self; 3] = [Self::Peer, Self::Library, Self::Service];
    pub(super) const OURS: [Self; 2] = [Self::Library, Self::Service];

    /// As shown.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Peer => "graphile-worker",
            Self::Library => "the queue in process",
            Self::Service => "pipeline-worker over gRPC",
        }
    }
}

/// A measurement of staging or of working off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) per_second: f64,
    /// CPU for each job, in µs: of the process that runs the queue, and of the database.
    pub(super) cpu_us: f64,
    pub(super) database_us: f64,
    /// Claims: median and 99th percentile, in ms. None of staging.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Measured {
    /// From what was done, and the CPU time that all of `jobs` took.
    pub(super) fn of(done: &mut Done, jobs: u64, cpu: [Duration; 2]) -> Self {
        let [cpu_us, database_us] = cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / jobs as f64);
        done.claims_us.sort_by(f64::total_cmp);
        let [p50_ms, p99_ms] = [0.5, 0.99].map(|share| quantile(&done.claims_us, share) / 1e3);
        Self { per_second: done.rate(), cpu_us, database_us, p50_ms, p99_ms }
    }
}

/// Of sorted values; 0 of none.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

/// One target in one round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shot {
    pub(super) staged: Measured,
    pub(super) worked: Measured,
}

/// A phase of a measurement: what is done in it, and its part of the figures.
pub(super) type Phase = (&'static str, fn(&Shot) -> Measured);

/// The phases of a measurement.
pub(super) const PHASES: [Phase; 2] = [("staged", |shot| shot.staged), ("claimed and completed", |shot| shot.worked)];

/// The rounds at one depth, each with a shot of every target in the order of [`Target::ALL`].
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) depth: u64,
    pub(super) rounds: Vec<[Shot; 3]>,
    pub(super) prefixes: Vec<Prefix>,
}

/// Claims by prefix.
#[derive(Debug)]
pub(super) struct Prefix {
    pub(super) what: &'static str,
    /// How long each claim took, in ms.
    pub(super) claims_ms: Vec<f64>,
}

/// Claims that wait for documents that do not come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) claims: usize,
    /// Share of one processor: of pipeline-worker and of the database.
    pub(super) cores: [f64; 2],
}

/// An aim and how it is met.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) what: String,
    pub(super) limit: String,
    pub(super) measured: Spread,
    pub(super) unit: &'static str,
    pub(super) verdict: Verdict,
}

impl Sheet {
    /// A figure of a target over the rounds.
    pub(super) fn spread(&self, target: Target, figure: impl Fn(&Shot) -> f64) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(|round| figure(&round[target as usize])))
    }

    /// A figure of a target over the peer's, each of the same round.
    pub(super) fn over_peer(&self, target: Target, figure: impl Fn(&Shot) -> f64) -> Option<Spread> {
        Spread::of(
            self.rounds.iter().map(|round| figure(&round[target as usize]) / figure(&round[Target::Peer as usize])),
        )
    }

    /// How the aims are met at this depth.
    pub(super) fn judge(&self, deepest: bool) -> Vec<Judged> {
        let mut all = Vec::new();
        for target in Target::OURS {
            for (what, measured) in PHASES {
                let Some(measured) = self.over_peer(target, |shot| measured(shot).per_second) else { continue };
                let what = format!("jobs/s {what}, {}, over the peer's at {}", target.name(), self.depth);
                let verdict = Verdict::of_least(measured, RATIO);
                all.push(Judged { what, limit: format!("≥ {RATIO}x"), measured, unit: "x", verdict });
            }
            let claims = self.spread(target, |shot| shot.worked.p99_ms).filter(|_| deepest);
            all.extend(claims.map(|measured| Judged {
                what: format!("p99 of a claim, {}, at {}", target.name(), self.depth),
                limit: format!("≤ {CLAIM_MS} ms"),
                measured,
                unit: " ms",
                verdict: Verdict::of(measured, CLAIM_MS),
            }));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(per_second: f64, p99_ms: f64) -> Shot {
        let measured = Measured { per_second, cpu_us: 1.0, database_us: 1.0, p50_ms: 1.0, p99_ms };
        Shot { staged: measured, worked: measured }
    }

    #[test]
    fn ratios_are_made_within_a_round() {
        let round = |peer, library| [shot(peer, 1.0), shot(library, 19.0), shot(1.0, 21.0)];
        let rounds = vec![round(10.0, 20.0), round(100.0, 300.0), round(1.0, 1.0)];
        let sheet = Sheet { depth: 7, rounds, prefixes: Vec::new() };
        let ratio = sheet.over_peer(Target::Library, |shot| shot.staged.per_second).unwrap();
        assert_eq!((ratio.low, ratio.median, ratio.high), (1.0, 2.0, 3.0));
        let verdicts: Vec<_> = sheet.judge(true).iter().map(|judged| judged.verdict.passes()).collect();
        assert_eq!(verdicts, [true, true, true, false, false, false]);
        assert_eq!(sheet.judge(false).len(), 4);
    }

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([quantile(&values, 0.5), quantile(&values, 0.99), quantile(&[], 0.5)], [100.0, 198.0, 0.0]);
    }
}
