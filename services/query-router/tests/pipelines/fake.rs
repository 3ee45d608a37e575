//! A pipeline-worker that answers what it is told, and keeps what it was asked: raw gRPC, so that messages are compared as
//! they went over the wire.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use prost::Message;
use tokio::{net::TcpListener, runtime::Runtime};
use tonic::{Status, body::Body, server::NamedService, service::Routes};
use tonic_health::{ServingStatus, server::health_reporter};

use crate::mesh::in_time;

/// What a call is answered with.
#[derive(Clone)]
pub enum Told {
    /// These messages, then success.
    Messages(Vec<Bytes>),
    /// These messages, and nothing after them.
    Half(Vec<Bytes>),
    /// An error.
    Refused(Status),
    /// Nothing, ever.
    Never,
}

/// What the fake was asked: the headers and the message.
pub type Seen = (HeaderMap, Bytes);

#[derive(Default)]
struct Script {
    told: HashMap<String, Told>,
    seen: HashMap<String, Vec<Seen>>,
}

/// Runs in a runtime of its own: when that goes, so does every connection.
pub struct Worker {
    pub port: u16,
    script: Arc<Mutex<Script>>,
    runtime: Option<Runtime>,
}

impl Worker {
    pub fn start(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = bind(port);
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::<Mutex<Script>>::default();
        let served = Arc::clone(&script);
        runtime.spawn(async move {
            let (reporter, health) = health_reporter();
            reporter.set_service_status("", ServingStatus::Serving).await;
            let routes = Routes::new(health).add_service(Pipelines(Arc::clone(&served))).add_service(Functions(served));
            serve(TcpListener::from_std(listener).unwrap(), routes.prepare()).await;
        });
        Self { port, script, runtime: Some(runtime) }
    }

    /// From now on calls of `method` (`package.Service/Method`) are answered so.
    pub fn tell(&self, method: &str, told: Told) {
        self.script.lock().unwrap().told.insert(format!("/{method}"), told);
    }

    /// The first of what calls of `method` have asked since [`Worker::seen`] was called last; waits for one.
    pub async fn first_seen(&self, method: &str) -> Seen {
        in_time(async {
            loop {
                if let Some(first) = self.seen(method).into_iter().next() {
                    return first;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// What calls of `method` have asked since this was called last.
    pub fn seen(&self, method: &str) -> Vec<Seen> {
        self.script.lock().unwrap().seen.remove(&format!("/{method}")).unwrap_or_default()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// Tries for a while: a worker that was there before lets go of its port in the background.
fn bind(port: u16) -> std::net::TcpListener {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match std::net::TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < end, "port {port}: {error}"),
        }
        std::thread::yield_now();
    }
}

/// Not by tonic's own server: that ends a call by itself when its deadline has passed, and might be faster than who asked.
async fn serve(listener: TcpListener, routes: Routes) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = TowerToHyperService::new(routes.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            // Whoever hangs up is seen by the tests themselves.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// A message with its five bytes in front.
pub fn framed<M: Message>(message: &M) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).unwrap());
    message.encode(&mut frame).unwrap();
    frame.freeze()
}

#[derive(Clone)]
struct Pipelines(Arc<Mutex<Script>>);
#[derive(Clone)]
struct Functions(Arc<Mutex<Script>>);

impl NamedService for Pipelines {
    const NAME: &'static str = "layer.pipeline.v1.PipelineService";
}

impl NamedService for Functions {
    const NAME: &'static str = "layer.function.v1.FunctionService";
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl tower::Service<Request<Body>> for Pipelines {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        Box::pin(answer(Arc::clone(&self.0), request))
    }
}

impl tower::Service<Request<Body>> for Functions {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        Box::pin(answer(Arc::clone(&self.0), request))
    }
}

async fn answer(script: Arc<Mutex<Script>>, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let message = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path().to_owned();
    let told = {
        let mut script = script.lock().unwrap();
        script.seen.entry(path.clone()).or_default().push((head.headers, message));
        script.told.get(&path).cloned()
    };
    let told = told.unwrap_or_else(|| Told::Refused(Status::unimplemented(format!("{path} was not told"))));
    let (messages, ends) = match told {
        Told::Messages(messages) => (messages, true),
        Told::Half(messages) => (messages, false),
        Told::Refused(status) => return Ok(status.into_http()),
        Told::Never => std::future::pending().await,
    };
    let pieces = stream::iter(messages).map(Frame::data);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let end = stream::once(async move {
        if !ends {
            std::future::pending::<()>().await;
        }
        Frame::trailers(trailers)
    });
    let mut answer = Response::new(Body::new(StreamBody::new(pieces.chain(end).map(Ok::<Frame<Bytes>, Infallible>))));
    answer.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    answer.headers_mut().insert("x-own", http::HeaderValue::from_static("kept"));
    Ok(answer)
}
