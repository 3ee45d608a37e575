//! Results: compared with what their rows are now, written, and taken off the queue.

use std::collections::{BTreeMap, HashMap};

use futures_util::{StreamExt as _, stream};
use layer_proto::{
    function::v1::{CompleteRequest, ItemResult, ItemStatus, Trigger},
    types::v1::{Id, Value},
};
use tonic::Status;

use super::{
    Inner, KIND, RouterCalls,
    check::Check,
    errors::{self, Trouble},
    held::{Meant, guard, status_of},
    rows::{Row, key},
    spec::Registered,
    values::revision,
    write::Work,
};
use crate::state::{Failed, Guard, Held};

/// Results for the rows of one namespace: their places in the call, and what the rows gain.
type Results = Vec<(usize, Meant, BTreeMap<String, Value>)>;

/// What became of results, by their places in the call.
pub(crate) type Statuses = Vec<(usize, ItemStatus)>;

impl<R: RouterCalls> Inner<R> {
    pub(crate) async fn complete(&self, request: CompleteRequest) -> Result<Vec<ItemResult>, Status> {
        let mut check = Check::default();
        check.function_id(&request.function_id);
        check.items(request.items.iter().map(|completed| completed.item.as_ref()));
        check.worker(&request.worker_id, false);
        for (place, completed) in request.items.iter().enumerate() {
            check.attributes(place, &completed.attributes);
        }
        check.done()?;
        let function = self.function(&request.function_id).await?;
        let (guards, gained): (Vec<_>, Vec<_>) =
            request.items.into_iter().filter_map(|completed| Some((completed.item?, completed.attributes))).unzip();
        let all = self.meant(&function, guards).await?;
        let mut places: BTreeMap<String, Results> = BTreeMap::new();
        for (place, (one, gained)) in all.iter().zip(gained).enumerate() {
            places.entry(one.namespace.clone()).or_default().push((place, one.clone(), gained));
        }
        let guard = guard(&request.worker_id);
        let parts = places.into_iter().map(|(namespace, results)| {
            let (function, guard) = (&function, &guard);
            async move { self.complete_in(function, &namespace, guard, results).await }
        });
        let parts: Vec<_> = stream::iter(parts).buffer_unordered(self.fan_out()).collect().await;
        let mut statuses = vec![ItemStatus::Unspecified; all.len()];
        // A namespace that failed is the answer; what was done in others is found done when the call is repeated.
        for (place, status) in parts.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
            statuses[place] = status;
        }
        self.count(function.id(), &statuses);
        Ok(all.iter().zip(statuses).map(|(one, status)| one.result(status)).collect())
    }

    fn count(&self, function: &str, statuses: &[ItemStatus]) {
        for (outcome, of) in [
            ("done", &[ItemStatus::Done][..]),
            ("obsolete", &[ItemStatus::Obsolete]),
            ("refused", &[ItemStatus::Refused]),
        ] {
            let n = statuses.iter().filter(|status| of.contains(status)).count();
            self.observe.completed(function, outcome, n);
        }
        let others = [ItemStatus::Done, ItemStatus::Obsolete, ItemStatus::Refused];
        let late = statuses.iter().filter(|status| !others.contains(status)).count();
        self.observe.completed(function, "late", late);
    }

    async fn complete_in(
        &self,
        function: &Registered,
        namespace: &str,
        guard: &Guard,
        results: Results,
    ) -> Result<Statuses, Status> {
        let ids: Vec<_> = results.iter().map(|(_, one, _)| one.id.clone()).collect();
        let rows = self.rows_now(function, namespace, &ids).await?;
        let inputs = &function.spec.inputs;
        let held = results
            .iter()
            .map(|(_, one, _)| one.held(rows.get(&key(&one.id)).map(|row| revision(&row.attributes, inputs))));
        let held: Vec<_> = held.collect();
        let vouched = self.state.vouch(KIND, function.id(), &held, guard, self.settings.write_ms).await;
        let (vouched, now_ms) = vouched.map_err(errors::state)?;
        let (mut statuses, mut works, mut gone) = (Vec::with_capacity(results.len()), Vec::new(), Vec::new());
        for ((place, one, gained), vouched) in results.into_iter().zip(vouched) {
            match (vouched.verdict, rows.get(&key(&one.id))) {
                (Err(refusal), _) => statuses.push((place, status_of(Err(refusal)))),
                (Ok(()), None) => gone.push((place, Held::under(one.item, vouched.token))),
                (Ok(()), Some(row)) => works.push(Work::new(place, one.item, vouched.token, row, inputs, gained)),
            }
        }
        let mut written = self.write_results(function, namespace, works, now_ms).await;
        written.gone.append(&mut gone);
        let trouble = written.trouble.take();
        statuses.extend(self.settle(function, namespace, written).await?);
        trouble.map_or(Ok(statuses), |trouble| Err(trouble.into()))
    }

    /// Rows with the function's inputs, as they are now; none where there is no such namespace any more.
    pub(crate) async fn rows_now(
        &self,
        function: &Registered,
        namespace: &str,
        ids: &[Id],
    ) -> Result<HashMap<String, Row>, Trouble> {
        match self.rows.read(namespace, ids, &function.spec.inputs).await {
            Err(Trouble::NoNamespace) => Ok(HashMap::new()),
            read => read,
        }
    }

    /// Tells the state store what became of results.
    async fn settle(&self, function: &Registered, namespace: &str, written: Written) -> Result<Statuses, Status> {
        let (id, mut statuses) = (function.id(), Vec::new());
        let held = |all: &[(usize, Held)]| all.iter().map(|(_, held)| held.clone()).collect::<Vec<_>>();
        if !written.done.is_empty() {
            let held = held(&written.done);
            // Whoever has claimed an item since does it once more: the row's mark says that it is done all the same.
            self.state.finish(KIND, id, &held, true).await.map_err(errors::state)?;
            statuses.extend(written.done.iter().map(|(place, _)| (*place, ItemStatus::Done)));
            self.invalidated(function, namespace, &held).await;
        }
        if !written.gone.is_empty() {
            self.state.finish(KIND, id, &held(&written.gone), false).await.map_err(errors::state)?;
            statuses.extend(written.gone.iter().map(|(place, _)| (*place, ItemStatus::Obsolete)));
        }
        if !written.changed.is_empty() {
            let held = held(&written.changed);
            self.state.release(KIND, id, &held, &Guard::default()).await.map_err(errors::state)?;
            statuses.extend(written.changed.iter().map(|(place, _)| (*place, ItemStatus::Obsolete)));
        }
        if !written.refused.is_empty() {
            let failed = written.refused.iter().map(|(_, held, permanent, message)| Failed {
                held: held.clone(),
                permanent: *permanent,
                message: format!("the origin refused the result: {message}"),
            });
            let failed: Vec<_> = failed.collect();
            self.state.fail(KIND, id, &failed, &Guard::default()).await.map_err(errors::state)?;
            statuses.extend(written.refused.iter().map(|(place, ..)| (*place, ItemStatus::Refused)));
        }
        Ok(statuses)
    }

    /// Rows whose other functions' marks were taken off enter the queues of those that want to know of writes. Best effort:
    /// discovery finds the rest.
    async fn invalidated(&self, function: &Registered, namespace: &str, done: &[Held]) {
        if function.spec.invalidates.is_empty() {
            return;
        }
        let items: Vec<_> = done.iter().map(|held| held.item.clone()).collect();
        let Ok(others) = self.wanting_writes().await else { return };
        for other in others.iter().filter(|other| other.has(Trigger::Write) && other.targets(namespace)) {
            if function.spec.invalidates.iter().any(|id| id == other.id())
                && let Ok(new) = self.state.enqueue(KIND, other.id(), &items).await
            {
                self.observe.enqueued(other.id(), "invalidated", new);
            }
        }
    }
}

/// What became of writes.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The row has the result and the mark.
    pub(crate) done: Vec<(usize, Held)>,
    /// There is no such row any more.
    pub(crate) gone: Vec<(usize, Held)>,
    /// The row has other inputs by now, or is written to without pause.
    pub(crate) changed: Vec<(usize, Held)>,
    /// The origin refused the result: for good, and with which words.
    pub(crate) refused: Vec<(usize, Held, bool, String)>,
    /// Why the rest was not written.
    pub(crate) trouble: Option<Trouble>,
}
