//! A part that answers health checks and echoes: raw gRPC, so that nothing is left out.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{body::Body, server::NamedService};
use tonic_health::{ServingStatus, server::health_reporter};

pub(super) const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Runs in a runtime of its own: when that goes, so does every connection.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// Calls that have come.
    pub(super) seen: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

impl Server {
    pub(super) fn start(address: SocketAddr, serving: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = bind(address);
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<AtomicUsize>::default();
        let echo = Echo(Arc::clone(&seen));
        runtime.spawn(async move {
            let (reporter, health) = health_reporter();
            let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
            reporter.set_service_status("", status).await;
            let incoming = TcpListenerStream::new(TcpListener::from_std(listener).unwrap());
            let server = tonic::transport::Server::builder().add_service(health).add_service(echo);
            server.serve_with_incoming(incoming).await
        });
        Self { address, seen, runtime: Some(runtime) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// Tries for a while: a server that was there before lets go of its port in the background.
fn bind(address: SocketAddr) -> std::net::TcpListener {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match std::net::TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < end, "{address}: {error}"),
        }
        std::thread::yield_now();
    }
}

/// Answers each message with itself; `/echo/never` never, `/echo/half` with a piece and nothing after it.
#[derive(Clone)]
struct Echo(Arc<AtomicUsize>);

impl NamedService for Echo {
    const NAME: &'static str = "echo";
}

impl tower::Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.fetch_add(1, Relaxed);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            if head.uri.path() == "/echo/never" {
                std::future::pending::<()>().await;
            }
            let half = head.uri.path() == "/echo/half";
            let timeout = head.headers.get("grpc-timeout").cloned();
            let message = body.collect().await.unwrap().to_bytes();
            let pieces = futures_util::stream::unfold(0, move |step| {
                let (message, timeout) = (message.clone(), timeout.clone());
                async move {
                    match step {
                        0 => Some((Frame::data(message), 1)),
                        1 if half => std::future::pending().await,
                        1 => Some((Frame::trailers(trailers(timeout)), 2)),
                        _ => None,
                    }
                }
            });
            let pieces = futures_util::StreamExt::map(pieces, Ok::<Frame<Bytes>, Infallible>);
            Ok(Response::new(Body::new(StreamBody::new(pieces))))
        })
    }
}

fn trailers(timeout: Option<HeaderValue>) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.extend(timeout.map(|timeout| (http::HeaderName::from_static("seen-timeout"), timeout)));
    trailers
}

pub(super) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it never came to that")
}
