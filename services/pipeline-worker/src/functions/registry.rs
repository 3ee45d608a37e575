//! Functions: registered, changed, listed, stopped, deleted; and what failed.

use layer_proto::function::v1::{
    CreateFunctionRequest, DeadLetter, DeleteFunctionRequest, FailureReason, Function, FunctionSpec, FunctionStatus,
    GetFunctionResponse, ListDeadLettersRequest, ListDeadLettersResponse, ListFunctionsRequest, ListFunctionsResponse,
    UpsertFunctionRequest,
};
use layer_service::grpc::status::invalid_field;
use tonic::Status;

use super::{
    Inner, KIND, RouterCalls,
    check::Check,
    errors,
    item_id::row_of,
    spec::{Registered, filled_in, moment, outdates, to_queue},
};
use crate::state::{self, Reason};

/// Dead letters that one transaction puts back.
const REQUEUED: u32 = 1000;

/// Things on a page, as asked for.
pub(crate) fn page_size(asked: u32) -> u32 {
    if asked == 0 { 100 } else { asked.min(1000) }
}

impl<R: RouterCalls> Inner<R> {
    pub(crate) async fn create(&self, request: CreateFunctionRequest) -> Result<Function, Status> {
        let (id, spec) = self.checked(request.function_id, request.spec).await?;
        let queue = self.state.create(KIND, &id, &to_queue(&spec).map_err(errors::state)?).await;
        self.registered(queue)
    }

    pub(crate) async fn upsert(&self, request: UpsertFunctionRequest) -> Result<Function, Status> {
        let (id, spec) = self.checked(request.function_id, request.spec).await?;
        let queue = self.state.upsert(KIND, &id, &to_queue(&spec).map_err(errors::state)?, outdates).await;
        self.registered(queue)
    }

    fn registered(&self, queue: Result<state::Queue, state::Error>) -> Result<Function, Status> {
        let function = queue.and_then(Registered::read).map_err(errors::state)?.shown();
        self.triggers.forget();
        Ok(function)
    }

    async fn checked(&self, id: String, spec: Option<FunctionSpec>) -> Result<(String, FunctionSpec), Status> {
        let mut check = Check::default();
        check.function_id(&id);
        check.spec(&id, spec.as_ref());
        check.done()?;
        let spec = filled_in(spec.unwrap_or_default());
        if !spec.invalidates.is_empty() {
            let others = self.functions().await?;
            if let Some(circle) = circle(&id, &spec.invalidates, &others) {
                let path = circle.join(" → ");
                return Err(invalid_field("spec.invalidates", format!("goes in a circle, without end: {path}")));
            }
        }
        Ok((id, spec))
    }

    pub(crate) async fn get(&self, id: &str) -> Result<GetFunctionResponse, Status> {
        let function = self.function(id).await?;
        let status = self.state.status(KIND, id).await.map_err(errors::state)?;
        let searched = self.state.searched(id).await.map_err(errors::state)?;
        self.observe.status(id, &status, searched.completed);
        let sum = |of: fn(&state::StageCount) -> i64| count(status.stages.iter().map(of).sum());
        let status = FunctionStatus {
            active_namespaces: searched.namespaces,
            sweeps_completed: count(searched.completed),
            last_completed_at: searched.completed_ms.map(moment),
            ready: sum(|stage| stage.ready),
            delayed: sum(|stage| stage.delayed),
            leased: sum(|stage| stage.leased),
            dead: count(status.failures.iter().map(|(_, n)| n).sum()),
            done_per_minute: status.done_per_minute,
            rate_window_ms: count(status.rate_window_ms),
        };
        Ok(GetFunctionResponse { function: Some(function.shown()), status: Some(status) })
    }

    pub(crate) async fn list(&self, request: ListFunctionsRequest) -> Result<ListFunctionsResponse, Status> {
        let size = page_size(request.page_size);
        let queues = self.state.list(KIND, &request.page_token, size).await.map_err(errors::state)?;
        let full = queues.len() == size as usize;
        let next_page_token = queues.last().filter(|_| full).map(|queue| queue.name.clone()).unwrap_or_default();
        let functions: Result<Vec<_>, _> = queues.into_iter().map(Registered::read).collect();
        let functions = functions.map_err(errors::state)?.iter().map(Registered::shown).collect();
        Ok(ListFunctionsResponse { functions, next_page_token })
    }

    pub(crate) async fn delete(&self, request: DeleteFunctionRequest) -> Result<(), Status> {
        self.state.delete(KIND, &request.function_id).await.map_err(errors::state)?;
        self.observe.forget(&request.function_id);
        self.triggers.forget();
        Ok(())
    }

    pub(crate) async fn pause(&self, id: &str, paused: bool) -> Result<Function, Status> {
        let queue = self.state.set_paused(KIND, id, paused).await;
        self.registered(queue)
    }

    /// In batches, so that nothing is locked for long: a call that is broken off has put some back, and is repeated.
    pub(crate) async fn reset_failed(&self, id: &str) -> Result<u64, Status> {
        let mut reset = 0;
        loop {
            let some = self.state.requeue(KIND, id, &[], REQUEUED).await.map_err(errors::state)?;
            reset += some as u64;
            if some < REQUEUED as usize {
                return Ok(reset);
            }
        }
    }

    pub(crate) async fn dead_letters(
        &self,
        request: ListDeadLettersRequest,
    ) -> Result<ListDeadLettersResponse, Status> {
        let size = page_size(request.page_size);
        let letters = self.state.dead_letters(KIND, &request.function_id, &request.page_token, size).await;
        let letters = letters.map_err(errors::state)?;
        let full = letters.len() == size as usize;
        let next_page_token = letters.last().filter(|_| full).map(|letter| letter.item.clone()).unwrap_or_default();
        Ok(ListDeadLettersResponse {
            dead_letters: letters.into_iter().filter_map(dead_letter).collect(),
            next_page_token,
        })
    }
}

fn dead_letter(letter: state::DeadLetter) -> Option<DeadLetter> {
    let (namespace, id) = row_of(&letter.item)?;
    let reason = match letter.reason {
        Reason::Permanent | Reason::Requested => FailureReason::Permanent,
        Reason::Attempts => FailureReason::Attempts,
        Reason::Leases => FailureReason::Leases,
    };
    Some(DeadLetter {
        namespace: namespace.to_owned(),
        id: Some(id),
        reason: reason.into(),
        message: letter.message,
        attempts: letter.attempts,
        failed_at: Some(moment(letter.failed_ms)),
    })
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}

/// The way from a function back to itself over what each invalidates, if there is one.
fn circle(id: &str, invalidates: &[String], others: &[Registered]) -> Option<Vec<String>> {
    let (mut seen, mut ways) = (std::collections::HashSet::new(), vec![vec![id.to_owned()]]);
    while let Some(way) = ways.pop() {
        let last = way.last().map_or("", String::as_str);
        let next = match last == id && way.len() == 1 {
            true => invalidates,
            false => others.iter().find(|other| other.id() == last).map_or(&[][..], |other| &other.spec.invalidates),
        };
        for name in next {
            let mut longer = way.clone();
            longer.push(name.clone());
            if name == id {
                return Some(longer);
            }
            if seen.insert(name.clone()) {
                ways.push(longer);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Kind, Queue};

    fn function(name: &str, invalidates: &[&str]) -> Registered {
        let invalidates = invalidates.iter().map(|id| (*id).to_owned()).collect();
        let spec = to_queue(&filled_in(FunctionSpec { invalidates, ..FunctionSpec::default() })).unwrap();
        let (name, kind) = (name.to_owned(), Kind::Function);
        let queue = Queue { id: 1, kind, name, spec, created_ms: 1, updated_ms: 1, paused: false, generation: 0 };
        Registered::read(queue).unwrap()
    }

    #[test]
    fn circles_are_found_however_long() {
        let others = [function("b", &["c"]), function("c", &["a", "d"]), function("d", &[]), function("a", &[])];
        let of = |ids: &[&str]| circle("a", &ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), &others);
        assert_eq!(of(&["b"]).unwrap(), ["a", "b", "c", "a"]);
        assert_eq!((of(&["d"]), of(&["none"]), of(&[])), (None, None, None));
        let round = [function("x", &["y"]), function("y", &["x"])];
        assert_eq!(circle("a", &["x".to_owned()], &round), None, "a circle of others ends the look");
    }
}
