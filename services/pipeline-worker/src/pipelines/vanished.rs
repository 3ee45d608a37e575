//! Rows of chunks that a document no longer has, deleted as soon as it is staged again.
//!
//! As best it goes: all rows of older versions are deleted later anyway, when the new version is complete (`upkeep`). What
//! is done here keeps what is gone out of answers until then.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use layer_proto::{
    router::v1::WriteRequest,
    types::v1::{Id, id},
};

use super::{Pipelines, rows::older_than};
use crate::{bodies::Place, failure::Failure, points, state::Body};

/// Time for the old body and the write.
const TIME: Duration = Duration::from_secs(30);
/// Rows that are deleted by one write.
const ROWS_MAX: usize = 10_000;

/// A document that was staged again.
pub(super) struct Restaged {
    pub(super) document: String,
    /// The version that it has now.
    pub(super) version: i64,
    /// What was staged before.
    pub(super) old: Body,
    /// The ids of its chunks now.
    pub(super) chunks: HashSet<String>,
}

impl Pipelines {
    /// Deletes rows in the background, where there is a place for it.
    pub(super) fn delete_vanished(&self, queue: i64, namespace: String, restaged: Vec<Restaged>) {
        let Ok(place) = std::sync::Arc::clone(&self.vanished).try_acquire_owned() else { return };
        let service = self.clone();
        tokio::spawn(async move {
            let _place = place;
            for document in &restaged {
                if let Err(error) = service.delete_of(queue, &namespace, document).await {
                    tracing::debug!(%error, "rows of chunks that are gone are deleted later");
                }
            }
        });
    }

    async fn delete_of(&self, queue: i64, namespace: &str, restaged: &Restaged) -> Result<(), Failure> {
        let until = Instant::now() + TIME;
        let place = Place { queue, stage: None, document: &restaged.document };
        let old = self.bodies.get(namespace, &place, &restaged.old, until).await?;
        let gone = old.into_iter().map(|chunk| chunk.chunk_id).filter(|id| !restaged.chunks.contains(id));
        let gone: Vec<_> = gone.map(|id| Id { kind: Some(id::Kind::StringValue(id)) }).collect();
        for deletes in gone.chunks(ROWS_MAX) {
            let request = WriteRequest {
                namespace: namespace.to_owned(),
                deletes: deletes.to_vec(),
                // A row of that id that somebody else has written, or a newer version, stays.
                delete_condition: Some(older_than(&restaged.document, restaged.version)),
                ..WriteRequest::default()
            };
            points::reach("vanished.delete.before");
            self.router.write(request, until).await?;
            points::reach("vanished.delete.after");
        }
        Ok(())
    }
}
