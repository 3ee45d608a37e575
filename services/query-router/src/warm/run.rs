//! One job, from its claim to its end.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesOrdered};
use layer_service::lifecycle::{Lifecycle, Stage};
use tokio::sync::mpsc;

use super::{
    Enlisted, Start,
    job::{Slot, Status},
    ledger::{Held, Ledger},
    retry::Retry,
};
use crate::fetch::{DocId, OriginReader, Place};

/// How long one call of the origin may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a job waits for fetches before each of its own queries, at the most.
const YIELD_MAX: Duration = Duration::from_millis(100);
const YIELD_STEP: Duration = Duration::from_millis(5);
/// Bytes of rows that one query should answer.
const QUERY_BYTES: u64 = 2 * 1024 * 1024;
/// What a row is taken to have before any was read, in bytes.
const ROW_BYTES: u64 = 4096;
/// How long the last word of a job may take when the router stops.
const LAST_WORD: Duration = Duration::from_secs(2);

/// A job that runs.
pub struct Run {
    pub reader: OriginReader,
    pub ledger: Ledger,
    pub lifecycle: Lifecycle,
    place: Arc<Place>,
    enlisted: Enlisted,
    slot: Mutex<Slot>,
    /// Bytes of a row, about.
    row_bytes: AtomicU64,
    queries_max: usize,
    renewal: Duration,
}

/// How a run ended.
enum End {
    Worked(Result<(), String>),
    /// A caller ended it here.
    Cancelled,
    /// The job is not this run's any more.
    Lost,
    /// The router stops.
    Stopped,
}

impl Run {
    /// Runs a job to its end; returns when nothing of it is left to do here.
    pub async fn run(reader: OriginReader, ledger: Ledger, lifecycle: Lifecycle, start: Start) {
        let Start { mut held, place, permit } = start;
        let shared = Arc::clone(&reader.shared);
        let common = &shared.warm;
        let run = Self {
            enlisted: common.enlist(&held.slot.job.id),
            queries_max: common.settings.queries_max,
            renewal: Duration::from_millis(common.settings.lease_ms) / 3,
            slot: Mutex::new(held.slot.clone()),
            row_bytes: AtomicU64::new(ROW_BYTES),
            reader,
            ledger,
            lifecycle,
            place,
        };
        let _active = common.observe.active();
        let began = Instant::now();
        tracing::info!(job = %held.slot.job.id, namespace = %held.slot.job.namespace, "warm job runs");
        let end = tokio::select! {
            biased;
            () = run.enlisted.token.cancelled() => End::Cancelled,
            () = run.lifecycle.reached(Stage::Noticing) => End::Stopped,
            worked = run.work() => End::Worked(worked),
            () = run.keep(&mut held) => End::Lost,
        };
        let status = run.ended(held, end).await;
        // Who was asked to cancel it has counted that.
        if status != Status::Cancelled.name() {
            common.observe.job(status);
        }
        let job = run.now().job;
        tracing::info!(
            job = %job.id, namespace = %job.namespace, status, scanned = job.documents_scanned,
            warmed = job.documents_warmed, took_ms = began.elapsed().as_millis(), "warm job ended here"
        );
        drop(permit);
    }

    /// Says how it ended; the word for metrics.
    async fn ended(&self, mut held: Held, end: End) -> &'static str {
        let beat = held.slot.beat;
        held.slot = Slot { beat, ..self.now() };
        let (status, error) = match end {
            End::Worked(Ok(())) => (Status::Completed, None),
            End::Worked(Err(error)) => (Status::Failed, Some(error)),
            End::Cancelled => return Status::Cancelled.name(),
            End::Lost => return "handed_on",
            End::Stopped => {
                // Whoever goes on with it begins where this one was; if this is not heard, a little before.
                let _ = tokio::time::timeout(LAST_WORD, self.ledger.renew(&mut held)).await;
                return "handed_on";
            }
        };
        let job = held.slot.job.clone().ended(status, error);
        let mut retry = Retry::default();
        loop {
            match self.ledger.end(&mut held, job.clone()).await {
                Ok(true) => return status.name(),
                Ok(false) => return "handed_on",
                Err(error) => {
                    let failure = crate::fetch::Failure::Upstream(error.to_string());
                    let Ok(wait) = retry.after(&failure) else {
                        tracing::warn!(%error, "a warm job's end could not be kept; another router will repeat its last pages");
                        return "handed_on";
                    };
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Renews the job's lease as long as it is this run's.
    async fn keep(&self, held: &mut Held) {
        loop {
            tokio::time::sleep(self.renewal).await;
            let beat = held.slot.beat;
            held.slot = Slot { beat, ..self.now() };
            // What cannot be written now is written next time; meanwhile another may take the job over, and then this
            // run is told.
            if let Ok(false) = self.ledger.renew(held).await {
                return;
            }
        }
    }

    /// Lists pages, one ahead, and reads the rows of what is listed.
    async fn work(&self) -> Result<(), String> {
        let (listed, pages) = mpsc::channel(1);
        tokio::try_join!(self.list(listed), self.read(pages)).map(drop)
    }

    async fn list(&self, listed: mpsc::Sender<Vec<DocId>>) -> Result<(), String> {
        let (page_size, mut after) = {
            let slot = self.slot();
            (slot.page_size, slot.after())
        };
        loop {
            let page = self.page(after.as_ref(), page_size).await?;
            after = page.last().cloned();
            // Nobody takes it any more where reading has failed.
            if after.is_none() || listed.send(page).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Reads the rows, several queries at a time. What is done is written down in the order of the ids: whoever goes on
    /// with the job begins behind the last of them.
    async fn read(&self, mut pages: mpsc::Receiver<Vec<DocId>>) -> Result<(), String> {
        let (mut reads, mut left, mut more) = (FuturesOrdered::new(), Vec::new(), true);
        loop {
            while !left.is_empty() && reads.len() < self.queries_max {
                let rest = left.split_off(left.len().min(self.query_ids()));
                reads.push_back(self.part(std::mem::replace(&mut left, rest)));
            }
            tokio::select! {
                Some((warmed, ids)) = reads.next() => self.done(&ids, warmed?),
                page = pages.recv(), if more && left.is_empty() => {
                    more = page.is_some();
                    left = page.unwrap_or_default();
                }
                else => return Ok(()),
            }
        }
    }

    /// Boxed: the compiler cannot tell otherwise that futures which borrow may go to another thread.
    fn part(&self, ids: Vec<DocId>) -> BoxFuture<'_, (Result<usize, String>, Vec<DocId>)> {
        async move { (self.some(&ids).await, ids) }.boxed()
    }

    fn done(&self, ids: &[DocId], warmed: usize) {
        if let Some(last) = ids.last() {
            self.slot().advance(ids.len(), warmed, last);
        }
        let observe = &self.reader.shared.warm.observe;
        observe.scanned.inc_by(ids.len() as u64);
        observe.warmed.inc_by(warmed as u64);
    }

    async fn page(&self, after: Option<&DocId>, page_size: usize) -> Result<Vec<DocId>, String> {
        let mut retry = Retry::default();
        loop {
            self.give_way().await;
            match self.reader.page(&self.place, after, page_size, Instant::now() + PATIENCE).await {
                Ok(ids) => return Ok(ids),
                Err(failure) => tokio::time::sleep(retry.after(&failure)?).await,
            }
        }
    }

    /// Reads the rows of some ids into the cache; how many.
    async fn some(&self, ids: &[DocId]) -> Result<usize, String> {
        let (mut left, mut warmed, mut retry) = (ids.to_vec(), 0, Retry::default());
        while !left.is_empty() {
            self.give_way().await;
            let wait = match self.reader.refill(&self.place, &left, Instant::now() + PATIENCE).await {
                Err(failure) => Some(retry.after(&failure)?),
                Ok(refilled) => {
                    self.measure(refilled.bytes, refilled.warmed);
                    warmed += refilled.warmed;
                    left = refilled.unleased;
                    if left.is_empty() { None } else { retry.unleased(left.len(), ids.len(), refilled.away)? }
                }
            };
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => break,
            }
        }
        Ok(warmed)
    }

    /// Ids of one query, so that its answer is neither large nor small.
    fn query_ids(&self) -> usize {
        let fit = QUERY_BYTES / self.row_bytes.load(Relaxed).max(1);
        usize::try_from(fit).unwrap_or(usize::MAX).clamp(1, self.reader.shared.settings.fetch.query_ids_max)
    }

    fn measure(&self, bytes: u64, rows: usize) {
        if let Some(each) = bytes.checked_div(rows as u64) {
            self.row_bytes.store((self.row_bytes.load(Relaxed) + each) / 2, Relaxed);
        }
    }

    /// Lets fetches go first that wait for the origin.
    async fn give_way(&self) {
        let until = Instant::now() + YIELD_MAX;
        while self.reader.shared.fetch.coalescer.is_waited_for() && Instant::now() < until {
            tokio::time::sleep(YIELD_STEP).await;
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Slot {
        self.slot().clone()
    }
}
