//! minifugu, run where it can hurt nobody.
//!
//! minifugu answers a query by scanning every row, and a write by syncing a file, inside its async handlers. Mounted
//! directly it would stall the threads that serve connections, in `layer up` the router's among them. So a request
//! takes a turn and runs on tokio's blocking pool. A panic there ends that one request with a 500. Waiting is
//! bounded: past [`MAX_ADMITTED`] requests, or after [`MAX_WAIT`], the answer is 429, which the SDKs retry.
//!
//! It must never change a request or an answer: that is the business of `edge`.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::BodyExt;
use minifugu::EmbeddingMode;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tower::ServiceExt;

use crate::data_dir::{DataDir, Error};

/// Requests that scan or sync at the same time; more would only share the same cores.
const MAX_RUNNING: usize = 16;
/// Requests in hand at all: being read, waiting for a turn, or running.
const MAX_ADMITTED: usize = 1024;
/// Longest wait for a turn: well inside the SDKs' own 60 s.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The engine over one data directory. Clones share it.
#[derive(Clone)]
pub(crate) struct Engine {
    routes: Router,
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
    _directory: Arc<DataDir>,
}

impl Engine {
    pub(crate) fn open(directory: DataDir) -> Result<Self, Error> {
        let routes = minifugu::router_with_data_dir(EmbeddingMode::Deterministic, directory.path())
            .map_err(|source| Error::Unreadable { path: directory.path().to_owned(), source })?;
        Ok(Self {
            routes,
            admitted: Arc::new(Semaphore::new(MAX_ADMITTED)),
            running: Arc::new(Semaphore::new(MAX_RUNNING)),
            _directory: Arc::new(directory),
        })
    }

    /// A place among the requests in hand, kept until it is dropped; none when they are too many.
    pub(crate) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        self.admitted.clone().try_acquire_owned().ok()
    }

    /// Waits for a turn, then runs `work` off the threads that serve connections.
    pub(crate) async fn in_turn<W>(self, work: W) -> Response<Bytes>
    where
        W: FnOnce(&Self) -> Response<Bytes> + Send + 'static,
    {
        let Ok(Ok(turn)) = timeout(MAX_WAIT, self.running.clone().acquire_owned()).await else {
            return too_many();
        };
        let task = tokio::task::spawn_blocking(move || {
            // Held by the work itself: when the caller goes away the scan goes on, and still counts.
            let _turn = turn;
            work(&self)
        });
        task.await.unwrap_or_else(|_| failed())
    }

    /// minifugu's own answer. Blocks: call it from within [`Engine::in_turn`] only.
    pub(crate) fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let answer = self.routes.clone().oneshot(request.map(Body::from));
        let collected = Handle::current().block_on(async {
            let Ok(response) = answer.await;
            let (head, body) = response.into_parts();
            body.collect().await.map(|body| Response::from_parts(head, body.to_bytes()))
        });
        collected.unwrap_or_else(|_| failed())
    }
}

/// An error in the shape of the wire.
pub(crate) fn error(status: StatusCode, message: &str) -> Response<Bytes> {
    let body = serde_json::json!({"status": "error", "error": message}).to_string();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The 429 that asks a client to come back in a second.
pub(crate) fn too_many() -> Response<Bytes> {
    let mut response = error(StatusCode::TOO_MANY_REQUESTS, "too many requests at once for the stand-in");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The panic's own text stays out of the answer: it may quote a document.
fn failed() -> Response<Bytes> {
    error(StatusCode::INTERNAL_SERVER_ERROR, "the stand-in's engine failed on this request")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine() -> (Engine, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(DataDir::lock(directory.path()).unwrap()).unwrap();
        (engine, directory)
    }

    #[tokio::test]
    async fn a_panic_ends_its_own_request_only() {
        let (engine, _directory) = engine();
        let failed = engine.clone().in_turn(|_| panic!("as if in the engine")).await;
        assert_eq!(failed.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!String::from_utf8_lossy(failed.body()).contains("as if"));
        let next = engine.in_turn(|_| Response::new(Bytes::new())).await;
        assert_eq!(next.status(), StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_for_a_turn_is_told_to_come_back() {
        let (engine, _directory) = engine();
        let _turns = engine.running.clone().acquire_many_owned(MAX_RUNNING as u32).await.unwrap();
        let refused = engine.in_turn(|_| Response::new(Bytes::new())).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()[RETRY_AFTER], "1");
    }

    #[tokio::test]
    async fn more_requests_than_have_a_place_are_refused_at_once() {
        let (engine, _directory) = engine();
        let places: Vec<_> = (0..MAX_ADMITTED).map(|_| engine.admit().unwrap()).collect();
        assert!(engine.admit().is_none());
        drop(places);
        assert!(engine.admit().is_some());
    }
}
