//! A service over a state store of its own and rows in memory.

use std::sync::MutexGuard;

use layer_proto::{
    function::v1::{
        ClaimRequest, ClaimResponse, ClaimedItem, CompleteRequest, CompletedItem, CreateFunctionRequest,
        DiscoverRequest, FailRequest, FailedItem, Function, FunctionSpec, FunctionStatus, GetFunctionRequest,
        ItemGuard, ItemStatus, UpsertFunctionRequest, function_service_server::FunctionService as _,
    },
    types::v1::{Id, Value, id},
};
use layer_service::{config::Secret, metrics::Metrics};
use pipeline_worker::{
    functions::{FunctionsService, FunctionsSettings},
    state::{State, StateSettings},
};
use tonic::{Request, Status};

use crate::fake::{Attributes, Fake, Origin};

/// The function of most tests.
pub const F: &str = "f";
/// Its namespace.
pub const N: &str = "n";

pub struct Bench {
    pub service: FunctionsService<Fake>,
    pub state: State,
    pub router: Fake,
    pub metrics: Metrics,
    _directory: tempfile::TempDir,
}

pub async fn bench() -> Bench {
    bench_with(|_| {}).await
}

pub async fn bench_with(change: impl FnOnce(&mut FunctionsSettings)) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("state.db").display());
    let settings = StateSettings { url: Some(Secret::new(url)), ..StateSettings::default() };
    let metrics = Metrics::default();
    let state = State::open(&settings, &metrics).unwrap().unwrap();
    state.migrate().await.unwrap();
    let router = Fake::default();
    let mut settings = FunctionsSettings { poll_ms: 5, wait_poll_ms: 5, ..FunctionsSettings::default() };
    change(&mut settings);
    let service = FunctionsService::new(state.clone(), router.clone(), settings, &metrics);
    Bench { service, state, router, metrics, _directory: directory }
}

/// Rows of `N` by number.
pub fn row(number: u64) -> Id {
    Id { kind: Some(id::Kind::UintValue(number)) }
}

pub fn named(name: &str) -> Id {
    Id { kind: Some(id::Kind::StringValue(name.to_owned())) }
}

pub fn spec() -> FunctionSpec {
    let one = |name: &str| vec![name.to_owned()];
    FunctionSpec { target_namespaces: one(N), inputs: one("title"), ..FunctionSpec::default() }
}

pub fn gains(pairs: &[(&str, Value)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

pub fn guard(item: &ClaimedItem) -> ItemGuard {
    ItemGuard { namespace: item.namespace.clone(), id: item.id.clone(), token: item.token }
}

impl Bench {
    pub fn origin(&self) -> MutexGuard<'_, Origin> {
        self.router.origin.lock().unwrap()
    }

    /// Registers the function of the test.
    pub async fn create(&self, change: impl FnOnce(&mut FunctionSpec)) -> Function {
        self.create_as(F, change).await.unwrap()
    }

    pub async fn create_as(&self, id: &str, change: impl FnOnce(&mut FunctionSpec)) -> Result<Function, Status> {
        let mut spec = spec();
        change(&mut spec);
        let request = CreateFunctionRequest { function_id: id.to_owned(), spec: Some(spec) };
        Ok(self.service.create_function(Request::new(request)).await?.into_inner().function.unwrap())
    }

    pub async fn upsert(&self, change: impl FnOnce(&mut FunctionSpec)) -> Function {
        let mut spec = spec();
        change(&mut spec);
        let request = UpsertFunctionRequest { function_id: F.to_owned(), spec: Some(spec) };
        self.service.upsert_function(Request::new(request)).await.unwrap().into_inner().function.unwrap()
    }

    /// Rows with these numbers, and titles.
    pub fn rows(&self, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers {
            self.origin().put(N, &row(number), &[("title", crate::fake::text(&format!("t{number}")))]);
        }
    }

    pub async fn discover(&self) -> u64 {
        self.discover_as(F).await
    }

    pub async fn discover_as(&self, id: &str) -> u64 {
        let request = DiscoverRequest { function_id: id.to_owned(), ..DiscoverRequest::default() };
        self.service.discover(Request::new(request)).await.unwrap().into_inner().enqueued
    }

    pub async fn claim(&self, limit: u32) -> Vec<ClaimedItem> {
        self.claimed(F, limit, "w").await.unwrap().items
    }

    pub async fn claimed(&self, id: &str, limit: u32, worker: &str) -> Result<ClaimResponse, Status> {
        let (function_id, worker_id) = (id.to_owned(), worker.to_owned());
        let request = ClaimRequest { function_id, limit, worker_id, ..ClaimRequest::default() };
        Ok(self.service.claim(Request::new(request)).await?.into_inner())
    }

    /// Completes items, each with the same result.
    pub async fn complete(&self, items: &[ClaimedItem], gained: &[(&str, Value)]) -> Vec<ItemStatus> {
        let items: Vec<_> = items.iter().map(|item| (guard(item), gains(gained))).collect();
        self.completed(F, items).await.unwrap()
    }

    pub async fn completed(&self, id: &str, items: Vec<(ItemGuard, Attributes)>) -> Result<Vec<ItemStatus>, Status> {
        let items = items.into_iter().map(|(guard, attributes)| CompletedItem { item: Some(guard), attributes });
        let (function_id, worker_id) = (id.to_owned(), String::new());
        let request = CompleteRequest { function_id, items: items.collect(), worker_id };
        let answer = self.service.complete(Request::new(request)).await?.into_inner();
        Ok(answer.results.iter().map(layer_proto::function::v1::ItemResult::status).collect())
    }

    pub async fn fail(&self, items: &[ClaimedItem], kind: i32) -> Vec<ItemStatus> {
        let failed = |item: &ClaimedItem| FailedItem { item: Some(guard(item)), kind, message: "no".to_owned() };
        let items = items.iter().map(failed).collect();
        let request = FailRequest { function_id: F.to_owned(), items, worker_id: String::new() };
        let answer = self.service.fail(Request::new(request)).await.unwrap().into_inner();
        answer.results.iter().map(layer_proto::function::v1::ItemResult::status).collect()
    }

    pub async fn status(&self) -> FunctionStatus {
        let request = GetFunctionRequest { function_id: F.to_owned() };
        self.service.get_function(Request::new(request)).await.unwrap().into_inner().status.unwrap()
    }

    /// An attribute of a row of `N`.
    pub fn has(&self, number: u64, name: &str) -> Option<Value> {
        self.origin().row(N, &row(number)).get(name).cloned()
    }

    /// Waits until something is so. The test's own time runs out where it never is.
    pub async fn until(&self, what: &str, mut is: impl AsyncFnMut() -> bool) {
        let look = async {
            while !is().await {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(30), look).await;
        assert!(waited.is_ok(), "{what} never came");
    }
}
