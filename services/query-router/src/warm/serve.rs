//! Warm jobs over HTTP.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION, header::CONTENT_TYPE};
use layer_cache::Warmth;
use layer_object_store::Error;
use serde_json::{Value, json};

use super::{
    PAGE_SIZE, Start,
    job::{self, Job, Slot},
    ledger::{Claimed, Ledger},
};
use crate::{
    body::Source,
    core::{Call, Core, Relayable},
    fetch::{Failure, Place},
    headers,
    refusal::Refusal,
    settings::AuthMode,
    wait::within,
};

/// Largest page.
const PAGE_SIZE_MAX: usize = 10_000;

/// Why a job could not be started.
pub enum NotWarmed {
    /// Layer says so.
    Refused(Refusal),
    /// The origin could not be read, or says so itself.
    Failed(Failure),
}

impl From<Refusal> for NotWarmed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl NotWarmed {
    /// The origin's own answer where it gave one, Layer's where not.
    pub fn into_answer(self, call: &mut Call<'_>) -> Result<Response<Relayable>, Refusal> {
        match self {
            Self::Refused(refusal) => Err(refusal),
            Self::Failed(failure) => {
                let told = failure.into_answer()?;
                call.measured.told(told.status());
                Ok(told.map(Relayable::Whole))
            }
        }
    }
}

impl Core {
    /// POST /v2/namespaces/{namespace}/warm
    pub(crate) async fn post_warm(
        &self,
        namespace: &str,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let page_size = page_size(request.uri().query())?;
        let place = self.warm_place(namespace, request.headers())?;
        match self.start_warm(&place, page_size, call.deadline).await {
            Ok(job) => Ok(answer(StatusCode::ACCEPTED, call, &json!(job))),
            Err(not) => not.into_answer(call),
        }
    }

    /// GET /v2/namespaces/{namespace}/warm-jobs
    pub(crate) async fn list_warm_jobs(
        &self,
        namespace: &str,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let place = self.warm_place(namespace, request.headers())?;
        if let Err(not) = self.readable(&place, call.deadline).await {
            return not.into_answer(call);
        }
        let jobs = within(call.deadline, self.ledger_or()?.list(namespace)).await??;
        Ok(answer(StatusCode::OK, call, &json!({"warm_jobs": jobs})))
    }

    /// GET and DELETE /v2/namespaces/{namespace}/warm-jobs/{id}
    pub(crate) async fn warm_job(
        &self,
        namespace: &str,
        id: &str,
        cancel: bool,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let place = self.warm_place(namespace, request.headers())?;
        if let Err(not) = self.readable(&place, call.deadline).await {
            return not.into_answer(call);
        }
        let (ledger, record) = (self.ledger_or()?, job::place(id)?);
        let found = match cancel {
            true => within(call.deadline, ledger.cancel(namespace, id, &record)).await?,
            false => within(call.deadline, ledger.get(namespace, id, &record)).await?.map(|job| (job, false)),
        };
        let (job, cancelled) = found.map_err(|error| match error {
            Error::NotFound => Refusal::NoJob,
            other => other.into(),
        })?;
        if cancelled {
            self.shared.warm.interrupt(id);
            self.shared.warm.observe.job(job.status.name());
        }
        Ok(answer(StatusCode::OK, call, &json!(job)))
    }

    /// Starts a job, or finds the one that runs.
    pub(super) async fn start_warm(
        &self,
        place: &Arc<Place>,
        page_size: usize,
        deadline: Option<Instant>,
    ) -> Result<Job, NotWarmed> {
        if self.cache.state().warmth() == Warmth::Cold {
            return Err(Refusal::CacheCold.into());
        }
        let ledger = self.ledger_or()?;
        let until = deadline.unwrap_or_else(|| Instant::now() + self.patience());
        let total = self.reader().row_count(place, until).await.map_err(NotWarmed::Failed)?;
        let claim = self.claim(&ledger, place, page_size, total);
        within(deadline, claim).await?.map_err(NotWarmed::Refused)
    }

    async fn claim(&self, ledger: &Ledger, place: &Arc<Place>, page_size: usize, total: u64) -> Result<Job, Refusal> {
        let common = &self.shared.warm;
        let Some(permit) = common.jobs.enter() else {
            let limit = common.jobs.limit();
            let crowded = Refusal::Crowded(format!("{limit} warm jobs run in this router (warm.jobs_max)"));
            return ledger.running(&place.namespace).await?.ok_or(crowded);
        };
        let job = Job::new(&place.namespace);
        match ledger.claim(Slot::new(job, page_size, total)).await? {
            Claimed::Running(job) => Ok(*job),
            Claimed::Ours(held) => {
                let job = held.slot.job.clone();
                common.observe.job("started");
                let start = Start { held: *held, place: Arc::clone(place), permit };
                // Where nothing runs jobs any more the router is stopping, and another goes on with this one.
                let _ = common.starts.send(start);
                Ok(job)
            }
        }
    }

    /// Where a caller's documents are, where they can be warmed at all.
    pub(super) fn warm_place(&self, namespace: &str, headers: &HeaderMap) -> Result<Arc<Place>, Refusal> {
        let settings = &self.shared.settings;
        if !settings.cache.enabled() {
            return Err(Refusal::NoStore("no document cache is configured (cache.addresses)"));
        }
        if settings.auth.mode == AuthMode::PassThrough && !settings.auth.single_organisation {
            return Err(Refusal::NoStore(
                "nothing is cached in auth.mode `pass-through` without auth.single_organisation",
            ));
        }
        let place = self.place(namespace, headers);
        match place.scope.as_ref().is_some_and(|scope| scope.namespace() == namespace) {
            true => Ok(place),
            false => Err(Refusal::Invalid(
                "namespace: must be 1 to 128 of A-Z a-z 0-9 - _ . and not be off in cache.namespaces".to_owned(),
            )),
        }
    }

    /// The same without a caller, for a job whose router is gone. Nothing in mode `pass-through`: only callers have keys.
    pub(super) fn place_without_caller(&self, namespace: &str) -> Option<Arc<Place>> {
        if self.shared.settings.auth.mode == AuthMode::PassThrough {
            return None;
        }
        let own = self.shared.auth.store_bearer().map(|bearer| (AUTHORIZATION, bearer));
        self.warm_place(namespace, &HeaderMap::from_iter(own)).ok()
    }

    /// Lets only callers pass whom the origin lets read the namespace, where callers bring keys of their own.
    pub(crate) async fn readable(&self, place: &Arc<Place>, deadline: Option<Instant>) -> Result<(), NotWarmed> {
        if self.shared.fetch.is_accepted(place) {
            return Ok(());
        }
        let until = deadline.unwrap_or_else(|| Instant::now() + self.patience());
        self.reader().row_count(place, until).await.map(drop).map_err(NotWarmed::Failed)
    }

    /// Where jobs are kept, by this worker's connections.
    pub(super) fn ledger(&self) -> Option<Ledger> {
        let store = self.store.clone()?;
        Some(Ledger::new(store, &self.shared.settings.cache.tenant))
    }

    fn ledger_or(&self) -> Result<Ledger, Refusal> {
        self.ledger().ok_or(Refusal::NoStore("warm jobs need an object store (object_store.backend)"))
    }
}

/// Layer's own answer.
pub(crate) fn answer(status: StatusCode, call: &mut Call<'_>, body: &Value) -> Response<Relayable> {
    call.measured.served(status);
    let mut response = Response::new(Relayable::Whole(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers::served_by_layer(headers);
    response
}

/// `?page_size=`
fn page_size(query: Option<&str>) -> Result<usize, Refusal> {
    let mut size = PAGE_SIZE;
    for pair in query.unwrap_or_default().split('&') {
        if let Some(("page_size", value)) = pair.split_once('=').or(Some((pair, ""))) {
            size = parsed_page_size(value)?;
        }
    }
    Ok(size)
}

/// A page's size as it was written.
pub(super) fn parsed_page_size(value: &str) -> Result<usize, Refusal> {
    let size = value.parse().ok().filter(|size| (1..=PAGE_SIZE_MAX).contains(size));
    size.ok_or_else(|| Refusal::Invalid(format!("page_size: must be 1 to {PAGE_SIZE_MAX}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_bound() {
        for (query, size) in [(None, 10_000), (Some("page_size=1000"), 1000), (Some("a=b&page_size=1"), 1)] {
            assert_eq!(page_size(query).unwrap(), size, "{query:?}");
        }
        for wrong in ["page_size=0", "page_size=10001", "page_size=", "page_size", "page_size=-1", "page_size=x"] {
            assert!(page_size(Some(wrong)).unwrap_err().to_string().contains("page_size"), "{wrong}");
        }
    }
}
