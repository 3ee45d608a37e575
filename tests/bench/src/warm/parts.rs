//! The servers of a round, and what is asked of them.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::fetch::documents;
use crate::relay;
use crate::servers::{self, Server};
use crate::usage::Family;

use super::client::Client;
use super::figures::Warmed;
use super::{Options, origin};

/// What doc-cache gets for each document: its bytes and what they cost beside, and for its record.
const VALUE_BYTES: u64 = documents::BYTES as u64 + 336;
const RECORD_BYTES: u64 = 256;
/// How long a job may take, and the cache to be found.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Documents of one fetch.
const BATCH: u64 = 1_000;

/// All of them. The fields are dropped in this order, what calls before what it calls.
#[derive(Debug)]
pub(super) struct Parts {
    router: Server,
    cache: Server,
    origin: Server,
    /// Where the origin is read: itself, or the relay before it.
    pub(super) source: SocketAddr,
    _directory: TempDir,
}

#[derive(Deserialize)]
struct Job {
    id: String,
    status: String,
    documents_warmed: u64,
    error: Option<String>,
}

impl Parts {
    pub(super) fn start(options: &Options, delay: Duration) -> Result<Self> {
        let directory = TempDir::new().context("a temporary directory")?;
        let path = directory.path();
        let origin = servers::origin(path)?;
        let source = if delay.is_zero() { origin.address } else { relay::start(origin.address, delay)? };
        // A tenth more, so that records too are all kept.
        let bytes = |each: u64| options.documents * each * 11 / 10 + (256 << 20);
        let given = [
            format!("--embedded-memory-bytes={}", bytes(VALUE_BYTES)),
            format!("--embedded-records-bytes={}", bytes(RECORD_BYTES)),
        ];
        let cache = servers::doc_cache(&options.cache_bin, path, &given)?;
        let own = [
            format!("--cache-addresses={}", cache.address),
            "--object-store-backend=directory".to_owned(),
            format!("--object-store-directory={}", path.join("objects").display()),
        ];
        let flags = [&own[..], &options.router_flag].concat();
        let router = servers::router_with("router", &options.router_bin, path, source, &flags)?;
        Ok(Self { router, cache, origin, source, _directory: directory })
    }

    /// Where the router is.
    pub(super) fn router_address(&self) -> SocketAddr {
        self.router.address
    }

    /// Waits until the router has found the cache: it refuses warm jobs before.
    pub(super) fn wait_until_it_warms(&self) -> Result<()> {
        let mut client = Client::connect(self.router.address)?;
        let target = format!("/v2/namespaces/{}/warm", origin::namespace(1));
        until("the router takes no warm job", || Ok(client.call("POST", &target, "")?.status == 202))
    }

    /// Warms all documents, from the request to the last one that is served from the cache.
    pub(super) fn warm(&self, count: u64) -> Result<Warmed> {
        let namespace = origin::namespace(count);
        let mut client = Client::connect(self.router.address)?;
        let (begun, before) = (Instant::now(), self.cpus()?);
        let answer = client.good("POST", &format!("/v2/namespaces/{namespace}/warm"), "")?;
        let mut job = serde_json::from_slice::<Job>(&answer.body)?;
        let target = format!("/v2/namespaces/{namespace}/warm-jobs/{}", job.id);
        until("the job does not end", || {
            job = serde_json::from_slice(&client.good("GET", &target, "")?.body)?;
            Ok(job.status != "running")
        })?;
        if job.status != "completed" || job.documents_warmed != count {
            bail!("the job {} with {} documents: {:?}", job.status, job.documents_warmed, job.error);
        }
        // What it handed over is stored in its order: the last is there when all are.
        let last = count - count.min(100)..count;
        until("the last documents do not come from the cache", || fetch(&mut client, &namespace, last.clone()))?;
        let (time, after) = (begun.elapsed(), self.cpus()?);
        let family = Family::only(self.router.process.pid());
        let cpu = [0, 1, 2].map(|part| after[part].saturating_sub(before[part]));
        Ok(Warmed { time, cpu, router_peak_bytes: family.peak_resident_bytes()? })
    }

    /// Fetches all documents, each of which must be the origin's and come from the cache.
    pub(super) fn all_are_hits(&self, count: u64) -> Result<()> {
        let namespace = origin::namespace(count);
        let mut client = Client::connect(self.router.address)?;
        for first in (0..count).step_by(usize::try_from(BATCH)?) {
            let ids = first..count.min(first + BATCH);
            // A look-up may be late where the machine is busy; a document that is not there stays missing from it.
            let mut tries = (0..20).map(|_| fetch(&mut client, &namespace, ids.clone()));
            let hit = tries.find(|hit| !matches!(hit, Ok(false))).context("not all documents are in the cache")?;
            hit?;
        }
        Ok(())
    }

    /// The CPU time of the router, the cache and the origin.
    fn cpus(&self) -> Result<[Duration; 3]> {
        let parts = [&self.router, &self.cache, &self.origin];
        let mut cpus = [Duration::ZERO; 3];
        for (cpu, part) in cpus.iter_mut().zip(parts) {
            *cpu = Family::only(part.process.pid()).cpu()?;
        }
        Ok(cpus)
    }

    /// The CPU time of everything that belongs to the round but this process.
    pub(super) fn cpu(&self) -> Result<Duration> {
        Ok(self.cpus()?.iter().sum())
    }
}

/// Whether all these documents came from the cache. They must be right in any case.
fn fetch(client: &mut Client, namespace: &str, ids: std::ops::Range<u64>) -> Result<bool> {
    let names: Vec<String> = ids.clone().map(|id| id.to_string()).collect();
    let body = format!(r#"{{"ids":[{}]}}"#, names.join(","));
    let answer = client.good("POST", &format!("/v2/namespaces/{namespace}/documents"), &body)?;
    ensure!(answer.body == documents::shown_batch(ids.clone()).into_bytes(), "the documents {ids:?} are wrong");
    Ok(answer.hit)
}

/// Asks until it is so. Jobs tell nobody that they have ended; who asks without a pause takes the time of what is measured.
fn until(otherwise: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        ensure!(begun.elapsed() < PATIENCE, "{otherwise}");
        thread::park_timeout(LOOK_EVERY);
    }
    Ok(())
}
