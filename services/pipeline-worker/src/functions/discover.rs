//! Pages of rows to do, and searches that callers ask for.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use layer_proto::{
    function::v1::{DiscoverRequest, DiscoverResponse},
    types::v1::Id,
};
use layer_service::grpc::status;
use tonic::Status;

use super::{
    Inner, KIND, RouterCalls,
    check::Check,
    errors::{self, Trouble},
    item_id::item_of,
    spec::Registered,
};

/// Items that a caller's search puts into the queue at the most.
const ENQUEUED_MAX: u32 = 10_000;
/// Pages of a namespace that a caller's search reads at the most.
const PAGES_MAX: usize = 100;

/// A page of rows to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sought<'a> {
    pub(crate) namespace: &'a str,
    /// The page begins behind this row.
    pub(crate) after: Option<&'a Id>,
    /// All rows, not only those that lack the function's mark.
    pub(crate) every: bool,
    pub(crate) now_ms: i64,
    pub(crate) total: u32,
}

impl<R: RouterCalls> Inner<R> {
    /// Reads a page.
    pub(crate) async fn page(
        &self,
        function: &Registered,
        sought: Sought<'_>,
        within: Duration,
    ) -> Result<Vec<Id>, Trouble> {
        let began = Instant::now();
        let mut page = self.page_once(function, sought, within).await;
        if matches!(page, Err(Trouble::Refused(_))) && !sought.every {
            // Nothing was ever marked there: the origin refuses a filter over what its schema does not have.
            let declared = self.rows.declare(sought.namespace, function.marks.declared(function.ages())).await;
            if declared.is_ok() {
                page = self.page_once(function, sought, within).await;
            }
        }
        self.observe.page(function.id(), page.as_ref().map_or_else(Trouble::label, |_| "ok"), began);
        page
    }

    async fn page_once(&self, function: &Registered, sought: Sought<'_>, within: Duration) -> Result<Vec<Id>, Trouble> {
        let marks = &function.marks;
        let lacking = (!sought.every).then(|| marks.lacking(&function.spec.version, function.ages(), sought.now_ms));
        let filters = function.spec.filter.iter().cloned().chain(lacking).collect();
        self.rows.page_behind(sought.namespace, filters, sought.after, sought.total, within).await
    }

    pub(crate) async fn discover(&self, request: DiscoverRequest) -> Result<DiscoverResponse, Status> {
        let mut check = Check::default();
        check.function_id(&request.function_id);
        if request.namespaces.len() > 1000 {
            check.refuse("namespaces", "must be 1,000 at most");
        }
        check.done()?;
        let function = self.function(&request.function_id).await?;
        for (place, namespace) in request.namespaces.iter().enumerate() {
            if !function.targets(namespace) {
                let field = format!("namespaces[{place}]");
                return Err(status::invalid_field(field, "must be one of the function's namespaces"));
            }
        }
        if function.queue.paused {
            return Ok(DiscoverResponse::default());
        }
        let _searching = self.discovers.try_acquire().map_err(|_| errors::overloaded("searches"))?;
        let asked = if request.page_size == 0 { ENQUEUED_MAX } else { request.page_size.min(ENQUEUED_MAX) };
        let mut namespaces = request.namespaces;
        if namespaces.is_empty() {
            namespaces.clone_from(&function.spec.target_namespaces);
        }
        self.discover_in(&function, namespaces, asked as usize).await
    }

    /// Looks through namespaces, a few at a time, until `asked` new items were found.
    async fn discover_in(
        &self,
        function: &Registered,
        namespaces: Vec<String>,
        asked: usize,
    ) -> Result<DiscoverResponse, Status> {
        let now_ms = self.state.now_ms().await.map_err(errors::state)?;
        let fan_out = self.fan_out().min(function.schedule().scans_max.max(1) as usize);
        let mut answer = DiscoverResponse::default();
        let looks = namespaces
            .into_iter()
            .map(|namespace| async move { (self.look_through(function, &namespace, now_ms, asked).await, namespace) });
        let mut looks = stream::iter(looks).buffer_unordered(fan_out);
        while let Some((enqueued, namespace)) = looks.next().await {
            if let Some(enqueued) = enqueued? {
                answer.enqueued += enqueued as u64;
                answer.namespaces.push(namespace);
            }
            if answer.enqueued >= asked as u64 {
                break;
            }
        }
        answer.namespaces.sort_unstable();
        Ok(answer)
    }

    /// Puts up to `asked` new items of a namespace into the queue; `None` where there is no such namespace.
    async fn look_through(
        &self,
        function: &Registered,
        namespace: &str,
        now_ms: i64,
        asked: usize,
    ) -> Result<Option<usize>, Status> {
        let (mut enqueued, mut after) = (0, None);
        for _ in 0..PAGES_MAX {
            let left = u32::try_from(asked - enqueued).unwrap_or(u32::MAX);
            let total = self.settings.page_rows.min(left);
            let sought = Sought { namespace, after: after.as_ref(), every: false, now_ms, total };
            let ids = match self.page(function, sought, self.rows.within).await {
                Err(Trouble::NoNamespace) => return Ok(None),
                page => page?,
            };
            let items: Vec<_> = ids.iter().filter_map(|id| item_of(namespace, id)).collect();
            if !items.is_empty() {
                let new = self.state.enqueue(KIND, function.id(), &items).await.map_err(errors::state)?;
                self.observe.enqueued(function.id(), "discover", new);
                enqueued += new;
            }
            if ids.len() < total as usize || enqueued >= asked {
                break;
            }
            after = ids.into_iter().next_back();
        }
        Ok(Some(enqueued))
    }
}
