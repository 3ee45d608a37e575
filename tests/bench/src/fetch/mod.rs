//! Fetches of documents: what the cache makes of them, and what it costs writes.
//!
//! As in `crate::run`, one round measures all targets one after another, so that what else happens on the machine meets
//! all of them, and ratios are made within a round. Everything runs on this machine: the fake origin, doc-cache with its
//! embedded backend, one router with that cache and one without, Redis, and a bare tonic server.

mod aims;
pub mod bare;
mod bulk;
pub mod documents;
pub mod load;
pub mod memory;
mod options;
mod parts;
mod report;
mod results;
mod sheets;
mod shot;
pub mod wire;

pub use options::Options;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::load::Limit;
use crate::origin::Tally;
use crate::page;
use crate::run::machine::{Facts, Neighbours};
use crate::servers::{Server, redis_version};
use crate::usage::Machine;

use load::Load;
use options::Schedule;
use parts::Parts;
use results::{Cell, Results, Target};
use sheets::Shape;
use shot::Aim;

/// How long the cache may take to be warm.
const WARM_PATIENCE: Duration = Duration::from_secs(30);

/// Fetches after the cache was killed and before anything is measured: the breaker opens at the seventh.
const FIRST_WITHOUT: u64 = 2_000;

/// Carries out `layer-bench fetch`.
///
/// # Errors
/// When a server does not start, an answer is wrong, a document cannot be written, or, with `--check`, an aim is missed.
pub fn run(options: &Options) -> Result<()> {
    let schedule = options.schedule()?;
    let mut parts = Parts::start(options)?;
    prepare(&parts)?;
    let (machine, own) = (Machine::now()?, parts.cpu()?);
    let results = measure(options, &schedule, &mut parts)?;
    let own = parts.cpu()?.saturating_sub(own);
    let neighbours = Neighbours::between(machine, Machine::now()?, own);
    let beside = vec![("redis", redis_version()?)];
    let facts = Facts::of(beside, options.router_build.as_deref(), schedule.text(), neighbours)?;
    let text = report::text(&facts, &results);
    println!("{text}");
    if let Some(path) = &options.out {
        page::write(path, "layer-bench fetch", &text)?;
    }
    ensure!(!options.check || aims::all_pass(&results), "an aim is missed; see the table");
    Ok(())
}

/// Fetches through `router`, which has a cache: first everything, until all of it comes from there, then every kind of fetch
/// at every number of connections, about `documents` documents each time.
///
/// # Errors
/// When an answer is wrong, or the cache does not become warm.
pub fn train(router: &Server, connections: &[usize], documents: u64) -> Result<()> {
    warm(router)?;
    for shape in Shape::ALL {
        for sheet in [shape.http(router.address), shape.grpc(router.address)] {
            for &count in connections {
                let mut load = Load::connect(router.address, count, &sheet)?;
                load.run(Limit::Requests(documents / shape.documents()))?.outcome.checked()?;
            }
        }
    }
    Ok(())
}

/// Fills Redis, and the cache by fetching all documents until every one is a hit.
fn prepare(parts: &Parts) -> Result<()> {
    Load::connect(parts.redis.address(), 1, &sheets::fill_redis())?.run(Limit::Requests(documents::COUNT))?;
    warm(&parts.router.server)
}

fn warm(router: &Server) -> Result<()> {
    let sheet = Shape::Batch.http(router.address);
    let all = sheet.questions.len() as u64;
    let deadline = Instant::now() + WARM_PATIENCE;
    loop {
        let stretch = Load::connect(router.address, 1, &sheet)?.run(Limit::Requests(all))?;
        if stretch.hits == all {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "only {} of {all} batches come from the cache: {}",
            stretch.hits,
            router.process.last_words()
        );
    }
}

fn measure(options: &Options, schedule: &Schedule, parts: &mut Parts) -> Result<Results> {
    let mut results = Results::default();
    (results.warm, results.stray_queries) = cells(schedule, parts, &Shape::ALL, &Target::WARM)?;
    let paced = Cell::new(Shape::One, PACED_CONNECTIONS, Some(PACE), &Target::PACED);
    results.paced.push(measure_cell(schedule, parts, paced)?.0);
    eprintln!("bulk writes");
    (results.bulk, results.far) = bulk::measure_both(parts, options, schedule)?;
    for (what, rewritten) in [("new documents are written", 0), ("every tenth row is a document being fetched", 1)] {
        eprintln!("fetches while {what}");
        warm(&parts.router.server)?;
        results.ingestion.push(bulk::ingest(parts, schedule, what, rewritten)?);
    }
    parts.kill_cache()?;
    let router = parts.router.address();
    Load::connect(router, 16, &Shape::One.http(router))?.run(Limit::Requests(FIRST_WITHOUT))?;
    (results.cold, _) = cells(schedule, parts, &[Shape::One], &Target::COLD)?;
    Ok(results)
}

/// How many requests a second where latency is looked at: a fraction of what each target can do.
const PACE: u32 = 8_000;
/// On so many connections.
const PACED_CONNECTIONS: usize = 16;

/// Measures the targets in turn, at every number of connections; also how many queries of the router reached the origin.
fn cells(schedule: &Schedule, parts: &Parts, shapes: &[Shape], targets: &[Target]) -> Result<(Vec<Cell>, u64)> {
    let (mut cells, mut queries) = (Vec::new(), 0);
    for &shape in shapes {
        for &connections in &schedule.connections {
            let (cell, asked) = measure_cell(schedule, parts, Cell::new(shape, connections, None, targets))?;
            queries += asked;
            cells.push(cell);
        }
    }
    Ok((cells, queries))
}

/// Measures the targets of one cell in turn.
fn measure_cell(schedule: &Schedule, parts: &Parts, mut cell: Cell) -> Result<(Cell, u64)> {
    eprintln!("{} at {}", cell.shape.name(), cell.load());
    let targets: Vec<Target> = cell.series.iter().map(|(target, _)| *target).collect();
    let aims: Vec<(Target, Aim<'_>)> =
        targets.into_iter().map(|target| (target, aim(parts, cell.shape, target))).collect();
    let mut queries = 0;
    for round in 0..schedule.rounds {
        for (target, aim) in aims.iter().cycle().skip(round % aims.len()).take(aims.len()) {
            let before = Tally::fetch(parts.origin.address())?;
            let shot = shot::take(aim, cell.connections, cell.pace, schedule)
                .with_context(|| format!("{} at {}", target.name(), cell.load()))?;
            let asked = Tally::fetch(parts.origin.address())?.since(before).lookups;
            queries += if *target == Target::Origin { 0 } else { asked };
            cell.add(*target, shot);
        }
    }
    Ok((cell, queries))
}

fn aim(parts: &Parts, shape: Shape, target: Target) -> Aim<'_> {
    let (part, behind) = match target {
        Target::Http | Target::Grpc => (&parts.router, Some(&parts.cache.family)),
        Target::Down => (&parts.router, None),
        Target::Plain => (&parts.plain, None),
        Target::Bare => (&parts.bare, None),
        Target::Redis => (&parts.redis, None),
        Target::Origin => (&parts.origin, None),
    };
    let address = part.address();
    let sheet = match target {
        Target::Http | Target::Down | Target::Plain => shape.http(address),
        Target::Grpc => shape.grpc(address),
        Target::Bare => shape.bare(address),
        Target::Redis => shape.redis(),
        Target::Origin => shape.origin(address),
    };
    Aim { address, sheet, server: &part.family, behind, own: &parts.own }
}
