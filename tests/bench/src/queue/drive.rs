//! Callers and workers of a queue of ours: as many at once as the run says, each with one call under way.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

/// A job that was claimed.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) token: u64,
}

/// A queue as its callers and workers see it. Each call is one batch.
pub(super) trait Queue: Clone + Send + Sync + 'static {
    /// Stages new jobs.
    fn stage(&self, ids: Vec<String>) -> impl Future<Output = Result<()>> + Send;
    /// Claims at most this many.
    fn claim(&self, limit: usize) -> impl Future<Output = Result<Vec<Job>>> + Send;
    /// Completes what was claimed; answers how many that were.
    fn complete(&self, jobs: Vec<Job>) -> impl Future<Output = Result<usize>> + Send;
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) jobs: u64,
    pub(super) batch: usize,
    /// Callers or workers at once.
    pub(super) at_once: usize,
    /// The time after which staging ends, though it is not through.
    pub(super) within: Duration,
}

/// What was done.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    /// Jobs, also those that went by before the clock started.
    pub(super) all: u64,
    /// Jobs within `time`.
    pub(super) jobs: u64,
    pub(super) time: Duration,
    /// How long each claim took, in µs.
    pub(super) claims_us: Vec<f64>,
}

impl Done {
    /// Jobs a second.
    pub(super) fn rate(&self) -> f64 {
        self.jobs as f64 / self.time.as_secs_f64()
    }
}

/// Names of documents that no other has, as files of a tree have them: in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Arc<AtomicU64>);

impl Names {
    pub(super) fn take(&self, count: usize) -> Vec<String> {
        let first = self.0.fetch_add(count as u64, Relaxed);
        (first..first + count as u64).map(|n| format!("manual/{:06}/{n:09}.md", n / 1_000)).collect()
    }
}

/// Stages jobs in batches.
pub(super) async fn stage(queue: &impl Queue, names: &Names, order: Order) -> Result<Done> {
    let (begun, taken) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..order.at_once {
        let (queue, names, taken) = (queue.clone(), names.clone(), Arc::clone(&taken));
        callers.spawn(async move {
            let mut staged = 0;
            while begun.elapsed() < order.within && taken.fetch_add(order.batch as u64, Relaxed) < order.jobs {
                queue.stage(names.take(order.batch)).await?;
                staged += order.batch as u64;
            }
            anyhow::Ok(staged)
        });
    }
    let mut jobs = 0;
    while let Some(staged) = callers.join_next().await {
        jobs += staged??;
    }
    Ok(Done { all: jobs, jobs, time: begun.elapsed(), claims_us: Vec::new() })
}

/// Claims and completes jobs in batches. A tenth of them goes by before the clock starts: connections and plans are warm
/// then.
pub(super) async fn work(queue: &impl Queue, order: Order) -> Result<Done> {
    let counts = Arc::new(Counts::default());
    let mut workers = JoinSet::new();
    for _ in 0..order.at_once {
        workers.spawn(worker(queue.clone(), order, Arc::clone(&counts)));
    }
    let mut claims_us = Vec::new();
    while let Some(claims) = workers.join_next().await {
        claims_us.extend(claims??);
    }
    let ended = Instant::now();
    let done = counts.done.load(Relaxed);
    ensure!(done == order.jobs, "{done} of {} jobs were completed", order.jobs);
    let (from, before) = counts.warm.get().copied().unwrap_or((ended, done));
    Ok(Done { all: done, jobs: done - before, time: ended - from, claims_us })
}

#[derive(Debug, Default)]
struct Counts {
    taken: AtomicU64,
    done: AtomicU64,
    /// When the clock started, and how many jobs were done then.
    warm: OnceLock<(Instant, u64)>,
}

async fn worker(queue: impl Queue, order: Order, counts: Arc<Counts>) -> Result<Vec<f64>> {
    let mut claims = Vec::new();
    while counts.taken.fetch_add(order.batch as u64, Relaxed) < order.jobs {
        // Racing claims may find fewer than they ask for.
        let mut missing = order.batch;
        while missing > 0 {
            let begun = Instant::now();
            let jobs = queue.claim(missing).await?;
            if counts.warm.get().is_some() {
                claims.push(begun.elapsed().as_secs_f64() * 1e6);
            }
            ensure!(!jobs.is_empty(), "nothing to claim though jobs are ready");
            missing -= jobs.len();
            let completed = queue.complete(jobs).await? as u64;
            let done = counts.done.fetch_add(completed, Relaxed) + completed;
            if done >= order.jobs / 10 {
                counts.warm.get_or_init(|| (Instant::now(), done));
            }
        }
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Mutex;

    use anyhow::Context as _;

    /// A queue in memory, of which every claim brings half of what was asked for.
    #[derive(Debug, Clone, Default)]
    struct Listed(Arc<Mutex<(Vec<String>, usize)>>);

    impl Queue for Listed {
        async fn stage(&self, ids: Vec<String>) -> Result<()> {
            self.0.lock().unwrap().0.extend(ids);
            Ok(())
        }

        async fn claim(&self, limit: usize) -> Result<Vec<Job>> {
            let ids = &mut self.0.lock().unwrap().0;
            let from = ids.len().saturating_sub(limit.div_ceil(2));
            Ok(ids.drain(from..).map(|id| Job { id, token: 0 }).collect())
        }

        async fn complete(&self, jobs: Vec<Job>) -> Result<usize> {
            self.0.lock().unwrap().1 += jobs.len();
            Ok(jobs.len())
        }
    }

    #[tokio::test]
    async fn what_is_staged_is_worked_off_to_the_last_job() -> Result<()> {
        let (queue, names) = (Listed::default(), Names::default());
        let order = Order { jobs: 1_000, batch: 100, at_once: 4, within: Duration::from_secs(60) };
        assert_eq!(stage(&queue, &names, order).await?.jobs, 1_000);
        let done = work(&queue, Order { jobs: 900, ..order }).await?;
        assert!((800..=820).contains(&done.jobs) && !done.claims_us.is_empty(), "{done:?}");
        let left = queue.0.lock().ok().context("no worker panicked")?.0.len();
        assert_eq!(left, 100);
        let missing = work(&queue, Order { jobs: 200, ..order }).await.unwrap_err().to_string();
        assert!(missing.contains("nothing to claim"), "{missing}");
        Ok(())
    }
}
