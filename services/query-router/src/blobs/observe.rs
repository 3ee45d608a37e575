//! What blobs count. How often and how long they are asked for, requests tell (`layer_requests_total`); the store's calls
//! have their own metrics.

use layer_service::metrics::{Metrics, SECONDS, Series};
use prometheus::{HistogramVec, IntCounter};

layer_service::metrics! {
    /// Every metric of blobs, for the inventory.
    pub METRICS:

    /// Blobs until the answer's head. operation get: result hit, miss, miss-on-error; put: new, known; or error.
    DURATION = Histogram(SECONDS) "layer_blob_duration_seconds" by ["operation", "result"];
    /// Bytes of blobs that were put, or got, whole.
    BYTES = Counter "layer_blob_bytes_total" by ["operation"];
    /// Blobs whose bytes did not have their hash, by where they came from (cache, store): never served whole.
    CORRUPT = Counter "layer_blob_corrupt_total" by ["source"];
}

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
        let [put_bytes, got_bytes] = metrics.counter(&BYTES).of(["put", "get"]);
        let [corrupt_in_cache, corrupt_in_store] = metrics.counter(&CORRUPT).of(["cache", "store"]);
        Self { duration: metrics.histogram(&DURATION), put_bytes, got_bytes, corrupt_in_cache, corrupt_in_store }
    }
}
