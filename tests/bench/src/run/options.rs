//! What the caller may choose.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::case::Case;

/// Options of `layer-bench run`.
#[derive(Debug, Args)]
pub struct Options {
    /// The query-router's binary, built in release mode; without it only nginx and the bare origin are measured.
    #[arg(long, value_name = "PATH")]
    pub router_bin: Option<PathBuf>,
    /// How that binary was built, for the report (`scripts/dist` says it).
    #[arg(long, value_name = "TEXT")]
    pub router_build: Option<String>,
    /// Short rounds, under a minute in all: to see that things work, not to quote.
    #[arg(long)]
    pub quick: bool,
    /// The document whose generated part is replaced with the results.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Fail when the median misses an aim.
    #[arg(long)]
    pub check: bool,
    /// Only these kinds of request (default: all).
    #[arg(long, value_delimiter = ',')]
    pub cases: Vec<Case>,
    /// Only these numbers of connections.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub connections: Vec<usize>,
    /// How often every target is measured (default: 5, quick 2).
    #[arg(long)]
    pub rounds: Option<usize>,
    /// Seconds of each measurement (default: 1.5, quick 0.2); a seventh of it is spent before on warming up.
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Worker processes of nginx: one per core, as the router has a thread per core.
    #[arg(long, default_value_t = 2)]
    pub nginx_workers: usize,
}

/// What is measured, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) cases: Vec<Case>,
    pub(super) connections: Vec<usize>,
    pub(super) rounds: usize,
    pub(super) time: Duration,
    pub(super) warm_up: Duration,
}

impl Options {
    /// The schedule that these options ask for.
    pub(super) fn schedule(&self) -> Result<Schedule> {
        let (rounds, seconds) = if self.quick { (2, 0.2) } else { (5, 1.5) };
        let rounds = self.rounds.unwrap_or(rounds);
        ensure!((1..=100).contains(&rounds), "--rounds: 1 to 100");
        for count in &self.connections {
            ensure!((1..=1_024).contains(count), "--connections {count}: 1 to 1024");
        }
        let time = Duration::try_from_secs_f64(self.seconds.unwrap_or(seconds)).context("--seconds")?;
        ensure!(!time.is_zero() && time <= Duration::from_secs(60), "--seconds: more than 0, at most 60");
        Ok(Schedule {
            cases: if self.cases.is_empty() { Case::ALL.to_vec() } else { self.cases.clone() },
            connections: self.connections.clone(),
            rounds,
            time,
            warm_up: time / 7,
        })
    }
}

impl Schedule {
    /// How long the measurements take with this many targets.
    pub(super) fn total(&self, targets: usize) -> Duration {
        let count = self.cases.len() * self.connections.len() * self.rounds * targets;
        (self.time + self.warm_up) * u32::try_from(count).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn schedule(arguments: &[&str]) -> Result<Schedule> {
        Line::parse_from([&["run"], arguments].concat()).options.schedule()
    }

    #[test]
    fn a_quick_run_takes_under_a_minute_and_a_full_one_under_twelve() {
        assert!(schedule(&["--quick"]).unwrap().total(3) < Duration::from_secs(50));
        assert!(schedule(&[]).unwrap().total(3) < Duration::from_secs(11 * 60));
    }

    #[test]
    fn bounds_are_kept() {
        for wrong in [["--rounds", "0"], ["--connections", "0"], ["--seconds", "-1"], ["--seconds", "1e9"]] {
            let joined = wrong.join("=");
            let error = schedule(&[&joined]).unwrap_err().to_string();
            assert!(error.starts_with(wrong[0]), "{error}");
        }
    }

    #[test]
    fn cases_and_connections_can_be_chosen() {
        let schedule = schedule(&["--cases=write-small,namespaces", "--connections=1,2"]).unwrap();
        assert_eq!(schedule.cases, [Case::WriteSmall, Case::Namespaces]);
        assert_eq!(schedule.connections, [1, 2]);
    }
}
