//! Callers bring keys of their own: only the origin knows which are good.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use layer_proto::pipeline::v1::ListPipelinesResponse;
use query_router::AuthMode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    fake::{Told, Worker, framed},
    mesh::{Mesh, PIPELINES, dead_port},
};

/// An origin that accepts the key `good`; how often it was asked.
async fn origin() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap_or(b'\n'));
                    if head.len() > 10_000 {
                        return;
                    }
                }
                let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                if head.starts_with("get /v1/namespaces?") {
                    counted.fetch_add(1, Relaxed);
                }
                let status = if head.contains("bearer good") { "200 OK" } else { "401 Unauthorized" };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (port, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_keys_that_the_origin_accepts_reach_the_service() {
    let worker = Worker::start(0);
    worker.tell(&format!("{PIPELINES}/ListPipelines"), Told::Messages(vec![framed(&ListPipelinesResponse::default())]));
    let (port, asked) = origin().await;
    let mesh = Mesh::start(worker.port, |settings| {
        settings.auth.mode = AuthMode::PassThrough;
        settings.auth.single_organisation = true;
        settings.origin.url = Some(format!("http://127.0.0.1:{port}"));
    })
    .await;
    for (key, status) in [("Bearer bad", 403), ("Bearer good", 200), ("Bearer good", 200)] {
        let request = http::Request::get("/v2/pipelines").header("host", "router").header("authorization", key);
        let answer = mesh.send(request.body(Default::default()).unwrap()).await;
        assert_eq!(answer.status().as_u16(), status, "{key}");
    }
    assert_eq!(asked.load(Relaxed), 2, "what the origin said lately holds");
    let request = http::Request::get("/v2/pipelines").header("host", "router").body(Default::default()).unwrap();
    assert_eq!(mesh.send(request).await.status(), 401);
    assert_eq!(worker.seen(&format!("{PIPELINES}/ListPipelines")).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_several_organisations_have_no_pipelines() {
    let mesh = Mesh::start(dead_port(), |settings| settings.auth.mode = AuthMode::PassThrough).await;
    let answer = mesh.ask("GET", "/v2/pipelines", "").await;
    assert_eq!(answer.status.as_u16(), 503);
    assert!(answer.body["message"].as_str().unwrap().contains("auth.single_organisation"), "{answer:?}");
}
