//! What the fetches of all workers share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::StatusCode;
use layer_service::{metrics::Metrics, shed::InFlight};
use tokio::sync::Semaphore;

use super::{
    coalesce::{Bounds, Coalescer},
    held::Bound,
    observe::FetchObserve,
    place::Place,
    read::Digits,
    settings::FetchSettings,
    sizes::Sizes,
};
use crate::{accepted::Accepted, settings::AuthMode};

/// Namespaces whose type of ids is remembered.
const TYPES_MAX: usize = 4096;
/// Comparisons with the origin that run at once.
const VERIFY_MAX: usize = 4;
/// Look-ups of warms that run at once: with 250 keys each, half of what one handle asks the cache for at once.
const REFILLING_MAX: usize = 2;

/// What the fetches of all workers share.
pub struct Common {
    /// Joins misses.
    pub coalescer: Coalescer,
    /// What digits mean where.
    pub types: Types,
    /// What is counted.
    pub observe: FetchObserve,
    /// How large the rows of namespaces are.
    pub sizes: Sizes,
    /// The bound on what fetches hold.
    pub held: Bound,
    /// The bound on comparisons with the origin.
    pub verifying: InFlight,
    /// The bound on look-ups of warms; they wait for their turn here, not at the cache.
    pub refilling: Semaphore,
    /// Which key the origin lets read which namespace.
    accepted: Accepted,
}

impl Common {
    /// With nothing in flight. Registers the metrics of fetches.
    pub fn new(settings: &FetchSettings, mode: AuthMode, metrics: &Metrics) -> Self {
        let bounds = Bounds {
            window: Duration::from_micros(settings.window_us),
            query_ids: settings.query_ids_max,
            place_queries: settings.namespace_queries_max,
            queries: settings.queries_max,
            waiting: settings.waiting_max,
        };
        Self {
            coalescer: Coalescer::new(bounds),
            types: Types::default(),
            observe: FetchObserve::new(metrics),
            sizes: Sizes::default(),
            held: Bound::new(settings.held_bytes),
            verifying: InFlight::new(VERIFY_MAX),
            refilling: Semaphore::new(REFILLING_MAX),
            accepted: Accepted::new(mode),
        }
    }

    /// The origin answered a query of `place` with `status`.
    pub fn reached(&self, place: &Place, status: StatusCode) {
        if let Some(key) = self.accepted.of(place.authorization.as_ref(), &place.namespace) {
            self.accepted.answered(key, status);
        }
    }

    /// Whether the origin lately let this key read this namespace, where keys differ.
    pub fn is_accepted(&self, place: &Place) -> bool {
        !place.by_key
            || self
                .accepted
                .of(place.authorization.as_ref(), &place.namespace)
                .is_some_and(|key| self.accepted.is_known(key))
    }
}

/// What digits were found to mean. Only which of the two is tried first hangs on it: a namespace may be deleted and made
/// anew with ids of another type.
#[derive(Default)]
pub struct Types(Mutex<HashMap<Arc<Place>, Digits>>);

impl Types {
    /// What digits most likely mean in `place`.
    pub fn of(&self, place: &Arc<Place>) -> Digits {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(place).copied().unwrap_or(Digits::Uint)
    }

    /// They mean this.
    pub fn remember(&self, place: &Arc<Place>, digits: Digits) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(place) == Some(&digits) {
            return;
        }
        if known.len() >= TYPES_MAX {
            known.clear();
        }
        known.insert(Arc::clone(place), digits);
    }
}
