//! Where and how a run took place: a figure without its machine says nothing.

use std::env;
use std::fs;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::servers::nginx_version;
use crate::usage::{Machine, ticks_per_second};

use super::options::{Options, Schedule};

/// What else ran meanwhile, as shares of all the processor time there was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Neighbours {
    /// Used by processes that are no part of the run.
    pub(crate) others: f64,
    /// Taken by the hypervisor.
    pub(crate) stolen: f64,
}

impl Neighbours {
    /// From two looks at the machine and the run's own CPU time between them.
    pub(crate) fn between(before: Machine, after: Machine, own: Duration) -> Self {
        let total = (after.total - before.total).max(1) as f64;
        let busy = (after.busy - before.busy) as f64;
        let own = own.as_secs_f64() * ticks_per_second() as f64;
        Self { others: ((busy - own) / total).max(0.0), stolen: (after.stolen - before.stolen) as f64 / total }
    }

    /// Whether other processes took enough to bend the figures.
    pub(crate) fn disturb(self) -> bool {
        self.others + self.stolen > 0.05
    }
}

/// The facts of a run, one line each: name and value.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) lines: Vec<(&'static str, String)>,
    pub(crate) neighbours: Neighbours,
}

impl Facts {
    pub(super) fn gather(options: &Options, schedule: &Schedule, neighbours: Neighbours) -> Result<Self> {
        let schedule = format!(
            "{} rounds of {:.2} s for each target, after {:.2} s of warm-up; medians over the rounds",
            schedule.rounds,
            schedule.time.as_secs_f64(),
            schedule.warm_up.as_secs_f64()
        );
        let nginx = format!("{}, {} workers", nginx_version()?, options.nginx_workers);
        Self::of(vec![("nginx", nginx)], options.router_build.as_deref(), schedule, neighbours)
    }

    /// The facts of any run; `beside` are what the router is compared with.
    pub(crate) fn of(
        beside: Vec<(&'static str, String)>,
        router_build: Option<&str>,
        schedule: String,
        neighbours: Neighbours,
    ) -> Result<Self> {
        let cores = available_parallelism().context("the number of cores")?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("the kernel's version")?;
        let shared = if neighbours.disturb() { "shared" } else { "quiet" };
        let mut lines = vec![
            ("date", output("date", &["-u", "+%F %H:%M UTC"])),
            ("commit", commit()),
            ("command", command()),
            ("machine", format!("{}, {cores} cores, {} of memory", processor(), memory())),
            ("kernel", format!("Linux {}", kernel.trim())),
        ];
        lines.extend(beside);
        lines.extend([
            ("rustc", output("rustc", &["--version"])),
            ("router", router_build.unwrap_or("it is not said how it was built").to_owned()),
            ("schedule", schedule),
            (
                "neighbours",
                format!(
                    "{shared}: other processes took {:.1} % of the processors, the hypervisor {:.1} %",
                    neighbours.others * 100.0,
                    neighbours.stolen * 100.0
                ),
            ),
        ]);
        Ok(Self { lines, neighbours })
    }

    /// As a list, with a warning where others disturbed the run.
    pub(crate) fn text(&self) -> String {
        let mut text: String = self.lines.iter().map(|(name, value)| format!("- {name}: {value}\n")).collect();
        if self.neighbours.disturb() {
            text.push_str("\nOther work ran on this machine meanwhile: read the ratios with their range, and trust no single latency.\n");
        }
        text
    }
}

/// The command line with the folders of paths left out: they are this machine's business.
fn command() -> String {
    let words: Vec<String> = env::args().map(|word| without_folders(&word)).collect();
    words.join(" ")
}

fn without_folders(word: &str) -> String {
    let (name, value) = word.split_once('=').map_or(("", word), |(name, value)| (name, value));
    let value = if value.starts_with('/') { value.rsplit('/').next().unwrap_or(value) } else { value };
    if name.is_empty() { value.to_owned() } else { format!("{name}={value}") }
}

fn commit() -> String {
    let hash = output("git", &["rev-parse", "--short", "HEAD"]);
    let changes = output("git", &["status", "--porcelain", "--untracked-files=no"]);
    if changes.is_empty() { hash } else { format!("{hash} with local changes") }
}

/// What a command prints, or nothing: a missing tool must not cost a run its results.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    field(&text, "model name").unwrap_or("unknown processor").to_owned()
}

fn memory() -> String {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes: f64 =
        field(&text, "MemTotal").and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0.0);
    format!("{:.0} GiB", kibibytes / 1_048_576.0)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_run_itself_used_is_no_neighbour() {
        let before = Machine { total: 1_000, busy: 100, stolen: 0 };
        let after = Machine { total: 2_000, busy: 700, stolen: 20 };
        let own = Duration::from_secs_f64(500.0 / ticks_per_second() as f64);
        let neighbours = Neighbours::between(before, after, own);
        assert!((neighbours.others - 0.1).abs() < 1e-9, "{neighbours:?}");
        assert!((neighbours.stolen - 0.02).abs() < 1e-9, "{neighbours:?}");
        assert!(neighbours.disturb());
    }

    #[test]
    fn folders_are_left_out_of_the_command() {
        assert_eq!(without_folders("--router-bin=/a/b/query-router"), "--router-bin=query-router");
        assert_eq!(without_folders("/a/b/layer-bench"), "layer-bench");
        assert_eq!(without_folders("--out=docs/benchmarks.md"), "--out=docs/benchmarks.md");
    }
}
