//! Warming the document cache: jobs that read a namespace into it, page by page.
//!
//! A job lists the ids of the origin, looks them up in the cache, and reads what is missing strongly, under the leases of
//! that look-up: so it needs no rule of its own to be right, however many writes go on meanwhile. It runs in the program's
//! own runtime, beside the workers, and gives way to fetches: it has few queries in flight, waits while ids of fetches
//! wait for the origin, and leaves half of the queue of fills to them.
//!
//! Jobs are kept in the object store ([`ledger`]): one at a time in a namespace, whatever router was asked, and when a
//! router dies another goes on behind the last page that was done. It must never keep a caller's key: in `auth.mode`
//! `pass-through` a job whose router is gone fails.

mod hint;
mod job;
mod ledger;
mod observe;
mod retry;
mod run;
mod scan;
mod serve;
mod service;
mod settings;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use layer_service::{metrics::Metrics, shed::InFlight, shed::Permit};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use observe::METRICS;
pub(crate) use serve::{NotWarmed, answer};
pub use service::run;
pub use settings::WarmSettings;

use crate::fetch::Place;
use observe::WarmObserve;

/// Namespaces that were missed in and wait to be warmed.
const MISSED_MAX: usize = 64;
/// Namespaces of which is remembered that they were missed in.
const NAMESPACES_MAX: usize = 10_000;
/// Ids of a page where nobody says otherwise: the longest that there is. Pages can only be listed one after another, and
/// each is a query of its own, so that short ones make the job slow and the origin's bill long.
pub(crate) const PAGE_SIZE: usize = 10_000;

/// What all workers share of warming.
pub struct Common {
    settings: WarmSettings,
    observe: WarmObserve,
    /// The bound on jobs that run here.
    jobs: InFlight,
    starts: mpsc::UnboundedSender<Start>,
    missed: mpsc::Sender<Arc<Place>>,
    /// Namespaces that were missed in, and during which connection to the cache.
    known: Mutex<HashMap<String, u64>>,
    /// Counts connections to the cache.
    connection: AtomicU64,
    /// Jobs that run here, by id.
    running: Mutex<HashMap<String, CancellationToken>>,
}

/// The other end: what [`run`] works on.
pub struct Inbox {
    starts: mpsc::UnboundedReceiver<Start>,
    missed: mpsc::Receiver<Arc<Place>>,
}

/// A job that this router has claimed.
struct Start {
    held: ledger::Held,
    place: Arc<Place>,
    /// Bounds how many of them there are.
    permit: Permit,
}

impl Common {
    /// With nothing running. Registers the metrics of warming.
    pub fn new(settings: &WarmSettings, metrics: &Metrics) -> (Self, Inbox) {
        let (starts, begun) = mpsc::unbounded_channel();
        let (missed, seen) = mpsc::channel(MISSED_MAX);
        let common = Self {
            settings: settings.clone(),
            observe: WarmObserve::new(metrics),
            jobs: InFlight::new(settings.jobs_max),
            starts,
            missed,
            known: Mutex::default(),
            connection: AtomicU64::new(0),
            running: Mutex::default(),
        };
        (common, Inbox { starts: begun, missed: seen })
    }

    /// A fetch missed in `place`, though the cache answered. Costs next to nothing where `warm.reactive` is off.
    pub fn missed(&self, place: &Arc<Place>) {
        if !self.settings.reactive || place.scope.is_none() {
            return;
        }
        let now = self.connection.load(Relaxed);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&place.namespace) == Some(&now) {
            return;
        }
        // What does not fit now is missed in again.
        if known.len() < NAMESPACES_MAX && self.missed.try_send(Arc::clone(place)).is_ok() {
            known.insert(place.namespace.clone(), now);
        }
    }

    /// There is a new connection to the cache: what it had may be gone.
    fn connected(&self) {
        self.connection.fetch_add(1, Relaxed);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Ends a job that runs here. It finds out by itself in the end, but that takes a while.
    fn interrupt(&self, id: &str) {
        if let Some(token) = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            token.cancel();
        }
    }

    /// A job runs here until what is returned is dropped.
    fn enlist(self: &Arc<Self>, id: &str) -> Enlisted {
        let token = CancellationToken::new();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), token.clone());
        Enlisted { common: Arc::clone(self), id: id.to_owned(), token }
    }
}

/// A job that runs here.
struct Enlisted {
    common: Arc<Common>,
    id: String,
    token: CancellationToken,
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        self.common.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(namespace: &str) -> Arc<Place> {
        let scope = layer_cache::Scope::new("t", namespace, layer_cache::Kind::Document).ok();
        Arc::new(Place { namespace: namespace.to_owned(), authorization: None, by_key: false, scope, ttl: None })
    }

    #[test]
    fn a_namespace_is_warmed_once_for_each_connection() {
        let settings = WarmSettings { reactive: true, ..WarmSettings::default() };
        let (common, mut inbox) = Common::new(&settings, &Metrics::default());
        let mut told = |common: &Common| {
            ["a", "a", "b"].iter().for_each(|name| common.missed(&place(name)));
            std::iter::from_fn(|| inbox.missed.try_recv().ok()).count()
        };
        assert_eq!(told(&common), 2);
        assert_eq!(told(&common), 0);
        common.connected();
        assert_eq!(told(&common), 2);
    }

    #[test]
    fn nothing_is_warmed_where_nobody_wants_it() {
        let (common, mut inbox) = Common::new(&WarmSettings::default(), &Metrics::default());
        common.missed(&place("a"));
        assert!(inbox.missed.try_recv().is_err());
    }
}
