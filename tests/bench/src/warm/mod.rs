//! Warming a namespace: how fast a job reads it into the document cache.
//!
//! Each round starts an empty mesh, warms a namespace, and then fetches every document of it through the router: one that is
//! not a hit, or has another byte than the origin's, fails the run. Beside it the same queries are sent to the origin
//! without Layer, with as many in flight. An origin far away is the same one behind a relay that holds every request back.

mod alone;
mod client;
mod fetches;
mod figures;
pub mod origin;
mod parts;
mod report;

use std::path::PathBuf;
use std::process;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;

use crate::page;
use crate::run::machine::{Facts, Neighbours};
use crate::usage::{Family, Machine};

use fetches::Fetches;
use figures::{Figures, Sheet};
use parts::Parts;

/// Queries for rows that a job has in flight (`warm.queries_max`), the ids of one (`fetch.query_ids_max`), and the ids of a
/// page.
const QUERIES: usize = 4;
const QUERY_IDS: u64 = 1_000;
const PAGE_IDS: u64 = 10_000;

/// How long fetches are measured before the job.
const QUIET: Duration = Duration::from_secs(1);

/// Options of `layer-bench warm`.
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
    /// How many documents.
    #[arg(long, default_value_t = 200_000)]
    pub documents: u64,
    /// How often each origin is warmed from.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// How long the origin that is far away holds every request back, in milliseconds.
    #[arg(long, default_value_t = 50)]
    pub delay_ms: u64,
    /// Further flags for the router, for example `--router-flag=--warm-queries-max=8`.
    #[arg(long, value_name = "FLAG")]
    pub router_flag: Vec<String>,
    /// The document whose generated part about warming is replaced with the results.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Fail when a median misses an aim.
    #[arg(long)]
    pub check: bool,
}

/// Carries out `layer-bench warm`.
///
/// # Errors
/// When a server does not start, a job fails, a document is missing or wrong, or, with `--check`, an aim is missed.
pub fn run(options: &Options) -> Result<()> {
    ensure!((1..=10_000_000).contains(&options.documents), "--documents: 1 to 10000000");
    ensure!((1..=100).contains(&options.rounds), "--rounds: 1 to 100");
    let (machine, itself) = (Machine::now()?, Family::only(process::id()));
    let (before, mut own) = (itself.cpu()?, Duration::ZERO);
    let mut sheets = Vec::new();
    for delay_ms in [0, options.delay_ms] {
        let mut sheet = Sheet { delay_ms, rounds: Vec::new() };
        for round in 0..options.rounds {
            eprintln!("warming from an origin {delay_ms} ms away, round {}", round + 1);
            let parts = Parts::start(options, Duration::from_millis(delay_ms))?;
            sheet.rounds.push(measure(options, &parts)?);
            own += parts.cpu()?;
        }
        sheets.push(sheet);
    }
    own += itself.cpu()?.saturating_sub(before);
    let neighbours = Neighbours::between(machine, Machine::now()?, own);
    let schedule =
        format!("{} rounds of {} documents of 1 KiB; medians over the rounds", options.rounds, options.documents);
    let facts = Facts::of(Vec::new(), options.router_build.as_deref(), schedule, neighbours)?;
    let text = report::text(&facts, &sheets);
    println!("{text}");
    if let Some(path) = &options.out {
        page::write(path, "layer-bench warm", &text)?;
    }
    ensure!(!options.check || sheets.iter().all(|sheet| sheet.verdict().passes()), "an aim is missed; see the table");
    Ok(())
}

fn measure(options: &Options, parts: &Parts) -> Result<Figures> {
    let alone = alone::read(parts.source, options.documents)?;
    parts.wait_until_it_warms()?;
    let quiet = Fetches::start(parts.router_address())?.stop_after(QUIET)?;
    let fetches = Fetches::start(parts.router_address())?;
    let warmed = parts.warm(options.documents)?;
    let meanwhile = fetches.stop_after(Duration::ZERO)?;
    parts.all_are_hits(options.documents)?;
    Ok(Figures { alone, warmed, quiet, meanwhile, documents: options.documents })
}
