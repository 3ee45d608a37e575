//! The loop of a worker: claim, work, hand in, and stop.

use std::{sync::Arc, time::Duration};

use layer_proto::pipeline::v1::{ClaimedDocument, DocumentGuard};
use layer_service::lifecycle::{Lifecycle, Stage};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::Instant,
};

use super::{
    backoff,
    client::{Client, Meaning, meaning},
    job::Job,
    leases::Leases,
    observe::{Ended, Observe},
    outage::Outage,
    settings::WorkSettings,
};

/// Between two claims while the service is away.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// Time for returning what is left at the end.
const RELEASE: Duration = Duration::from_secs(5);

/// A worker of one stage.
pub(super) struct Worker {
    pub(super) client: Client,
    pub(super) job: Job,
    pub(super) leases: Leases,
    pub(super) outage: Outage,
    pub(super) observe: Observe,
    pub(super) lifecycle: Lifecycle,
    pub(super) settings: WorkSettings,
}

impl Worker {
    /// Works until told to stop; then finishes what was begun within the drain's time, and returns the rest.
    pub(super) async fn run(self: Arc<Self>) {
        tracing::info!(
            pipeline = self.settings.pipeline,
            stage = self.settings.stage,
            kind = ?self.settings.kind,
            worker_id = self.client.worker_id(),
            "the worker begins"
        );
        let beside = Arc::clone(&self);
        let beside = tokio::spawn(async move {
            let lease = Duration::from_millis(beside.settings.lease_ms);
            tokio::join!(beside.leases.beat(&beside.client, lease, &beside.observe), beside.observe.tell());
        });
        let mut begun = JoinSet::new();
        self.claim_until_stopped(&mut begun).await;
        self.finish(begun).await;
        beside.abort();
    }

    async fn claim_until_stopped(self: &Arc<Self>, begun: &mut JoinSet<()>) {
        let places = Arc::new(Semaphore::new(self.settings.in_flight_max as usize));
        let mut failures = 0;
        while !self.lifecycle.is_stopping() {
            let place = tokio::select! {
                place = self.place(&places) => place,
                () = self.lifecycle.reached(Stage::Noticing) => return,
            };
            // Not cut short by a stop: what the service has given out would be held until its leases end.
            let limit = u32::try_from(place.num_permits()).unwrap_or(u32::MAX);
            let asked = Instant::now();
            let claimed = self.client.claim(limit).await;
            self.observe.claimed(claimed.as_ref().ok().map(Vec::len));
            match claimed {
                Ok(documents) if documents.is_empty() => {
                    failures = 0;
                    self.pause_if_answered_early(asked).await;
                }
                Ok(documents) => {
                    failures = 0;
                    self.begin(documents, place, begun);
                }
                Err(status) => {
                    failures += 1;
                    if failures == 1 {
                        let gone = meaning(&status) != Meaning::Away;
                        tracing::warn!(code = ?status.code(), reason = status.message(), gone, "nothing can be claimed");
                    }
                    self.pause(backoff(failures, FIRST, LONGEST)).await;
                }
            }
            while begun.try_join_next().is_some() {}
        }
    }

    /// Room for at least one document, for a claim's worth where there is. Waits for the end of an outage.
    async fn place(&self, places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
        self.outage.wait().await;
        let one = Arc::clone(places).acquire_owned().await;
        let mut place = one.expect("it is never closed");
        let more = places.available_permits().min(self.settings.batch as usize - 1);
        if let Ok(more) = Arc::clone(places).try_acquire_many_owned(u32::try_from(more).unwrap_or_default()) {
            place.merge(more);
        }
        place
    }

    /// A service that does not wait for documents is not asked again at once.
    async fn pause_if_answered_early(&self, asked: Instant) {
        let wait = Duration::from_millis(self.settings.wait_ms.into());
        if asked.elapsed() < wait / 2 {
            self.pause(FIRST).await;
        }
    }

    async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.lifecycle.reached(Stage::Noticing) => {}
        }
    }

    fn begin(
        self: &Arc<Self>,
        documents: Vec<ClaimedDocument>,
        mut place: OwnedSemaphorePermit,
        begun: &mut JoinSet<()>,
    ) {
        self.observe.ended(Ended::Lost, self.leases.hold(&documents));
        // Fewer may come than there is room for.
        drop(place.split(place.num_permits().saturating_sub(documents.len())));
        let worker = Arc::clone(self);
        begun.spawn(async move {
            let (count, began) = (documents.len(), std::time::Instant::now());
            worker.job.work(&worker, documents).await;
            worker.observe.through(count, began);
            drop(place);
        });
    }

    /// Lets what was begun finish, for as long as the drain allows, then returns all that is still held.
    async fn finish(&self, mut begun: JoinSet<()>) {
        let limit = Duration::from_millis(self.settings.drain.timeout_ms);
        let all = async { while begun.join_next().await.is_some() {} };
        tokio::select! {
            _ = tokio::time::timeout(limit, all) => {}
            () = self.lifecycle.reached(Stage::Cut) => {}
        }
        begun.abort_all();
        let left: Vec<DocumentGuard> = self.leases.all();
        if left.is_empty() {
            return;
        }
        let count = left.len();
        match tokio::time::timeout(RELEASE, self.client.release(left)).await {
            Ok(Ok(_)) => tracing::info!(count, "documents were returned"),
            _ => tracing::warn!(count, "documents could not be returned; they return when their leases end"),
        }
        self.observe.ended(Ended::Returned, count);
    }
}
