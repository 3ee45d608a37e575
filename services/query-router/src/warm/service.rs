//! What runs beside the workers: the jobs, and the search for those whose router is gone.

use std::{sync::Arc, time::Duration};

use layer_service::lifecycle::{Lifecycle, Stage};
use tokio::{sync::mpsc, task::JoinSet};

use super::{Inbox, PAGE_SIZE, Start, ledger::Ledger, run::Run, scan::scan};
use crate::{core::Core, fetch::Place};

/// How long all jobs together may take to end when the router stops.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Runs jobs until the router stops. `core` is of this runtime. Returns when the last job has said where it is.
pub async fn run(core: Core, inbox: Inbox, lifecycle: Lifecycle) {
    let Some(ledger) = core.ledger() else { return };
    if !core.shared.settings.cache.enabled() {
        return;
    }
    let stopping = lifecycle.clone();
    let beside = async {
        tokio::join!(scan(&core, &ledger), connections(&core), reactive(&core, inbox.missed));
    };
    let jobs = jobs(&core, &ledger, inbox.starts, lifecycle);
    tokio::pin!(jobs);
    tokio::select! {
        () = &mut jobs => return,
        () = beside => {}
        () = stopping.reached(Stage::Noticing) => {}
    }
    jobs.await;
}

/// Runs the jobs that were claimed.
async fn jobs(core: &Core, ledger: &Ledger, mut starts: mpsc::UnboundedReceiver<Start>, lifecycle: Lifecycle) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            Some(start) = starts.recv() => {
                running.spawn(Run::run(core.reader(), ledger.clone(), lifecycle.clone(), start));
            }
            Some(_) = running.join_next() => {}
            () = lifecycle.reached(Stage::Noticing) => break,
        }
    }
    // Each ends by itself now, and soon.
    let ended = async { while running.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_WORDS, ended).await;
}

/// Counts connections to the cache.
async fn connections(core: &Core) {
    let mut warmth = core.cache.state().warmth();
    loop {
        warmth = core.cache.warmth_changed(warmth).await;
        if warmth == layer_cache::Warmth::Warm {
            core.shared.warm.connected();
        }
    }
}

/// Warms namespaces that were missed in.
async fn reactive(core: &Core, mut missed: mpsc::Receiver<Arc<Place>>) {
    while let Some(place) = missed.recv().await {
        // A job that is refused now is asked for again with the next connection; the fetch has long been answered.
        let _ = core.start_warm(&place, PAGE_SIZE, None).await;
    }
}
