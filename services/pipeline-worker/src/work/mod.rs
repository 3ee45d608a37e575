//! The built-in workers: a process of its own (`pipeline-worker work`) that takes documents of one stage and does what the
//! stage is for, chunking or embedding.
//!
//! It speaks the public contract like any other worker (`layer.pipeline.v1`), to pipeline-worker itself or to the router.
//! It may die at any moment: what it has claimed returns by itself when its leases end. What it must never do is keep going when it
//! is not wanted any more: work whose lease was lost is thrown away, and a stop returns what was not begun.
//!
//! Who is to blame for a failure decides what becomes of a document. Its own fault: it fails for good. Chance: it fails and is tried
//! again. A part that is away (the embedding endpoint, the service, the database): it is returned as if it had not been claimed, and nobody
//! claims until the part may be back, so that an outage uses up nobody's attempts.

mod attributes;
mod chunk;
mod client;
mod deliver;
mod embed;
mod job;
mod leases;
mod observe;
mod outage;
mod run;
mod settings;
mod source;

use std::{sync::Arc, time::Duration};

use layer_object_store::ObjectStore;
use layer_service::{
    admin,
    health::Health,
    lifecycle::{Lifecycle, Stage},
    metrics::Metrics,
    program::{Program, Sections, StartError},
    server,
};

use self::{client::Client, job::Job, leases::Leases, observe::Observe, outage::Outage, run::Worker};
pub use self::{
    observe::METRICS,
    settings::{ChunkSettings, EmbedSettings, WorkKind, WorkSettings},
};

/// A built-in worker.
pub struct Work;

impl Program for Work {
    type Settings = WorkSettings;
    const NAME: &'static str = "pipeline-worker work";
    const ABOUT: &'static str = "A worker of one stage of a pipeline: chunks documents, or embeds them";

    fn sections(settings: &WorkSettings) -> Sections<'_> {
        let WorkSettings { log, telemetry, listen, admin, limits, tls, drain, .. } = settings;
        Sections { log, telemetry, listen, admin, limits, tls, drain }
    }

    async fn run(settings: WorkSettings, lifecycle: Lifecycle, _traces: bool) -> Result<(), StartError> {
        let listener = server::bind(&settings.admin.address, "admin.address", false)?;
        let metrics = Metrics::default();
        let health = Health::new(Self::NAME, lifecycle.clone());
        tokio::spawn(admin::serve(listener, health, metrics.clone(), lifecycle.clone()));
        let store = ObjectStore::open(&settings.object_store, &metrics).await?;
        let job = Job::open(&settings, store).await?;
        let worker = Worker {
            client: Client::new(&settings)?,
            job,
            leases: Leases::default(),
            outage: Outage::default(),
            observe: Observe::new(&metrics),
            lifecycle: lifecycle.clone(),
            settings,
        };
        lifecycle.advance(Stage::Serving);
        Arc::new(worker).run().await;
        lifecycle.advance(Stage::Cut);
        tracing::info!("the worker stopped");
        Ok(())
    }
}

/// The wait before attempt `attempt` (from 1) of what failed: doubled each time up to `most`, half of it random.
fn backoff(attempt: u32, first: Duration, most: Duration) -> Duration {
    let whole = first.saturating_mul(1 << (attempt - 1).min(16)).min(most);
    whole.mul_f64(0.5 + fastrand::f64() / 2.0)
}
