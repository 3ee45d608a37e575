//! What this process has claimed, and the heartbeats that keep it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use layer_proto::pipeline::v1::{ClaimedDocument, DocumentGuard};

use super::{
    client::{Client, guard, is_done},
    observe::{Ended, Observe},
};

/// Documents of one heartbeat: what the service takes.
const BEAT_MAX: usize = 10_000;

/// The documents that are held, by id. A document that is claimed anew has a larger token.
#[derive(Default)]
pub(super) struct Leases {
    held: Mutex<HashMap<String, DocumentGuard>>,
}

impl Leases {
    fn held(&self) -> MutexGuard<'_, HashMap<String, DocumentGuard>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds documents that were claimed; answers how many of them had been held by an earlier claim, which is lost.
    pub(super) fn hold(&self, documents: &[ClaimedDocument]) -> usize {
        let mut held = self.held();
        documents.iter().filter(|document| held.insert(document.document_id.clone(), guard(document)).is_some()).count()
    }

    /// Whether a claim still holds, as far as is known.
    pub(super) fn is_held(&self, document: &DocumentGuard) -> bool {
        self.held().get(&document.document_id).is_some_and(|held| held.token == document.token)
    }

    /// Lets go of a claim; answers whether it still held.
    pub(super) fn let_go(&self, document: &DocumentGuard) -> bool {
        let mut held = self.held();
        let holds = held.get(&document.document_id).is_some_and(|held| held.token == document.token);
        if holds {
            held.remove(&document.document_id);
        }
        holds
    }

    /// Everything that is held.
    pub(super) fn all(&self) -> Vec<DocumentGuard> {
        self.held().values().cloned().collect()
    }

    /// Extends all leases, for ever, three times in each.
    pub(super) async fn beat(&self, client: &Client, lease: Duration, observe: &Observe) {
        let mut interval = tokio::time::interval(lease / 3);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            for batch in self.all().chunks(BEAT_MAX) {
                match client.heartbeat(batch.to_vec()).await {
                    Ok(results) => {
                        let lost = batch.iter().zip(&results).filter(|(_, result)| !is_done(result));
                        let lost = lost.filter(|(document, _)| self.let_go(document)).count();
                        observe.ended(Ended::Lost, lost);
                    }
                    Err(status) => tracing::debug!(code = ?status.code(), "a heartbeat failed; the next may not"),
                }
            }
        }
    }
}
