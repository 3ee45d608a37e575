//! A million documents of 1 KiB in doc-cache's embedded backend, and how much memory that takes.
//!
//! They are stored the way a router stores them: looked up, and filled under the leases that the misses gave. Then all are
//! read back, so that what was evicted is seen; one that is there with other bytes than were stored fails the run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::Args;
use layer_proto::cache::v1::doc_cache_service_client::DocCacheServiceClient;
use layer_proto::cache::v1::{BatchFillRequest, BatchGetRequest, Body, Fill, Lease, Scope, lookup};
use tonic::transport::Channel;

use crate::servers;
use crate::usage::Family;

use super::documents;

/// Documents in one call.
const AT_ONCE: u64 = 1_000;
/// What a value takes beside its own bytes, as the setting's documentation says, and a little more.
const BESIDE_VALUE: u64 = 336;
/// What a key takes, likewise.
const KEY: u64 = 256;
/// What the process may take beside what it is given for values and records: itself, and requests under way.
const PROCESS_MB: f64 = 64.0;
/// How long the cache may take until it gives leases.
const PATIENCE: Duration = Duration::from_secs(10);

/// Options of `layer-bench cache-memory`.
#[derive(Debug, Args)]
pub struct Options {
    /// doc-cache's binary.
    #[arg(long, value_name = "PATH")]
    pub cache_bin: PathBuf,
    /// How many documents.
    #[arg(long, default_value_t = 1_000_000)]
    pub documents: u64,
    /// Fail when it takes more memory than it was given, or does not hold all documents.
    #[arg(long)]
    pub check: bool,
}

/// Carries out `layer-bench cache-memory`.
///
/// # Errors
/// When the cache does not start or fails a call, or, with `--check`, a bound is missed.
pub fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime")?;
    runtime.block_on(measure(options))
}

async fn measure(options: &Options) -> Result<()> {
    let directory = tempfile::tempdir().context("a temporary directory")?;
    let memory = options.documents * (documents::BYTES as u64 + BESIDE_VALUE);
    let records = options.documents * KEY;
    let given = [format!("--embedded-memory-bytes={memory}"), format!("--embedded-records-bytes={records}")];
    let server = servers::doc_cache(&options.cache_bin, directory.path(), &given)?;
    let family = Family::only(server.process.pid());
    let empty = family.peak_resident_bytes()?;
    let client = DocCacheServiceClient::connect(format!("http://{}", server.address)).await?;
    let mut cache = Cache { client: client.max_decoding_message_size(64 << 20) };
    cache.wait_until_it_leases().await?;

    let begun = Instant::now();
    for first in (0..options.documents).step_by(step()) {
        cache.store(first..options.documents.min(first + AT_ONCE)).await?;
    }
    let stored = begun.elapsed();
    let begun = Instant::now();
    let mut found = 0;
    for first in (0..options.documents).step_by(step()) {
        found += cache.read(first..options.documents.min(first + AT_ONCE)).await?;
    }
    let read = begun.elapsed();

    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let (peak, given) = (megabytes(family.peak_resident_bytes()?), megabytes(memory + records));
    let rate = |time: Duration| options.documents as f64 / time.as_secs_f64();
    println!("documents             {} of {} bytes", options.documents, documents::BYTES);
    println!("found again           {found}");
    println!(
        "given                 {given:.0} MB ({:.0} for values, {:.0} for records)",
        megabytes(memory),
        megabytes(records)
    );
    println!("highest RSS           {peak:.0} MB, of which {:.0} MB when it was empty", megabytes(empty));
    println!("RSS over given        {:.2}", peak / given);
    println!("stored                {:.0} documents/s", rate(stored));
    println!("read back             {:.0} documents/s", rate(read));
    let fits = peak <= given + PROCESS_MB;
    println!("within what it was given and {PROCESS_MB:.0} MB for itself: {}", if fits { "PASS" } else { "OVER" });
    println!("all documents held: {}", if found == options.documents { "PASS" } else { "OVER" });
    ensure!(!options.check || (fits && found == options.documents), "a bound is missed");
    Ok(())
}

fn step() -> usize {
    usize::try_from(AT_ONCE).unwrap_or(1)
}

struct Cache {
    client: DocCacheServiceClient<Channel>,
}

/// What was found of each key, in their order.
type Looked = Vec<Option<lookup::Outcome>>;

impl Cache {
    async fn wait_until_it_leases(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let looked = self.look_up(0..1).await?;
            if matches!(looked[..], [Some(lookup::Outcome::Lease(_))]) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the cache gives no leases");
        }
    }

    async fn look_up(&mut self, ids: std::ops::Range<u64>) -> Result<Looked> {
        let count = usize::try_from(ids.end - ids.start)?;
        let request = BatchGetRequest { scope: Some(scope()), ids: ids.map(key).collect() };
        let mut pieces = self.client.batch_get(request).await?.into_inner();
        let mut looked = vec![None; count];
        while let Some(piece) = pieces.message().await? {
            for one in piece.lookups {
                let place = looked.get_mut(one.index as usize).context("a look-up of no key")?;
                *place = one.lookup.and_then(|lookup| lookup.outcome);
            }
        }
        Ok(looked)
    }

    async fn store(&mut self, ids: std::ops::Range<u64>) -> Result<()> {
        let looked = self.look_up(ids.clone()).await?;
        let mut fills = Vec::with_capacity(looked.len());
        for (id, outcome) in ids.zip(looked) {
            let Some(lookup::Outcome::Lease(lease)) = outcome else {
                anyhow::bail!("no lease for document {id}");
            };
            fills.push(fill(id, lease));
        }
        let request = BatchFillRequest { scope: Some(scope()), fills, namespace_max_bytes: 0 };
        self.client.batch_fill(request).await?;
        Ok(())
    }

    /// How many of them are there; each with the bytes that were stored.
    async fn read(&mut self, ids: std::ops::Range<u64>) -> Result<u64> {
        let mut found = 0;
        for (id, outcome) in ids.clone().zip(self.look_up(ids).await?) {
            if let Some(lookup::Outcome::Hit(body)) = outcome {
                ensure!(body.data == documents::shown(id), "document {id} is another one");
                found += 1;
            }
        }
        Ok(found)
    }
}

fn fill(id: u64, lease: Lease) -> Fill {
    let body = Body { data: documents::shown(id).into(), content_type: "application/json".to_owned(), compression: 0 };
    Fill { id: key(id), lease: Some(lease), body: Some(body), ttl_ms: 0 }
}

/// As `layer-cache` makes the keys of integers.
fn key(id: u64) -> Bytes {
    [&b"u"[..], &id.to_be_bytes()].concat().into()
}

fn scope() -> Scope {
    Scope { tenant: "default".to_owned(), namespace: documents::NAMESPACE.to_owned(), kind: 1 }
}
