//! graphile-worker as a process that takes orders: `tests/bench/peer`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::drive::{Done, Order};

/// Jobs that it works on at a time, and connections that it may have: what made it fastest on two cores.
pub(super) const CONCURRENCY: usize = 200;
pub(super) const CONNECTIONS: usize = 10;

/// The process.
#[derive(Debug)]
pub(super) struct Peer {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    log: std::path::PathBuf,
    /// The version of Node that runs it.
    pub(super) node: String,
    /// Its own.
    pub(super) version: String,
}

#[derive(Deserialize)]
struct Answer {
    all: u64,
    jobs: u64,
    seconds: f64,
    #[serde(default)]
    claims_us: Vec<f64>,
}

impl Peer {
    /// Starts it in `installed`, where `tests/bench/peer` has been installed, on the database at `url`.
    pub(super) fn start(installed: &Path, directory: &Path, url: &str) -> Result<Self> {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        let node = installed.join(format!("node_modules/node-linux-{architecture}/bin/node"));
        ensure!(node.exists(), "--peer: {} is missing; see tests/bench/README.md", node.display());
        let log = directory.join("peer.log");
        let options = json!({"url": url, "connections": CONNECTIONS});
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(node)
            .arg(installed.join("peer.mjs"))
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("starting setpriv (Debian: util-linux)")?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take().context("its output")?);
        let mut peer =
            Self { child, orders, answers: BufReader::new(answers), log, node: String::new(), version: String::new() };
        let ready = peer.read()?;
        let told = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        (peer.node, peer.version) = (told("node"), told("version"));
        Ok(peer)
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Brings the queue to its depth.
    pub(super) fn fill(&mut self, depth: u64) -> Result<()> {
        let answer = self.order(&json!({"order": "fill", "depth": depth}))?;
        ensure!(answer["depth"].as_u64() >= Some(depth), "it has {} jobs, not {depth}", answer["depth"]);
        Ok(())
    }

    /// Stages jobs in batches.
    pub(super) fn stage(&mut self, order: Order) -> Result<Done> {
        let Order { jobs, batch, at_once, within } = order;
        let seconds = within.as_secs_f64();
        self.measured(&json!({"order": "stage", "jobs": jobs, "batch": batch, "callers": at_once, "seconds": seconds}))
    }

    /// Works jobs off.
    pub(super) fn work(&mut self, order: Order) -> Result<Done> {
        let Order { jobs, batch, .. } = order;
        self.measured(&json!({"order": "work", "jobs": jobs, "batch": batch, "concurrency": CONCURRENCY}))
    }

    fn measured(&mut self, order: &Value) -> Result<Done> {
        let Answer { all, jobs, seconds, claims_us } = serde_json::from_value(self.order(order)?)?;
        Ok(Done { all, jobs, time: Duration::try_from_secs_f64(seconds)?, claims_us })
    }

    fn order(&mut self, order: &Value) -> Result<Value> {
        let orders = self.orders.as_mut().context("it takes no orders any more")?;
        writeln!(orders, "{order}").context("an order")?;
        self.read()
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line).context("an answer")?;
        let said = || std::fs::read_to_string(&self.log).unwrap_or_default();
        ensure!(!line.is_empty(), "graphile-worker ended: {}", said());
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends by itself when no order can come any more.
        self.orders = None;
        let mut rest = String::new();
        while self.answers.read_line(&mut rest).is_ok_and(|bytes| bytes > 0) {}
        if self.child.wait().is_err() {
            eprintln!("graphile-worker: process {} could not be ended", self.child.id());
        }
    }
}
