//! What the caller may choose.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

/// Options of `layer-bench fetch`.
#[derive(Debug, Args)]
pub struct Options {
    /// The query-router's binary.
    #[arg(long, value_name = "PATH")]
    pub router_bin: PathBuf,
    /// doc-cache's binary.
    #[arg(long, value_name = "PATH")]
    pub cache_bin: PathBuf,
    /// How the router was built, for the report (`scripts/dist` says it).
    #[arg(long, value_name = "TEXT")]
    pub router_build: Option<String>,
    /// Short rounds, half a minute in all: to see that things work, not to quote.
    #[arg(long)]
    pub quick: bool,
    /// The document whose generated part about fetches is replaced with the results.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Fail when the median misses an aim.
    #[arg(long)]
    pub check: bool,
    /// Only these numbers of connections.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub connections: Vec<usize>,
    /// How often every target is measured (default: 4, quick 2).
    #[arg(long)]
    pub rounds: Option<usize>,
    /// Seconds of each measurement (default: 1, quick 0.2); a seventh of it is spent before on warming up.
    #[arg(long)]
    pub seconds: Option<f64>,
}

/// What is measured, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) connections: Vec<usize>,
    pub(super) rounds: usize,
    pub(super) time: Duration,
    pub(super) warm_up: Duration,
    /// Bulk writes through each way.
    pub(super) writes: usize,
}

impl Options {
    pub(super) fn schedule(&self) -> Result<Schedule> {
        let (rounds, seconds, writes) = if self.quick { (2, 0.2, 5) } else { (4, 1.0, 25) };
        let rounds = self.rounds.unwrap_or(rounds);
        ensure!((1..=100).contains(&rounds), "--rounds: 1 to 100");
        for count in &self.connections {
            ensure!((1..=1_024).contains(count), "--connections {count}: 1 to 1024");
        }
        let time = Duration::try_from_secs_f64(self.seconds.unwrap_or(seconds)).context("--seconds")?;
        ensure!(!time.is_zero() && time <= Duration::from_secs(60), "--seconds: more than 0, at most 60");
        Ok(Schedule { connections: self.connections.clone(), rounds, time, warm_up: time / 7, writes })
    }
}

impl Schedule {
    /// The schedule as the report tells it.
    pub(super) fn text(&self) -> String {
        format!(
            "{} rounds of {:.2} s for each target, after {:.2} s of warm-up; {} bulk writes each way; medians over the rounds",
            self.rounds,
            self.time.as_secs_f64(),
            self.warm_up.as_secs_f64(),
            self.writes
        )
    }
}
