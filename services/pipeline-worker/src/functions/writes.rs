//! Writes through the router that put rows into queues.
//!
//! The router tells best effort. What it did not tell is found by discovery, for functions that have it; who relies on
//! this alone may miss rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use layer_proto::function::v1::{NotifyWritesRequest, NotifyWritesResponse, Trigger};
use tonic::Status;

use super::{Inner, KIND, RouterCalls, check::Check, errors, item_id::item_of, spec::Registered};
use crate::state;

const NAMESPACES_MAX: usize = 1000;
const IDS_MAX: usize = 10_000;
/// Namespaces that are named in an answer.
const NAMED_MAX: usize = 10_000;

/// Which functions want to be told of writes, remembered for a while.
#[derive(Debug, Default)]
pub(crate) struct Triggers {
    known: Mutex<Option<(Instant, Wanting)>>,
}

/// Functions.
pub(crate) type Wanting = Arc<Vec<Registered>>;

impl Triggers {
    fn get(&self, kept: Duration) -> Option<Wanting> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(read, _)| read.elapsed() < kept).map(|(_, wanting)| Arc::clone(wanting))
    }

    fn put(&self, wanting: &Wanting) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(wanting)));
    }

    /// A function was changed here; other replicas notice when what they remember is old.
    pub(crate) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl<R: RouterCalls> Inner<R> {
    /// The functions that want to be told of writes.
    pub(crate) async fn wanting_writes(&self) -> Result<Wanting, Status> {
        if let Some(wanting) = self.triggers.get(Duration::from_millis(self.settings.triggers_ms)) {
            return Ok(wanting);
        }
        let mut all = self.functions().await?;
        all.retain(|function| function.has(Trigger::Write));
        let wanting = Arc::new(all);
        self.triggers.put(&wanting);
        Ok(wanting)
    }

    pub(crate) async fn notify_writes(&self, request: NotifyWritesRequest) -> Result<NotifyWritesResponse, Status> {
        let mut check = Check::default();
        let ids: usize = request.writes.iter().map(|write| write.ids.len()).sum();
        if request.writes.len() > NAMESPACES_MAX || ids > IDS_MAX {
            check.refuse("writes", "must be 1,000 namespaces and 10,000 ids at most");
        }
        for (place, write) in request.writes.iter().enumerate() {
            check.namespace(&format!("writes[{place}].namespace"), &write.namespace);
            for (at, id) in write.ids.iter().enumerate() {
                check.id(&format!("writes[{place}].ids[{at}]"), Some(id));
            }
        }
        check.done()?;
        let wanting = self.wanting_writes().await?;
        let mut items: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut hastened = BTreeSet::new();
        for write in &request.writes {
            for function in wanting.iter().filter(|function| function.targets(&write.namespace)) {
                let written = write.ids.iter().filter_map(|id| item_of(&write.namespace, id));
                items.entry(function.id()).or_default().extend(written);
                if write.unnamed {
                    hastened.insert(function.id());
                }
            }
        }
        let mut enqueued = 0;
        for (function, items) in items.iter().filter(|(_, items)| !items.is_empty()) {
            let new = there(self.state.enqueue(KIND, function, items).await)?.unwrap_or_default();
            self.observe.enqueued(function, "write", new);
            enqueued += new as u64;
        }
        for function in hastened {
            there(self.state.hasten(function).await)?;
        }
        let namespaces: BTreeSet<_> = wanting.iter().flat_map(|function| &function.spec.target_namespaces).collect();
        let namespaces = namespaces.into_iter().take(NAMED_MAX).cloned().collect();
        Ok(NotifyWritesResponse { enqueued, namespaces, valid_ms: self.settings.triggers_ms })
    }
}

/// What was answered, unless the function was deleted meanwhile.
fn there<T>(answer: Result<T, state::Error>) -> Result<Option<T>, Status> {
    match answer {
        Err(state::Error::QueueNotFound { .. }) => Ok(None),
        answer => answer.map(Some).map_err(errors::state),
    }
}
