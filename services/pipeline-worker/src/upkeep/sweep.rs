//! Bodies that no row names any more, taken away from the object store.
//!
//! Only what is older than the grace goes, by the database's clock: a body is stored before a row names it.

use std::collections::HashSet;

use layer_object_store::{Listed, ObjectStore};

use super::{Upkeep, queues};
use crate::{
    bodies::{Stored, parse, queue_prefix},
    failure::Failure,
    points,
    state::Kind,
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
        let (mut bodies, mut packs) = (Vec::new(), Vec::new());
        for object in objects {
            match parse(&object.key) {
                Some(Stored::Body(document, body)) => bodies.push((document, body)),
                Some(Stored::Pack { minted_ms, id }) => packs.push((minted_ms, id)),
                None => {}
            }
        }
        let mut orphans = HashSet::new();
        if !bodies.is_empty() {
            orphans
                .extend(self.state.orphans(queue, &bodies).await?.into_iter().map(|(d, body)| Stored::Body(d, body)));
        }
        let gone = self.orphan_packs(queue, &packs).await?;
        let gone = packs.into_iter().filter(|(_, id)| gone.contains(id));
        orphans.extend(gone.map(|(minted_ms, id)| Stored::Pack { minted_ms, id }));
        let mut swept = 0;
        for object in objects {
            if parse(&object.key).is_some_and(|stored| orphans.contains(&stored)) {
                points::reach("sweep.delete.before");
                store.delete(&object.key).await?;
                points::reach("sweep.delete.after");
                swept += 1;
            }
        }
        self.bodies.observe().swept(swept);
        Ok(())
    }

    /// Packs that nobody names. They are forgotten before they go.
    async fn orphan_packs(&self, queue: i64, packs: &[(i64, i64)]) -> Result<HashSet<i64>, Failure> {
        if packs.is_empty() {
            return Ok(HashSet::new());
        }
        let gone = self.state.orphan_packs(queue, packs).await?;
        if !gone.is_empty() {
            self.state.forget_packs(queue, &gone).await?;
        }
        Ok(gone.into_iter().collect())
    }
}
