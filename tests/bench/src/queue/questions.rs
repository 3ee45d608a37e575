//! Two questions that docs/adr/0005-pipelines.md had left open: what claims by prefix cost where few documents have it, and
//! what claims cost that wait.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use super::Parts;
use super::drive::Queue as _;
use super::figures::{Prefix, Target, Waiting};
use super::library::Library;

/// Claims of each kind.
const CLAIMS: usize = 20;
/// Documents of one claim.
const BATCH: usize = 100;
/// How long claims wait.
const WAIT: Duration = Duration::from_secs(5);
/// The pipeline that has no documents.
const IDLE: &str = "idle";

impl Parts {
    /// Claims by a prefix that few of the waiting documents have, by one that none has, and by one that all have.
    pub(super) fn by_prefix(&self, depth: u64) -> Result<Vec<Prefix>> {
        let claims = |what, prefix: &str| {
            let claims_ms = self.runtime.block_on(claims(&self.library, prefix))?;
            anyhow::Ok(Prefix { what, claims_ms })
        };
        Ok(vec![
            claims("all have", "manual/")?,
            claims("100 documents have, the youngest", &format!("rare/{depth}/"))?,
            claims("none has", "none/")?,
        ])
    }

    /// What it costs that so many claims wait.
    pub(super) fn wait(&mut self, count: usize) -> Result<Waiting> {
        if count == 0 {
            self.runtime.block_on(self.service.create(IDLE))?;
        }
        let before = self.cpus(Target::Service)?;
        let came = self.runtime.block_on(async {
            let mut waiting = JoinSet::new();
            for _ in 0..count {
                let service = self.service.clone();
                waiting.spawn(async move { service.wait(IDLE, WAIT).await });
            }
            // What is measured is this span of time.
            let _ = tokio::time::timeout(WAIT, std::future::pending::<()>()).await;
            let mut came = 0;
            while let Some(one) = waiting.join_next().await {
                came += one??;
            }
            anyhow::Ok(came)
        })?;
        ensure!(came == 0, "{came} documents came from an empty pipeline");
        let after = self.cpus(Target::Service)?;
        let cores = [0, 1].map(|part| after[part].saturating_sub(before[part]).as_secs_f64() / WAIT.as_secs_f64());
        Ok(Waiting { claims: count, cores })
    }
}

async fn claims(library: &Library, prefix: &str) -> Result<Vec<f64>> {
    let library = library.by_prefix(prefix);
    let mut claims_ms = Vec::with_capacity(CLAIMS);
    for claim in 0..CLAIMS {
        if prefix.starts_with("rare") {
            library.stage((0..BATCH).map(|n| format!("{prefix}{claim:02}/{n:03}.md")).collect()).await?;
        }
        let begun = Instant::now();
        let jobs = library.claim(BATCH).await?;
        claims_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        ensure!(jobs.len() == if prefix.starts_with("none") { 0 } else { BATCH }, "{} documents came", jobs.len());
        if !jobs.is_empty() {
            library.complete(jobs).await?;
        }
    }
    Ok(claims_ms)
}
