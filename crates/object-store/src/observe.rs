//! What the object store counts.

use std::time::Instant;

use layer_service::metrics::{Metrics, SECONDS, Series};
use prometheus::{HistogramVec, IntGauge};

use crate::Error;

layer_service::metrics! {
    /// Every metric of an object store, for the inventory.
    pub METRICS:

    /// Calls to the object store, whichever it is, with their repetitions; reads until their first byte.
    DURATION = Histogram(SECONDS) "layer_s3_op_duration_seconds" by ["operation", "status"];
    /// Uploads to the object store in flight.
    UPLOADS = Gauge "layer_object_store_uploads_inflight";
}

/// The series.
#[derive(Debug, Clone)]
pub(crate) struct Observe {
    duration: HistogramVec,
    uploads: IntGauge,
}

impl Observe {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self { duration: metrics.histogram(&DURATION), uploads: metrics.gauge(&UPLOADS).only() }
    }

    /// Waits for a call and records it.
    pub(crate) async fn timed<T>(
        &self,
        operation: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let outcome = call.await;
        let status = outcome.as_ref().err().map_or("ok", Error::label);
        self.duration.with_label_values(&[operation, status]).observe(started.elapsed().as_secs_f64());
        outcome
    }

    /// Counts an upload until what it gives is dropped.
    pub(crate) fn uploading(&self) -> Uploading {
        self.uploads.inc();
        Uploading(self.uploads.clone())
    }
}

/// An upload in flight.
#[derive(Debug)]
pub(crate) struct Uploading(IntGauge);

impl Drop for Uploading {
    fn drop(&mut self) {
        self.0.dec();
    }
}
