//! minifugu, run where it can hurt nobody.
//!
//! minifugu answers a query by scanning every row, and a write by syncing a file, inside its async handlers. Mounted
//! directly it would stall the threads that serve connections, in `layer up` the router's among them. So each
//! request runs on tokio's blocking pool. A panic in the engine ends that one request with a 500. Waiting is
//! bounded: past [`MAX_WAITING`] requests, or after [`MAX_WAIT`], the answer is 429, which the SDKs retry.
//!
//! It must never change a request or an answer: that is the business of `edge`.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{Request, StatusCode, header::RETRY_AFTER, request::Parts};
use http_body_util::{BodyExt, Limited};
use minifugu::EmbeddingMode;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tower::ServiceExt;

use crate::data_dir::{DataDir, Error};

/// Turbopuffer's documented limit of one request, after decompression.
pub(crate) const MAX_BODY_BYTES: usize = 512 << 20;
/// Requests that scan or sync at the same time; more would only share the same cores.
const MAX_RUNNING: usize = 16;
/// Requests that wait for their turn, bodies in hand.
const MAX_WAITING: usize = 1024;
/// Longest wait for a turn: well inside the SDKs' own 60 s.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The engine over one data directory. Clones share it.
#[derive(Clone)]
pub(crate) struct Engine {
    routes: Router,
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
    _directory: Arc<DataDir>,
}

impl Engine {
    pub(crate) fn open(directory: DataDir) -> Result<Self, Error> {
        let routes = minifugu::router_with_data_dir(EmbeddingMode::Deterministic, directory.path())
            .map_err(|source| Error::Unreadable { path: directory.path().to_owned(), source })?;
        Ok(Self {
            routes,
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            running: Arc::new(Semaphore::new(MAX_RUNNING)),
            _directory: Arc::new(directory),
        })
    }

    /// Answers one request. Its body is read whole before it takes a turn, so a slow sender holds nobody up.
    pub(crate) async fn answer(self, request: Request<Body>) -> Response {
        let Ok(_place) = self.waiting.clone().try_acquire_owned() else {
            return too_many();
        };
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return unreadable_body(&*error),
        };
        match timeout(MAX_WAIT, self.running.clone().acquire_owned()).await {
            Ok(Ok(turn)) => self.run(head, body, turn).await,
            _ => too_many(),
        }
    }

    /// The turn moves into the blocking task: when the caller goes away the scan goes on, and still counts.
    async fn run(self, head: Parts, body: Bytes, turn: OwnedSemaphorePermit) -> Response {
        let runtime = Handle::current();
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            runtime.block_on(self.routes.oneshot(Request::from_parts(head, Body::from(body))))
        });
        match task.await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "the stand-in's engine failed on this request"),
        }
    }
}

/// An error in the shape of the wire.
pub(crate) fn error(status: StatusCode, message: &str) -> Response {
    let body = serde_json::json!({"status": "error", "error": message});
    (status, axum::Json(body)).into_response()
}

fn too_many() -> Response {
    let mut response = error(StatusCode::TOO_MANY_REQUESTS, "too many requests at once for the stand-in");
    response.headers_mut().insert(RETRY_AFTER, http::HeaderValue::from_static("1"));
    response
}

fn unreadable_body(cause: &(dyn std::error::Error + 'static)) -> Response {
    if cause.is::<http_body_util::LengthLimitError>() {
        return error(StatusCode::PAYLOAD_TOO_LARGE, "the request body is larger than 512 MiB");
    }
    error(StatusCode::BAD_REQUEST, "the request body could not be read: it was cut off, or is not what content-encoding says")
}
