//! What blobs count. How often and how long they are asked for, requests tell (`layer_requests_total`); the store's calls
//! have their own metrics.

use layer_service::metrics::{Kind, Metric, Metrics, SECONDS};
use prometheus::{HistogramVec, IntCounter};

const DURATION: Metric = Metric {
    name: "layer_blob_duration_seconds",
    kind: Kind::Histogram(SECONDS),
    labels: &["operation", "result"],
    help: "Blobs until the answer's head. operation get: result hit, miss, miss-on-error; put: new, known; or error.",
};
const BYTES: Metric = Metric {
    name: "layer_blob_bytes_total",
    kind: Kind::Counter,
    labels: &["operation"],
    help: "Bytes of blobs that were put, or got, whole.",
};
const CORRUPT: Metric = Metric {
    name: "layer_blob_corrupt_total",
    kind: Kind::Counter,
    labels: &["source"],
    help: "Blobs whose bytes did not have their hash, by where they came from (cache, store): never served whole.",
};

/// Every metric of blobs, for the inventory.
pub const METRICS: &[&Metric] = &[&DURATION, &BYTES, &CORRUPT];

/// The series.
#[derive(Debug)]
pub struct BlobObserve {
    pub duration: HistogramVec,
    pub put_bytes: IntCounter,
    pub got_bytes: IntCounter,
    pub corrupt_in_cache: IntCounter,
    pub corrupt_in_store: IntCounter,
}

impl BlobObserve {
    /// Registers the metrics.
    pub fn new(metrics: &Metrics) -> Self {
        let (bytes, corrupt) = (metrics.counter(&BYTES), metrics.counter(&CORRUPT));
        Self {
            duration: metrics.histogram(&DURATION),
            put_bytes: bytes.with_label_values(&["put"]),
            got_bytes: bytes.with_label_values(&["get"]),
            corrupt_in_cache: corrupt.with_label_values(&["cache"]),
            corrupt_in_store: corrupt.with_label_values(&["store"]),
        }
    }
}
