//! Large writes: how long they take, and fetches while they go on.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::http::parse_response;
use crate::load::Limit;

use super::documents::{self, COUNT, NAMESPACE};
use super::load::Load;
use super::options::{Options, Schedule};
use super::parts::Parts;
use super::results::{Bulk, Ingestion};
use super::sheets::{Shape, request};

/// Rows of a bulk write.
const BULK_ROWS: u64 = 10_000;
/// Rows of a write of steady ingestion.
const BATCH_ROWS: u64 = 1_000;
/// Connections that fetch meanwhile.
const READERS: usize = 16;
/// How long a write may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A keepalive connection that writes.
struct Writer {
    stream: TcpStream,
    host: String,
}

impl Writer {
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, host: address.to_string() })
    }

    fn request(&self, body: &str) -> Vec<u8> {
        request(&self.host, "POST", &format!("/v2/namespaces/{NAMESPACE}"), body)
    }

    /// Sends a write and reads its answer; how long that took.
    fn write(&mut self, request: &[u8]) -> Result<Duration> {
        let begun = Instant::now();
        self.stream.write_all(request).context("sending a write")?;
        let mut answer = Vec::new();
        let mut piece = [0; 4_096];
        loop {
            let count = self.stream.read(&mut piece).context("the answer to a write")?;
            ensure!(count > 0, "the connection closed before the answer to a write");
            answer.extend_from_slice(&piece[..count]);
            let Some(head) = parse_response(&answer)? else { continue };
            ensure!(head.status == 200, "status {} for a write", head.status);
            // The fake origin's answer is short and known.
            if answer.ends_with(crate::bodies::write_answer().as_bytes()) {
                return Ok(begun.elapsed());
            }
        }
    }
}

/// How far away an origin is that takes half of what Turbopuffer says that a write takes (up to 200 ms).
pub(super) const FAR: Duration = Duration::from_millis(100);

/// To the origin at hand, which does nothing, and to one that takes its time.
pub(super) fn measure_both(parts: &Parts, options: &Options, schedule: &Schedule) -> Result<(Bulk, Bulk)> {
    let near = measure([parts.origin.address(), parts.plain.address(), parts.router.address()], schedule)?;
    let far = parts.far(options, FAR)?;
    let far = measure([far.origin, far.plain.address, far.router.address], schedule)?;
    Ok((near, far))
}

/// The same write to the origin, through the router without a cache, and through the one with a cache.
fn measure(addresses: [SocketAddr; 3], schedule: &Schedule) -> Result<Bulk> {
    let body = documents::write(COUNT..COUNT + BULK_ROWS);
    let mut bulk = Bulk::default();
    let mut writers = addresses.map(Writer::connect).into_iter().collect::<Result<Vec<_>>>()?;
    let requests: Vec<Vec<u8>> = writers.iter().map(|writer| writer.request(&body)).collect();
    // The first of each makes buffers that the others find made.
    for round in 0..=schedule.writes {
        for place in 0..writers.len() {
            let way = (place + round) % writers.len();
            let took = writers[way].write(&requests[way])?.as_secs_f64() * 1e3;
            if round > 0 {
                [&mut bulk.direct, &mut bulk.plain, &mut bulk.cached][way].push(took);
            }
        }
    }
    Ok(bulk)
}

/// Fetches through the router with the cache while a writer writes without a pause; `rewritten` of every ten rows are
/// documents that are being fetched, the others new ones.
pub(super) fn ingest(parts: &Parts, schedule: &Schedule, what: &'static str, rewritten: u64) -> Result<Ingestion> {
    let stop = AtomicBool::new(false);
    let address = parts.router.address();
    let sheet = Shape::One.http(address);
    thread::scope(|scope| {
        let writing = scope.spawn(|| write_until(address, rewritten, &stop));
        let stretch = Load::connect(address, READERS, &sheet).and_then(|mut load| {
            load.run(Limit::Time(schedule.time))?;
            load.run(Limit::Time(schedule.time * 4))
        });
        stop.store(true, Relaxed);
        let rows_per_second = writing.join().map_err(|_| anyhow!("the writer panicked"))??;
        let stretch = stretch?;
        let hits = stretch.hits as f64;
        let outcome = stretch.outcome.checked()?;
        let (fetches_per_second, hits) = (outcome.per_second(), hits / outcome.requests as f64);
        Ok(Ingestion { what, rows_per_second, fetches_per_second, hits })
    })
}

/// Writes batches until it is told to stop; rows in a second.
fn write_until(address: SocketAddr, rewritten: u64, stop: &AtomicBool) -> Result<f64> {
    let mut writer = Writer::connect(address)?;
    // Made before: a writer that makes bodies would take the time of the servers.
    let requests: Vec<Vec<u8>> = (0..20).map(|number| writer.request(&batch(number, rewritten))).collect();
    let (begun, mut rows) = (Instant::now(), 0);
    for request in requests.iter().cycle() {
        if stop.load(Relaxed) {
            return Ok(rows as f64 / begun.elapsed().as_secs_f64());
        }
        writer.write(request)?;
        rows += BATCH_ROWS;
    }
    bail!("there is nothing to write")
}

fn batch(number: u64, rewritten: u64) -> String {
    let rows = number * BATCH_ROWS..(number + 1) * BATCH_ROWS;
    documents::write(rows.map(|row| if row % 10 < rewritten { row % COUNT } else { COUNT + row }))
}
