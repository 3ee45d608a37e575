//! A router with a pipeline-worker behind it.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use layer_service::{
    config::Secret,
    lifecycle::{Lifecycle, Stage},
    program::Program as _,
};
use prost::Message;
use query_router::{QueryRouter, RouterSettings};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};

use crate::fake::{Told, Worker, framed};

/// The key that the router knows.
pub const KEY: &str = "the-key";
pub const PIPELINES: &str = "layer.pipeline.v1.PipelineService";
pub const FUNCTIONS: &str = "layer.function.v1.FunctionService";

/// A port that is nobody's while the socket is there. Nobody listens on it, unless with `SO_REUSEPORT` too.
fn reserved() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// A port where nobody listens: a free one might be taken by another test.
pub fn dead_port() -> u16 {
    let (socket, port) = reserved();
    // Until the process ends.
    std::mem::forget(socket);
    port
}

/// A router, and the fake behind it.
pub async fn mesh() -> (Worker, Mesh) {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |_| {}).await;
    (worker, mesh)
}

pub struct Mesh {
    pub address: SocketAddr,
    lifecycle: Lifecycle,
    _reserved: TcpSocket,
}

impl Mesh {
    /// A router whose pipeline-worker is at `port`.
    pub async fn start(port: u16, change: impl FnOnce(&mut RouterSettings)) -> Self {
        let (reserved, own_port) = reserved();
        let mut settings = RouterSettings::default();
        settings.listen.address = format!("127.0.0.1:{own_port}");
        settings.listen.reuse_port = true;
        settings.listen.workers = 1;
        settings.admin.address = "127.0.0.1:0".to_owned();
        settings.origin.url = Some(format!("http://127.0.0.1:{}", dead_port()));
        settings.origin.api_key = Some(Secret::new(KEY));
        settings.pipelines.addresses = vec![format!("127.0.0.1:{port}")];
        settings.pipelines.breaker_min_ms = 20;
        settings.pipelines.breaker_max_ms = 50;
        change(&mut settings);
        let address: SocketAddr = settings.listen.address.parse().unwrap();
        let lifecycle = Lifecycle::default();
        let running = lifecycle.clone();
        tokio::spawn(async move { QueryRouter::run(settings, running, false).await.unwrap() });
        in_time(lifecycle.reached(Stage::Serving)).await;
        Self { address, lifecycle, _reserved: reserved }
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> http::Response<hyper::body::Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask_with(method, path, body, &[]).await
    }

    pub async fn ask_with(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "router");
        request = request.header(header::AUTHORIZATION, format!("Bearer {KEY}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let (head, body) = in_time(self.send(request)).await.into_parts();
        let body = in_time(body.collect()).await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| panic!("no JSON: {body:?}"));
        Answer { status: head.status, headers: head.headers, body }
    }

    /// The metrics page.
    pub async fn metrics(&self) -> String {
        let request = Request::get("/metrics").header(header::AUTHORIZATION, format!("Bearer {KEY}"));
        let request = request.header(header::HOST, "router").body(Full::default()).unwrap();
        let body = self.send(request).await.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// Waits until the metrics page has a line.
    pub async fn until(&self, line: &str) {
        in_time(async { while !self.metrics().await.contains(line) {} }).await;
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.lifecycle.advance(Stage::Cut);
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it never came to that")
}

/// One route of the table: what is sent over HTTP, what must reach pipeline-worker, what it answers, and what must come
/// back over HTTP.
pub struct Case<'a, Q, A> {
    pub service: &'a str,
    pub method: &'a str,
    pub http: (&'a str, &'a str, Value),
    pub asked: Q,
    pub told: A,
    pub answer: Value,
}

impl<Q: Message + Default + PartialEq + std::fmt::Debug, A: Message> Case<'_, Q, A> {
    pub async fn check(self, mesh: &Mesh, worker: &Worker) {
        let method = format!("{}/{}", self.service, self.method);
        worker.tell(&method, Told::Messages(vec![framed(&self.told)]));
        let (verb, path, body) = self.http;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = mesh.ask(verb, path, &body).await;
        let seen = worker.seen(&method);
        let asked: Vec<Q> = seen.iter().map(|(_, message)| Q::decode(&message[5..]).unwrap()).collect();
        assert_eq!(asked, [self.asked], "{verb} {path}");
        assert_eq!((answer.status.as_u16(), answer.body), (200, self.answer), "{verb} {path}");
        assert_eq!(answer.headers["x-layer-served-by"], "layer");
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}
