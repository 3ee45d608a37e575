//! Bodies that no row names any more, taken away from the object store.
//!
//! Only what is older than the grace goes, by the database's clock: a body is stored before a row names it.

use std::collections::HashSet;

use layer_object_store::{Listed, ObjectStore};

use super::{Upkeep, queues};
use crate::{
    bodies::{parse, queue_prefix},
    failure::Failure,
    points,
    state::{Body, Kind},
};

/// Objects of one page.
const PAGE: usize = 1000;

impl Upkeep {
    pub(super) async fn sweep(&self) -> Result<(), Failure> {
        let mut all = queues(&self.state, Kind::Pipeline).await?;
        all.extend(self.state.deleted(Kind::Pipeline).await?);
        for queue in all {
            self.sweep_queue(queue.id).await?;
        }
        Ok(())
    }

    async fn sweep_queue(&self, queue: i64) -> Result<(), Failure> {
        let (store, prefix) = (self.bodies.store(), queue_prefix(queue));
        let mut after: Option<String> = None;
        loop {
            let page = store.list(&prefix, after.as_deref(), PAGE).await?;
            after = page.objects.last().map(|object| object.key.clone());
            self.sweep_page(store, queue, &page.objects).await?;
            if !page.more || after.is_none() {
                return Ok(());
            }
        }
    }

    async fn sweep_page(&self, store: &ObjectStore, queue: i64, objects: &[Listed]) -> Result<(), Failure> {
        let stored: Vec<(String, Body)> = objects.iter().filter_map(|object| parse(&object.key)).collect();
        if stored.is_empty() {
            return Ok(());
        }
        let orphans: HashSet<_> = self.state.orphans(queue, &stored).await?.into_iter().collect();
        let mut swept = 0;
        for object in objects {
            if parse(&object.key).is_some_and(|body| orphans.contains(&body)) {
                points::reach("sweep.delete.before");
                store.delete(&object.key).await?;
                points::reach("sweep.delete.after");
                swept += 1;
            }
        }
        self.bodies.observe().swept(swept);
        Ok(())
    }
}
