//! Claims: items with the inputs of their rows.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use layer_proto::{
    function::v1::{ClaimRequest, ClaimResponse, ClaimedItem},
    types::v1::{Id, value::Kind as ValueKind},
};
use tonic::Status;

use super::{
    Inner, KIND, RouterCalls,
    check::Check,
    errors::{self, Trouble},
    item_id::row_of,
    rows::{Row, key},
    spec::{PENDING, RUNNING, Registered},
    values::revision,
};
use crate::state::{Claim, Claimed, Given, Guard, Held};

/// The longest wait for an item.
const WAIT_MS_MAX: u32 = 30_000;
/// Claims that are made at once where the rows of all that was claimed are gone.
const AT_ONCE: u32 = 8;

/// Items of a claim, as they were found to be.
#[derive(Default)]
struct Found {
    items: Vec<ClaimedItem>,
    given: Vec<Given>,
    /// What could not be read, and why.
    unread: Vec<Held>,
    trouble: Option<Trouble>,
}

impl<R: RouterCalls> Inner<R> {
    pub(crate) async fn claim(&self, request: ClaimRequest) -> Result<ClaimResponse, Status> {
        let mut check = Check::default();
        check.function_id(&request.function_id);
        check.worker(&request.worker_id, true);
        check.lease("lease_ms", request.lease_ms);
        if request.wait_ms > WAIT_MS_MAX {
            check.refuse("wait_ms", "must be 30,000 at most");
        }
        check.done()?;
        let until = Instant::now() + Duration::from_millis(request.wait_ms.into());
        let waiting = (request.wait_ms > 0).then(|| self.waits.try_acquire()).transpose();
        let _waiting = waiting.map_err(|_| errors::overloaded("items"))?;
        let mut at_once = 0;
        loop {
            let function = self.function(&request.function_id).await?;
            let lease_ms = function.lease_ms(request.lease_ms);
            let (items, claimed) = self.claim_once(&function, &request, lease_ms).await?;
            let left = until.saturating_duration_since(Instant::now());
            at_once += 1;
            if items.is_empty() && claimed && at_once < AT_ONCE {
                continue;
            }
            if !items.is_empty() || left.is_zero() {
                self.observe.claimed(function.id(), items.len());
                return Ok(ClaimResponse { items, lease_ms, version: function.spec.version });
            }
            at_once = 0;
            tokio::time::sleep(left.min(Duration::from_millis(self.settings.wait_poll_ms))).await;
        }
    }

    /// One claim; and whether anything was claimed, if only to find its row gone.
    async fn claim_once(
        &self,
        function: &Registered,
        request: &ClaimRequest,
        lease_ms: u64,
    ) -> Result<(Vec<ClaimedItem>, bool), Status> {
        let claim = Claim {
            stage: PENDING.to_owned(),
            claim_stage: RUNNING.to_owned(),
            limit: if request.limit == 0 { 32 } else { request.limit.min(1000) as usize },
            worker: request.worker_id.clone(),
            lease_ms,
            prefix: String::new(),
        };
        let claimed = self.state.claim(KIND, function.id(), &claim).await.map_err(errors::state)?;
        if claimed.is_empty() {
            return Ok((Vec::new(), false));
        }
        let found = self.inputs_of(function, claimed).await;
        if !found.unread.is_empty() {
            // Given back at once, so that they need not wait for their leases to end.
            let released = self.state.release(KIND, function.id(), &found.unread, &Guard::default()).await;
            released.map_err(errors::state)?;
        }
        if !found.given.is_empty() {
            self.state.hand_out(KIND, function.id(), &found.given).await.map_err(errors::state)?;
        }
        match found.trouble {
            Some(trouble) if found.items.is_empty() => Err(trouble.into()),
            _ => Ok((found.items, true)),
        }
    }

    /// Reads the inputs of what was claimed, each namespace on its own.
    async fn inputs_of(&self, function: &Registered, claimed: Vec<Claimed>) -> Found {
        let mut found = Found::default();
        let mut places: BTreeMap<String, Vec<(Id, Claimed)>> = BTreeMap::new();
        for claimed in claimed {
            match row_of(&claimed.item).filter(|(namespace, _)| function.targets(namespace)) {
                Some((namespace, id)) => {
                    let namespace = namespace.to_owned();
                    places.entry(namespace).or_default().push((id, claimed));
                }
                // The function is not for that namespace any more.
                None => found.given.push(given(&claimed, None)),
            }
        }
        let reads = places.into_iter().map(|(namespace, all)| async move {
            let ids: Vec<_> = all.iter().map(|(id, _)| id.clone()).collect();
            (self.wanted(function, &namespace, &ids).await, namespace, all)
        });
        let mut reads = stream::iter(reads).buffer_unordered(self.fan_out());
        while let Some((rows, namespace, all)) = reads.next().await {
            match rows {
                Ok(rows) => found.take(function, &namespace, all, &rows),
                Err(Trouble::NoNamespace) => found.given.extend(all.iter().map(|(_, claimed)| given(claimed, None))),
                Err(trouble) => {
                    found.unread.extend(all.into_iter().map(|(_, one)| Held::under(one.item, one.token)));
                    found.trouble = Some(trouble);
                }
            }
        }
        found
    }

    /// The rows of these ids that the function is for, with its inputs.
    async fn wanted(
        &self,
        function: &Registered,
        namespace: &str,
        ids: &[Id],
    ) -> Result<HashMap<String, Row>, Trouble> {
        let read = self.rows.read(namespace, ids, &function.spec.inputs);
        let Some(filter) = &function.spec.filter else { return read.await };
        let (rows, matching) = futures_util::join!(read, self.rows.matching(namespace, ids, filter));
        let (mut rows, matching) = (rows?, matching?);
        rows.retain(|key, _| matching.contains(key));
        Ok(rows)
    }
}

impl Found {
    fn take(&mut self, function: &Registered, namespace: &str, all: Vec<(Id, Claimed)>, rows: &HashMap<String, Row>) {
        for (id, claimed) in all {
            let Some(row) = rows.get(&key(&id)) else {
                self.given.push(given(&claimed, None));
                continue;
            };
            self.given.push(given(&claimed, Some(revision(&row.attributes, &function.spec.inputs))));
            let mut input = row.attributes.clone();
            input.retain(|_, value| !matches!(value.kind, None | Some(ValueKind::NullValue(_))));
            self.items.push(ClaimedItem {
                namespace: namespace.to_owned(),
                id: Some(id),
                token: u64::try_from(claimed.token).unwrap_or_default(),
                input,
                attempt: claimed.attempt,
            });
        }
    }
}

fn given(claimed: &Claimed, version: Option<i64>) -> Given {
    Given { item: claimed.item.clone(), token: claimed.token, version }
}
