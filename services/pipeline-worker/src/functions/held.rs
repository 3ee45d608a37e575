//! Which items a call means, and what is answered of them.

use layer_proto::{
    function::v1::{FailRequest, FailedItem, FailureKind, HeartbeatRequest, ItemGuard, ItemResult, ItemStatus},
    types::v1::Id,
};
use tonic::Status;

use super::{
    Inner, KIND, RouterCalls,
    check::Check,
    errors,
    item_id::{as_integer, item_of},
    spec::Registered,
};
use crate::state::{Failed, Guard, Held, Refusal, Verdict};

/// A row of a call.
#[derive(Debug, Clone)]
pub(crate) struct Meant {
    pub(crate) namespace: String,
    /// The id as the item has it.
    pub(crate) id: Id,
    pub(crate) item: String,
    /// As the caller names it.
    pub(crate) asked: Option<Id>,
    pub(crate) token: Option<i64>,
}

impl Meant {
    pub(crate) fn held(&self, version: Option<i64>) -> Held {
        Held { item: self.item.clone(), token: self.token, version }
    }

    pub(crate) fn result(&self, status: ItemStatus) -> ItemResult {
        ItemResult { namespace: self.namespace.clone(), id: self.asked.clone(), status: status.into() }
    }
}

/// What must be true of all items of a call.
pub(crate) fn guard(worker: &str) -> Guard {
    Guard { worker: (!worker.is_empty()).then(|| worker.to_owned()), stage: None }
}

/// What is said of an item for which the state store refused a call.
pub(crate) fn status_of(verdict: Verdict) -> ItemStatus {
    match verdict {
        Ok(()) => ItemStatus::Done,
        Err(Refusal::NotFound) => ItemStatus::NotFound,
        Err(Refusal::StaleToken) => ItemStatus::StaleToken,
        Err(Refusal::StaleVersion) => ItemStatus::Obsolete,
        Err(Refusal::NotLeased | Refusal::WrongStage) => ItemStatus::NotLeased,
        Err(Refusal::OtherWorker) => ItemStatus::OtherWorker,
    }
}

impl<R: RouterCalls> Inner<R> {
    /// The items that a call means. An id that came as text may stand for an integer: clients over HTTP know no other.
    pub(crate) async fn meant(&self, function: &Registered, guards: Vec<ItemGuard>) -> Result<Vec<Meant>, Status> {
        let mut all: Vec<_> = guards.into_iter().filter_map(meant).collect();
        let integer = |one: &Meant| item_of(&one.namespace, &as_integer(&one.id)?);
        let doubtful: Vec<_> = all.iter().filter_map(|one| Some([one.item.clone(), integer(one)?])).flatten().collect();
        if doubtful.is_empty() {
            return Ok(all);
        }
        let there = self.state.items(KIND, function.id(), &doubtful).await.map_err(errors::state)?;
        let there: std::collections::HashSet<_> = there.into_iter().map(|view| view.item).collect();
        for one in &mut all {
            let (Some(id), Some(item)) = (as_integer(&one.id), integer(one)) else { continue };
            if !there.contains(&one.item) && there.contains(&item) {
                (one.id, one.item) = (id, item);
            }
        }
        Ok(all)
    }

    pub(crate) async fn heartbeat(&self, request: HeartbeatRequest) -> Result<Vec<ItemResult>, Status> {
        let mut check = Check::default();
        check.function_id(&request.function_id);
        check.items(request.items.iter().map(Some));
        check.worker(&request.worker_id, false);
        check.lease("lease_ms", request.lease_ms);
        check.done()?;
        let function = self.function(&request.function_id).await?;
        let all = self.meant(&function, request.items).await?;
        let held: Vec<_> = all.iter().map(|one| one.held(None)).collect();
        let lease_ms = function.lease_ms(request.lease_ms);
        let outcomes = self.state.heartbeat(KIND, function.id(), &held, &guard(&request.worker_id), lease_ms).await;
        let outcomes = outcomes.map_err(errors::state)?;
        let generation = function.queue.generation;
        Ok(all
            .iter()
            .zip(outcomes)
            .map(|(one, outcome)| {
                // Its worker need not go on: the result would not be taken.
                let outdated = one.token.is_some_and(|token| token <= generation) && outcome.verdict.is_ok();
                one.result(if outdated { ItemStatus::Obsolete } else { status_of(outcome.verdict) })
            })
            .collect())
    }

    pub(crate) async fn fail(&self, request: FailRequest) -> Result<Vec<ItemResult>, Status> {
        let mut check = Check::default();
        check.function_id(&request.function_id);
        check.items(request.items.iter().map(|failed| failed.item.as_ref()));
        check.worker(&request.worker_id, false);
        for (place, item) in request.items.iter().enumerate() {
            if FailureKind::try_from(item.kind).is_err() {
                check.refuse(format!("items[{place}].kind"), "must be one of those that the contract names");
            }
        }
        check.done()?;
        let function = self.function(&request.function_id).await?;
        let (guards, told): (Vec<_>, Vec<_>) = request.items.into_iter().filter_map(told).unzip();
        let all = self.meant(&function, guards).await?;
        let failed = all.iter().zip(&told).map(|(one, (permanent, message))| Failed {
            held: one.held(None),
            permanent: *permanent,
            message: message.clone(),
        });
        let failed: Vec<_> = failed.collect();
        let outcomes = self.state.fail(KIND, function.id(), &failed, &guard(&request.worker_id)).await;
        let outcomes = outcomes.map_err(errors::state)?;
        let counted = outcomes.iter().zip(&failed).filter(|(outcome, _)| outcome.verdict.is_ok());
        for (_, failed) in counted {
            self.observe.failed(function.id(), if failed.permanent { "permanent" } else { "transient" });
        }
        Ok(all.iter().zip(outcomes).map(|(one, outcome)| one.result(status_of(outcome.verdict))).collect())
    }
}

fn meant(guard: ItemGuard) -> Option<Meant> {
    let id = guard.id?;
    let item = item_of(&guard.namespace, &id)?;
    let token = (guard.token != 0).then(|| i64::try_from(guard.token).unwrap_or(i64::MAX));
    Some(Meant { namespace: guard.namespace, item, asked: Some(id.clone()), id, token })
}

fn told(failed: FailedItem) -> Option<(ItemGuard, (bool, String))> {
    let permanent = failed.kind() == FailureKind::Permanent;
    Some((failed.item?, (permanent, failed.message)))
}
