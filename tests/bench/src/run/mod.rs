//! The comparison: every case, at every number of connections, through every target in turn.
//!
//! One round measures all targets one after another, so that what else happens on the machine meets all of them; the
//! order turns from round to round. Ratios are made within a round and their median is shown with the lowest and
//! highest. CPU time is that of the target's own processes; the fake origin and the load generator are shown apart.

mod aims;
pub(crate) mod machine;
mod options;
mod proof;
mod report;
mod results;
mod shot;
mod targets;

pub use options::Options;

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::page;
use crate::usage::Machine;

use machine::{Facts, Neighbours};
use options::Schedule;
use results::Results;
use targets::Targets;

/// Carries out `layer-bench run`.
///
/// # Errors
/// When a server does not start, an answer is wrong, a document cannot be written, or, with `--check`, an aim is missed.
pub fn run(options: &Options) -> Result<()> {
    let schedule = options.schedule()?;
    let targets = Targets::start(options)?;
    for target in targets.all() {
        proof::check(target, targets.origin.address).with_context(|| target.name())?;
    }
    eprintln!("about {:.0} s of measurements", schedule.total(targets.all().len()).as_secs_f64());
    let (results, neighbours) = measure(&schedule, &targets)?;
    let facts = Facts::gather(options, &schedule, neighbours)?;
    let text = report::text(&facts, &results);
    println!("{text}");
    if let Some(path) = &options.out {
        page::write(path, "layer-bench", &text)?;
    }
    ensure!(!options.check || aims::all_pass(&results), "an aim is missed; see the table");
    Ok(())
}

fn measure(schedule: &Schedule, targets: &Targets) -> Result<(Results, Neighbours)> {
    let mut results = Results::new(schedule);
    let (machine, own) = (Machine::now()?, targets.cpu_with_own()?);
    for &case in &schedule.cases {
        for &connections in &schedule.connections {
            eprintln!("{} at {connections} connections", case.name());
            for round in 0..schedule.rounds {
                for target in targets.in_order_of(round) {
                    let shot = shot::take(target, targets, case, connections, schedule)
                        .with_context(|| format!("{} at {connections} connections, {}", case.name(), target.name()))?;
                    results.add(case, connections, target.kind, shot);
                }
            }
        }
    }
    for target in targets.all() {
        if let Some(family) = &target.family {
            results.resident(target.kind, family.peak_resident_bytes()?);
        }
    }
    let own = targets.cpu_with_own()?.saturating_sub(own);
    Ok((results, Neighbours::between(machine, Machine::now()?, own)))
}

/// µs, as a number.
fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
