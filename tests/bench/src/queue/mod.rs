//! Queues: how fast jobs are staged, claimed and completed, and how long a claim takes, beside a peer on the same server.
//!
//! Each round measures the peer, the queue in this process, and pipeline-worker over gRPC, one right after the other: what
//! else happens on the machine meets all of them, and ratios are made within a round. Before each shot the queue is
//! brought to its depth again, and the server has written back what it owes its disk.

mod cluster;
mod drive;
mod figures;
mod library;
mod peer;
mod questions;
mod report;
mod service;

use std::path::PathBuf;
use std::process;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::page;
use crate::run::machine::{Facts, Neighbours};
use crate::usage::{Machine, cpu_of_all_below};

use cluster::Cluster;
use drive::{Done, Names, Order};
use figures::{Measured, Sheet, Shot, Target};
use library::{Library, PIPELINE};
use peer::Peer;
use service::{Service, Worker};

/// The databases of the two sides.
const OURS: &str = "layer";
const THEIRS: &str = "peer";

/// Options of `layer-bench queue`.
#[derive(Debug, Args)]
pub struct Options {
    /// pipeline-worker's binary.
    #[arg(long, value_name = "PATH")]
    pub worker_bin: PathBuf,
    /// Where `tests/bench/peer` has been installed (`make bench` does it).
    #[arg(long, value_name = "FOLDER")]
    pub peer: PathBuf,
    /// How many jobs wait, in growing order.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000])]
    pub depths: Vec<u64>,
    /// How often each target is measured at each depth.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Jobs of one measurement.
    #[arg(long, default_value_t = 20_000)]
    pub jobs: u64,
    /// Jobs of one call.
    #[arg(long, default_value_t = 100)]
    pub batch: usize,
    /// Callers and workers at once.
    #[arg(long, default_value_t = 4)]
    pub at_once: usize,
    /// The time after which a measurement of staging ends, through or not.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// A statement that changes our database before anything is measured, for example an index to be judged.
    #[arg(long, value_name = "SQL")]
    pub alter: Option<String>,
    /// Further flags for pipeline-worker.
    #[arg(long, value_name = "FLAG")]
    pub worker_flag: Vec<String>,
    /// The document whose generated part about queues is replaced with the results.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Fail when a median misses an aim.
    #[arg(long)]
    pub check: bool,
}

/// Carries out `layer-bench queue`.
///
/// # Errors
/// When a part does not start, a job is lost or refused, or, with `--check`, an aim is missed.
pub fn run(options: &Options) -> Result<()> {
    let order = order(options)?;
    let mut parts = Parts::start(options)?;
    let (machine, before) = (Machine::now()?, cpu_of_all_below(process::id())?);
    let mut sheets = Vec::new();
    for &depth in &options.depths {
        sheets.push(parts.measure(depth, options.rounds, order)?);
    }
    let waiting = [0, 100].map(|claims| parts.wait(claims));
    let waiting = waiting.into_iter().collect::<Result<Vec<_>>>()?;
    let own = cpu_of_all_below(process::id())?.saturating_sub(before);
    let neighbours = Neighbours::between(machine, Machine::now()?, own);
    let mut facts = Facts::of(parts.beside()?, None, schedule(options), neighbours)?;
    facts.lines.retain(|(name, _)| *name != "router");
    let text = report::text(&facts, &sheets, &waiting);
    println!("{text}");
    if let Some(path) = &options.out {
        page::write(path, "layer-bench queue", &text)?;
    }
    ensure!(!options.check || report::all_pass(&sheets), "an aim is missed; see the table");
    Ok(())
}

fn order(options: &Options) -> Result<Order> {
    let Options { jobs, batch, at_once, .. } = *options;
    ensure!((1..=1_000).contains(&batch), "--batch: 1 to 1000");
    ensure!((1..=32).contains(&at_once), "--at-once: 1 to 32");
    ensure!((1..=100).contains(&options.rounds), "--rounds: 1 to 100");
    ensure!(
        jobs % batch as u64 == 0 && jobs >= 10 * batch as u64,
        "--jobs: a multiple of --batch, ten times it or more"
    );
    ensure!(options.depths.iter().all(|depth| (1..=10_000_000).contains(depth)), "--depths: 1 to 10000000");
    let within = Duration::try_from_secs_f64(options.seconds).context("--seconds")?;
    Ok(Order { jobs, batch, at_once, within })
}

fn schedule(options: &Options) -> String {
    format!(
        "{} rounds of {} jobs for each queue at each depth, in batches of {}, {} callers or workers at once; medians over the rounds",
        options.rounds, options.jobs, options.batch, options.at_once
    )
}

/// Everything that runs. The fields are dropped in this order, what calls before what it calls.
struct Parts {
    runtime: Runtime,
    library: Library,
    service: Service,
    peer: Peer,
    worker: Worker,
    cluster: Cluster,
    names: Names,
    _directory: TempDir,
}

impl Parts {
    fn start(options: &Options) -> Result<Self> {
        let directory = TempDir::new().context("a temporary directory")?;
        let cluster = Cluster::start()?;
        cluster.database(OURS)?;
        cluster.database(THEIRS)?;
        let (ours, theirs) = (cluster.url(OURS), cluster.url(THEIRS));
        let runtime = Builder::new_multi_thread().enable_all().build().context("a runtime")?;
        let worker = Worker::start(&options.worker_bin, directory.path(), &ours, &options.worker_flag)?;
        let service = runtime.block_on(worker.connect())?;
        runtime.block_on(service.create(PIPELINE))?;
        if let Some(statement) = &options.alter {
            cluster.sql(OURS, statement).context("--alter")?;
        }
        let library = runtime.block_on(Library::open(&ours, options.at_once))?;
        let peer = Peer::start(&options.peer, directory.path(), &theirs)?;
        Ok(Self { runtime, library, service, peer, worker, cluster, names: Names::default(), _directory: directory })
    }

    /// What the figures stand beside.
    fn beside(&self) -> Result<Vec<(&'static str, String)>> {
        let flush = format!("a write of 8 KiB is on it after {:.2} ms (median)", self.cluster.flush_ms()?);
        Ok(vec![
            ("postgresql", format!("{}, its own defaults (fsync on)", self.cluster.version()?)),
            ("disk", flush),
            ("peer", format!("graphile-worker {}, Node {}", self.peer.version, self.peer.node)),
        ])
    }

    fn measure(&mut self, depth: u64, rounds: usize, order: Order) -> Result<Sheet> {
        eprintln!("filling both queues to {depth}");
        self.fill(depth)?;
        // What a queue that was filled slowly would have had done in the background.
        [OURS, THEIRS].iter().try_for_each(|database| self.cluster.sql(database, "VACUUM ANALYZE").map(drop))?;
        let mut sheet = Sheet { depth, rounds: Vec::new(), prefixes: Vec::new() };
        for round in 0..rounds {
            eprintln!("{depth} waiting, round {}", round + 1);
            let mut shots = [None; 3];
            for target in Target::ALL.into_iter().cycle().skip(round % 3).take(3) {
                shots[target as usize] = Some(self.shot(target, depth, order).with_context(|| target.name())?);
            }
            let [Some(peer), Some(library), Some(service)] = shots else { continue };
            sheet.rounds.push([peer, library, service]);
        }
        self.fill(depth)?;
        sheet.prefixes = self.by_prefix(depth)?;
        Ok(sheet)
    }

    fn fill(&mut self, depth: u64) -> Result<()> {
        self.runtime.block_on(self.library.fill(&self.names, depth))?;
        self.peer.fill(depth)
    }

    fn shot(&mut self, target: Target, depth: u64, order: Order) -> Result<Shot> {
        self.fill(depth)?;
        let staged = self.phase(target, |parts| match target {
            Target::Peer => parts.peer.stage(order),
            Target::Library => parts.runtime.block_on(drive::stage(&parts.library, &parts.names, order)),
            Target::Service => parts.runtime.block_on(drive::stage(&parts.service, &parts.names, order)),
        })?;
        // Staging may have ended early.
        self.fill(depth + order.jobs)?;
        let worked = self.phase(target, |parts| match target {
            Target::Peer => parts.peer.work(order),
            Target::Library => parts.runtime.block_on(drive::work(&parts.library, order)),
            Target::Service => parts.runtime.block_on(drive::work(&parts.service, order)),
        })?;
        Ok(Shot { staged, worked })
    }

    fn phase(&mut self, target: Target, act: impl FnOnce(&mut Self) -> Result<Done>) -> Result<Measured> {
        self.cluster.sql("postgres", "CHECKPOINT")?;
        let before = self.cpus(target)?;
        let mut done = act(self)?;
        let after = self.cpus(target)?;
        let cpu = [0, 1].map(|part| after[part].saturating_sub(before[part]));
        let jobs = done.all;
        Ok(Measured::of(&mut done, jobs, cpu))
    }

    /// The CPU time of the process that runs the queue, and of the database.
    fn cpus(&self, target: Target) -> Result<[Duration; 2]> {
        let queue = match target {
            Target::Peer => cpu_of_all_below(self.peer.pid())?,
            Target::Library => crate::usage::Family::only(process::id()).cpu()?,
            Target::Service => cpu_of_all_below(self.worker.pid())?,
        };
        Ok([queue, cpu_of_all_below(self.cluster.pid())?])
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        // The server waits for its clients as it stops.
        self.runtime.block_on(self.library.close());
    }
}
