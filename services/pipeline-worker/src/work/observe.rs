//! What a worker tells of itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use layer_service::metrics::{Metrics, SECONDS, Series as _};
use prometheus::{Histogram, IntCounter, IntGauge};

/// The time between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(10);

layer_service::metrics! {
    /// Every metric of a built-in worker.
    pub METRICS:

    /// Documents of a built-in worker, by what became of them: done, failed (to be tried again), dead (failed for good),
    /// returned (not begun, or nothing could be done for the time being), lost (the lease was over).
    DOCUMENTS = Counter "layer_work_documents_total" by ["status"];
    /// Chunks that a built-in worker put out or embedded.
    CHUNKS = Counter "layer_work_chunks_total";
    /// Documents that a built-in worker has claimed and not ended.
    IN_FLIGHT = Gauge "layer_work_in_flight";
    /// Claims of a built-in worker, by what came of them: documents, none, error.
    CLAIMS = Counter "layer_work_claims_total" by ["status"];
    /// How long a claim's documents took, from the claim to the end of the last.
    BATCH = Histogram(SECONDS) "layer_work_batch_duration_seconds";
}

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    Failed,
    Dead,
    Returned,
    Lost,
}

/// The worker's series.
pub(super) struct Observe {
    documents: [IntCounter; 5],
    chunks: IntCounter,
    in_flight: IntGauge,
    claims: [IntCounter; 3],
    batch: Histogram,
    /// For progress: done and failed in all.
    done: AtomicU64,
    failed: AtomicU64,
}

impl Observe {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            documents: metrics.counter(&DOCUMENTS).of(["done", "failed", "dead", "returned", "lost"]),
            chunks: metrics.counter(&CHUNKS).only(),
            in_flight: metrics.gauge(&IN_FLIGHT).only(),
            claims: metrics.counter(&CLAIMS).of(["documents", "none", "error"]),
            batch: metrics.histogram(&BATCH).only(),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Documents came to an end.
    pub(super) fn ended(&self, how: Ended, count: usize) {
        self.documents[how as usize].inc_by(count as u64);
        match how {
            Ended::Done => self.done.fetch_add(count as u64, Ordering::Relaxed),
            Ended::Failed | Ended::Dead => self.failed.fetch_add(count as u64, Ordering::Relaxed),
            Ended::Returned | Ended::Lost => 0,
        };
    }

    /// Chunks were put out, or embedded.
    pub(super) fn chunks(&self, count: usize) {
        self.chunks.inc_by(count as u64);
    }

    /// A claim was answered: with so many documents, or not at all.
    pub(super) fn claimed(&self, count: Option<usize>) {
        let [documents, none, error] = &self.claims;
        match count {
            Some(0) => none.inc(),
            Some(count) => {
                documents.inc();
                self.in_flight.add(i64::try_from(count).unwrap_or(i64::MAX));
            }
            None => error.inc(),
        }
    }

    /// A claim's documents, claimed at `began`, are all through.
    pub(super) fn through(&self, count: usize, began: Instant) {
        self.in_flight.sub(i64::try_from(count).unwrap_or(i64::MAX));
        self.batch.observe(began.elapsed().as_secs_f64());
    }

    /// Says, now and then, how far the work is; says nothing while nothing happens.
    pub(super) async fn tell(&self) {
        let mut interval = tokio::time::interval(PROGRESS);
        let mut before = 0;
        loop {
            interval.tick().await;
            let (done, failed) = (self.done.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
            if done + failed > before {
                let per_second = (done + failed - before) as f64 / PROGRESS.as_secs_f64();
                tracing::info!(done, failed, per_second, in_flight = self.in_flight.get(), "progress");
                before = done + failed;
            }
        }
    }
}
