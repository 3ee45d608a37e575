//! Functions: rows that gain attributes, done by workers that may die at any moment.
//!
//! A function's rows are searched for in its namespaces by a mark that says for which version they were done; what lacks it
//! becomes an item of the function's queue. Workers claim items, get the rows' inputs as they are then, and return
//! attributes, which are written to the row together with the mark. docs/adr/0005-pipelines.md argues the design.
//!
//! Two things are never done here. No call to the router is made inside a transaction of the state store. And no
//! result is written that was made from other inputs than the row has: each write is under the condition that the row
//! has not been written since its inputs were compared with those that the worker was given.

mod check;
mod claim;
mod complete;
mod cron;
mod discover;
mod errors;
mod held;
mod item_id;
mod marks;
mod observe;
mod registry;
mod router;
mod rows;
mod schemas;
mod search;
mod service;
mod settings;
mod spec;
mod values;
mod write;
mod writes;

use std::{sync::Arc, time::Duration};

use layer_service::metrics::Metrics;
use tokio::sync::Semaphore;
use tonic::Status;

use self::{observe::Observe, rows::Rows, schemas::Schemas, spec::Registered, writes::Triggers};
use crate::state::{Kind, State};

pub use observe::METRICS;
pub use router::RouterCalls;
pub use settings::FunctionsSettings;

/// What the items of functions are.
const KIND: Kind = Kind::Function;

/// `layer.function.v1.FunctionService`; clones share everything.
#[derive(Debug)]
pub struct FunctionsService<R> {
    inner: Arc<Inner<R>>,
}

impl<R> Clone for FunctionsService<R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

/// What all calls share.
#[derive(Debug)]
struct Inner<R> {
    state: State,
    rows: Rows<R>,
    settings: FunctionsSettings,
    observe: Observe,
    schemas: Schemas,
    triggers: Triggers,
    /// Claims that may wait.
    waits: Semaphore,
    /// Searches that callers may ask for at a time.
    discovers: Semaphore,
    /// Pages that may be read at a time.
    scans: Arc<Semaphore>,
}

impl<R: RouterCalls> FunctionsService<R> {
    /// A service over a state store and a router. [`FunctionsService::run`] must be run beside it.
    pub fn new(state: State, router: R, settings: FunctionsSettings, metrics: &Metrics) -> Self {
        let rows = Rows { router, within: Duration::from_millis(settings.router_timeout_ms) };
        let permits = |n: u32| usize::try_from(n).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let inner = Inner {
            state,
            rows,
            observe: Observe::new(metrics),
            schemas: Schemas::default(),
            triggers: Triggers::default(),
            waits: Semaphore::new(permits(settings.waits_max)),
            discovers: Semaphore::new(permits(settings.discovers_max)),
            scans: Arc::new(Semaphore::new(permits(settings.scans_max))),
            settings,
        };
        Self { inner: Arc::new(inner) }
    }
}

impl<R: RouterCalls> Inner<R> {
    /// A function as it is now.
    async fn function(&self, id: &str) -> Result<Registered, Status> {
        let queue = self.state.get(KIND, id).await.map_err(errors::state)?;
        Registered::read(queue).map_err(errors::state)
    }

    /// All functions, in the order of their ids.
    async fn functions(&self) -> Result<Vec<Registered>, Status> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.state.list(KIND, &after, 1000).await.map_err(errors::state)?;
            let Some(last) = page.last() else { return Ok(all) };
            after.clone_from(&last.name);
            for queue in page {
                all.push(Registered::read(queue).map_err(errors::state)?);
            }
        }
    }

    /// Calls to the router that one call makes at a time.
    fn fan_out(&self) -> usize {
        usize::try_from(self.settings.fan_out).unwrap_or(1)
    }
}
