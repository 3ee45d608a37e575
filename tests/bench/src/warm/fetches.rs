//! Fetches of documents that are in the cache, one after another, while a job runs: what warming costs those who ask.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use hdrhistogram::Histogram;

use crate::fetch::documents;

use super::client::Client;
use super::figures::Latency;
use super::origin;

/// Documents that are fetched in turn.
const COUNT: u64 = 100;
/// How long it may take until all of them are cached.
const PATIENCE: Duration = Duration::from_secs(30);

/// A caller that fetches all the time.
#[derive(Debug)]
pub(super) struct Fetches {
    /// When they end, once that is known.
    end: Arc<OnceLock<Instant>>,
    caller: JoinHandle<Result<Latency>>,
}

impl Fetches {
    /// Sees that the documents are cached, and begins.
    pub(super) fn start(router: SocketAddr) -> Result<Self> {
        let mut client = Client::connect(router)?;
        let begun = Instant::now();
        while !(0..COUNT).map(|id| fetch(&mut client, id)).collect::<Result<Vec<_>>>()?.iter().all(|hit| *hit) {
            ensure!(begun.elapsed() < PATIENCE, "the documents do not come from the cache");
        }
        let end = Arc::<OnceLock<Instant>>::default();
        let told = Arc::clone(&end);
        Ok(Self { end, caller: thread::spawn(move || go_on(&mut client, &told)) })
    }

    /// What they took.
    pub(super) fn stop_after(self, time: Duration) -> Result<Latency> {
        self.end.get_or_init(|| Instant::now() + time);
        self.caller.join().map_err(|_| anyhow!("the caller panicked"))?
    }
}

fn go_on(client: &mut Client, end: &OnceLock<Instant>) -> Result<Latency> {
    let mut times = Histogram::<u64>::new(3)?;
    let mut hits = 0_u64;
    for id in (0..COUNT).cycle() {
        let begun = Instant::now();
        if end.get().is_some_and(|end| begun >= *end) {
            break;
        }
        hits += u64::from(fetch(client, id)?);
        times.record(u64::try_from(begun.elapsed().as_micros())?)?;
    }
    let share = hits as f64 / times.len().max(1) as f64;
    Ok(Latency { p50_us: times.value_at_quantile(0.5), p99_us: times.value_at_quantile(0.99), hits: share })
}

/// Fetches a document, which must be right; whether the cache had it.
fn fetch(client: &mut Client, id: u64) -> Result<bool> {
    let target = format!("/v2/namespaces/{}/documents/{id}", origin::namespace(COUNT));
    let answer = client.good("GET", &target, "")?;
    ensure!(answer.body == documents::shown(id).into_bytes(), "document {id} is wrong");
    Ok(answer.hit)
}
