//! Sending notes of writes, in batches, and learning what is of interest.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use layer_proto::function::v1::{
    NotifyWritesRequest, NotifyWritesResponse, WrittenRows, function_service_client::FunctionServiceClient,
};
use layer_replicas::{Part, Wait};
use layer_service::lifecycle::{Lifecycle, Stage};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::Status;

use super::{Notes, Triggers};
use crate::core::Shared;

/// How long notes gather.
const GATHER: Duration = Duration::from_millis(50);
/// Namespaces and ids of one call, of the contract.
const NAMESPACES_MAX: usize = 1000;
const IDS_MAX: usize = 9000;
/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// When it is asked for the first time: callers that waited for the start come first.
const FIRST: Duration = Duration::from_millis(250);
/// When pipeline-worker is asked again that did not answer.
const AGAIN: Duration = Duration::from_secs(1);
/// What is of interest is asked for again no more often than so, and no more seldom.
const VALID_MS: std::ops::RangeInclusive<u64> = 100..=60_000;

/// Sends notes until `lifecycle` says to stop. Without pipeline-worker there is nobody to tell.
pub async fn run(shared: Arc<Shared>, mut notes: Notes, lifecycle: Lifecycle) {
    let Some(part) = shared.pipelines.handle() else { return };
    let work = async {
        let mut due = Instant::now() + FIRST;
        loop {
            let batch = gathered(&shared.triggers, &mut notes, due).await;
            due = Instant::now() + told(&shared.triggers, &part, batch).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = lifecycle.reached(Stage::Draining) => {}
    }
}

/// Notes that were left, by namespace; after a first one those of a moment more. None where there are none until `due`.
async fn gathered(triggers: &Triggers, notes: &mut Notes, due: Instant) -> BTreeMap<String, WrittenRows> {
    let (mut batch, mut ids) = (BTreeMap::new(), 0);
    if let Ok(Some(first)) = timeout_at(due, notes.recv()).await {
        ids += put(&mut batch, first);
        sleep(GATHER).await;
    }
    while ids < IDS_MAX && batch.len() < NAMESPACES_MAX {
        let Ok(note) = notes.try_recv() else { break };
        ids += put(&mut batch, note);
    }
    for namespace in triggers.take_missed(NAMESPACES_MAX - batch.len()) {
        put(&mut batch, WrittenRows { namespace, ids: Vec::new(), unnamed: true });
    }
    batch
}

fn put(batch: &mut BTreeMap<String, WrittenRows>, note: WrittenRows) -> usize {
    let ids = note.ids.len();
    let all = batch
        .entry(note.namespace.clone())
        .or_insert_with(|| WrittenRows { namespace: note.namespace, ..WrittenRows::default() });
    all.unnamed |= note.unnamed;
    all.ids.extend(note.ids);
    ids
}

/// Sends a batch; answers when to ask again what is of interest.
async fn told(triggers: &Triggers, part: &Part, batch: BTreeMap<String, WrittenRows>) -> Duration {
    let namespaces: Vec<_> = batch.keys().cloned().collect();
    let request = NotifyWritesRequest { writes: batch.into_values().collect() };
    match notify(part, request).await {
        Ok(answer) => {
            triggers.want(answer.namespaces);
            Duration::from_millis(answer.valid_ms.clamp(*VALID_MS.start(), *VALID_MS.end()))
        }
        Err(status) => {
            tracing::debug!(%status, "functions were not told of writes");
            for namespace in namespaces {
                triggers.failed.inc();
                triggers.miss(namespace);
            }
            // Whatever comes meanwhile waits for its turn.
            sleep(AGAIN).await;
            Duration::ZERO
        }
    }
}

async fn notify(part: &Part, request: NotifyWritesRequest) -> Result<NotifyWritesResponse, Status> {
    let calling = part.calling(Wait::new(None, PATIENCE), "notify_writes");
    let mut client = FunctionServiceClient::new(calling);
    match tokio::time::timeout(PATIENCE, client.notify_writes(request)).await {
        Ok(answer) => answer.map(tonic::Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded("no answer in time")),
    }
}
