//! The queue in this process: the state library, as pipeline-worker uses it, without bodies.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use layer_service::{config::Secret, metrics::Metrics};
use pipeline_worker::state::{Body, Claim, Completed, Guard, Held, Kind, Staging, State, StateSettings};

use super::drive::{Job, Names, Queue};

/// The pipeline of a run.
pub(super) const PIPELINE: &str = "bench";
/// Longer than any run.
pub(super) const LEASE_MS: u64 = 3_600_000;
/// Documents of one call while the queue is filled to its depth, which is not measured.
const FILL_BATCH: usize = 10_000;

/// The queue.
#[derive(Debug, Clone)]
pub(super) struct Library {
    state: State,
    /// Documents claimed by it begin with this.
    prefix: String,
}

impl Library {
    /// Opens the database at `url`.
    pub(super) async fn open(url: &str, connections: usize) -> Result<Self> {
        let settings = StateSettings {
            url: Some(Secret::new(url)),
            connections_max: u32::try_from(connections)?,
            ..StateSettings::default()
        };
        let state = State::open(&settings, &Metrics::default())?.context("a database")?;
        state.migrate().await?;
        Ok(Self { state, prefix: String::new() })
    }

    /// The same queue, claiming only documents whose ids begin with `prefix`.
    pub(super) fn by_prefix(&self, prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..self.clone() }
    }

    /// Documents that are ready.
    pub(super) async fn depth(&self) -> Result<u64> {
        let status = self.state.status(Kind::Pipeline, PIPELINE).await?;
        Ok(status.stages[0].ready.unsigned_abs())
    }

    /// Brings the queue to its depth.
    pub(super) async fn fill(&self, names: &Names, depth: u64) -> Result<()> {
        let mut missing = usize::try_from(depth.saturating_sub(self.depth().await?))?;
        while missing > 0 {
            let some = missing.min(FILL_BATCH);
            self.stage(names.take(some)).await?;
            missing -= some;
        }
        Ok(())
    }

    /// Ends its connections.
    pub(super) async fn close(&self) {
        self.state.close().await;
    }
}

impl Queue for Library {
    async fn stage(&self, ids: Vec<String>) -> Result<()> {
        static DIGEST: AtomicI64 = AtomicI64::new(1);
        let minted_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let body = || Some(Body { minted_ms, digest: DIGEST.fetch_add(1, Relaxed), chunks: 1, pack: None });
        let count = ids.len();
        let items = ids.into_iter().map(|item| Staging { item, body: body(), priority: 0, version_floor: 0 });
        let staged = self.state.stage(Kind::Pipeline, PIPELINE, &items.collect::<Vec<_>>()).await?;
        ensure!(staged.len() == count && staged.iter().all(|staged| !staged.restaged), "not all were new");
        Ok(())
    }

    async fn claim(&self, limit: usize) -> Result<Vec<Job>> {
        let claim = Claim {
            stage: "pending".to_owned(),
            claim_stage: "embedding".to_owned(),
            limit,
            worker: "bench".to_owned(),
            lease_ms: LEASE_MS,
            prefix: self.prefix.clone(),
        };
        let claimed = self.state.claim(Kind::Pipeline, PIPELINE, &claim).await?;
        Ok(claimed.into_iter().map(|one| Job { id: one.item, token: one.token.unsigned_abs() }).collect())
    }

    async fn complete(&self, jobs: Vec<Job>) -> Result<usize> {
        let completed = jobs.into_iter().map(|job| {
            let held = Held::under(job.id, i64::try_from(job.token).unwrap_or(i64::MAX));
            Completed { held, output: None }
        });
        let completed: Vec<_> = completed.collect();
        let outcomes = self.state.complete(Kind::Pipeline, PIPELINE, &completed, &Guard::default(), None).await?;
        ensure!(outcomes.iter().all(|outcome| outcome.verdict.is_ok()), "a completion was refused");
        Ok(outcomes.len())
    }
}
