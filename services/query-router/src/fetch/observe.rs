//! What fetches count.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use layer_service::metrics::{BATCH, Bounded, LABEL_VALUES_MAX, Metrics, OTHER, SECONDS, Series as _};
use prometheus::{Histogram, HistogramVec, IntCounterVec};

/// Values of the label `cache_result`.
const RESULTS: [&str; 4] = ["hit", "miss", "miss-on-error", "error"];

layer_service::metrics! {
    /// Every metric of fetches, for the inventory.
    pub METRICS:

    /// Fetches (operation single, batch) until the answer's head, by x-layer-cache, or `error` where they failed.
    DURATION = Histogram(SECONDS) "layer_fetch_duration_seconds" by ["operation", "namespace", "cache_result"];
    /// Ids asked for in a fetch.
    BATCH_SIZE = Histogram(BATCH) "layer_fetch_batch_size" by ["operation"];
    /// Hits compared with the origin (fetch.verify_one_in): same, stale, changed (written meanwhile), unknown.
    VERIFY = Counter "hevlayer_cache_verify_total" by ["result"];
    /// Ids in one query of the origin for fetches.
    QUERY_IDS = Histogram(BATCH) "layer_fetch_query_ids";
}

/// One document or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// By its own path.
    Single,
    /// A list of ids.
    Batch,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Batch => "batch",
        }
    }
}

/// The series of one namespace, looked up once.
struct Series {
    name: String,
    durations: [[OnceLock<Histogram>; RESULTS.len()]; 2],
    vec: HistogramVec,
}

impl Series {
    fn new(name: &str, vec: &HistogramVec) -> Self {
        Self { name: name.to_owned(), durations: Default::default(), vec: vec.clone() }
    }
}

/// The metrics of fetches; made once, shared by all workers.
pub struct FetchObserve {
    namespaces: Bounded<Series>,
    sizes: [Histogram; 2],
    verified: IntCounterVec,
    query_ids: Histogram,
}

/// How a fetch went.
#[derive(Debug, Clone, Copy)]
pub struct Went {
    /// One or several.
    pub operation: Operation,
    /// When it began.
    pub began: Instant,
    /// Ids asked for.
    pub ids: usize,
    /// Its `x-layer-cache`; none where it failed.
    pub cache_result: Option<&'static str>,
}

impl FetchObserve {
    /// Registers the metrics.
    pub fn new(metrics: &Metrics) -> Self {
        let vec = metrics.histogram(&DURATION);
        Self {
            namespaces: Bounded::new(LABEL_VALUES_MAX, Series::new(OTHER, &vec), |other, name| {
                Series::new(name, &other.vec)
            }),
            sizes: metrics.histogram(&BATCH_SIZE).of([Operation::Single, Operation::Batch].map(Operation::name)),
            verified: metrics.counter(&VERIFY),
            query_ids: metrics.histogram(&QUERY_IDS).only(),
        }
    }

    /// A fetch was answered. Only a good answer makes a namespace known: strangers could otherwise fill the metrics with
    /// names of their own.
    pub fn went(&self, namespace: &str, went: Went) {
        let series: Arc<Series> = match went.cache_result {
            Some(_) => self.namespaces.get(namespace),
            None => self.namespaces.known(namespace),
        };
        let result = went.cache_result.unwrap_or("error");
        let place = RESULTS.iter().position(|name| *name == result).unwrap_or(RESULTS.len() - 1);
        let duration = series.durations[went.operation as usize][place]
            .get_or_init(|| series.vec.with_label_values(&[went.operation.name(), &series.name, result]));
        duration.observe(went.began.elapsed().as_secs_f64());
        // A count of ids is far below 2^53.
        #[allow(clippy::cast_precision_loss)]
        self.sizes[went.operation as usize].observe(went.ids as f64);
    }

    /// A hit was compared with the origin.
    pub fn verified(&self, result: &'static str) {
        self.verified.with_label_values(&[result]).inc();
    }

    /// A query of the origin is sent.
    pub fn queried(&self, ids: usize) {
        // As above.
        #[allow(clippy::cast_precision_loss)]
        self.query_ids.observe(ids as f64);
    }
}
