//! Rows of older versions, deleted at the origin when the new version is complete, and once more when no late write can
//! arrive any more (docs/adr/0005-pipelines.md).

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use layer_proto::router::v1::{GetSchemaRequest, WriteRequest};

use super::Upkeep;
use crate::{
    failure::Failure,
    pipelines::{PARENT, Target, older_than},
    points,
    router::RouterError,
    state::{Cleanup, Kind},
};

/// Deletions that one step takes at a time; another replica gets others for so long.
const BATCH: u32 = 64;
const LEASE: Duration = Duration::from_secs(120);
/// Time for one deletion.
const TIME: Duration = Duration::from_secs(70);

impl Upkeep {
    pub(super) async fn delete_outdated(&self) -> Result<(), Failure> {
        let lease_ms = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
        loop {
            let due = self.state.cleanups(BATCH, lease_ms).await?;
            if due.is_empty() {
                return Ok(());
            }
            self.carry_out(&due).await?;
        }
    }

    /// Carries deletions out one by one; what was done is noted even where the next one fails.
    async fn carry_out(&self, due: &[Cleanup]) -> Result<(), Failure> {
        let ids: Vec<_> = due.iter().map(|cleanup| cleanup.queue).collect();
        let queues = self.state.by_id(Kind::Pipeline, &ids).await?;
        let targets = queues.iter().map(|queue| Ok((queue.id, Target::of(queue)?.namespace)));
        let targets = targets.collect::<Result<HashMap<_, _>, Failure>>()?;
        let mut done = Vec::with_capacity(due.len());
        let mut failed = None;
        for cleanup in due {
            // Of a pipeline that is gone for good nothing is owed.
            let deleted = match targets.get(&cleanup.queue) {
                Some(namespace) => self.delete(namespace, cleanup).await,
                None => Ok(()),
            };
            match deleted {
                Ok(()) => done.push(cleanup.clone()),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if !done.is_empty() {
            self.state.cleaned(&done).await?;
        }
        failed.map_or(Ok(()), Err)
    }

    async fn delete(&self, namespace: &str, cleanup: &Cleanup) -> Result<(), Failure> {
        let until = Instant::now() + TIME;
        loop {
            let request = WriteRequest {
                namespace: namespace.to_owned(),
                delete_by_filter: Some(older_than(&cleanup.item, cleanup.version)),
                delete_by_filter_allow_partial: Some(true),
                ..WriteRequest::default()
            };
            points::reach("outdated.delete.before");
            let answered = self.router.write(request, until).await;
            points::reach("outdated.delete.after");
            match answered {
                Ok(answer) if answer.rows_remaining == Some(true) => {}
                Ok(_) => return Ok(()),
                // There is no such namespace: nothing to delete.
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return self.excused(namespace, error, until).await,
            }
        }
    }

    /// The origin refuses a filter on an attribute that no row of the namespace has: then there is nothing to delete.
    async fn excused(&self, namespace: &str, error: RouterError, until: Instant) -> Result<(), Failure> {
        if !matches!(error, RouterError::Origin { .. }) {
            return Err(error.into());
        }
        let request = GetSchemaRequest { namespace: namespace.to_owned() };
        let schema = self.router.schema(request, until).await?;
        if schema.schema.contains_key(PARENT) { Err(error.into()) } else { Ok(()) }
    }
}
