//! pipeline-worker is away, or slow.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    fake::{Told, Worker},
    mesh::{Mesh, PIPELINES, dead_port, in_time},
};

const STATUS: &str = "/v2/pipelines/p/status";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_fails_at_once_with_the_name_of_the_part() {
    let mesh = Mesh::start(dead_port(), |settings| settings.pipelines.connect_timeout_ms = 20_000).await;
    for _ in 0..3 {
        let began = Instant::now();
        let answer = mesh.ask("GET", STATUS, "").await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(answer.status.as_u16(), 503);
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(answer.body["error"], "pipeline_worker_unavailable");
        assert_eq!(answer.body["reason"], "PIPELINE_WORKER_UNAVAILABLE");
        assert!(answer.body["message"].as_str().unwrap().starts_with("pipeline-worker: "), "{answer:?}");
    }
    let page = mesh.metrics().await;
    assert!(page.contains("layer_part_breaker_open{part=\"pipeline-worker\"} 1"), "{page}");
    assert!(page.contains("code=\"503\",route=\"get_pipeline_status\",served_by=\"layer\"} 3"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_router_finds_it_again() {
    let worker = Worker::start(0);
    let port = worker.port;
    let mesh = Mesh::start(port, |_| {}).await;
    mesh.until("layer_part_breaker_open{part=\"pipeline-worker\"} 0").await;
    assert_eq!(mesh.ask("GET", STATUS, "").await.status.as_u16(), 501);
    drop(worker);
    in_time(async { while mesh.ask("GET", STATUS, "").await.status.as_u16() != 503 {} }).await;
    let _worker = Worker::start(port);
    in_time(async { while mesh.ask("GET", STATUS, "").await.status.as_u16() != 501 {} }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_call_ends_at_its_deadline() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |settings| settings.pipelines.request_timeout_ms = 2000).await;
    let method = format!("{PIPELINES}/GetPipelineStatus");
    worker.tell(&method, Told::Never);
    for (headers, least) in [(&[("x-request-timeout-ms", "1000")][..], 1000), (&[][..], 2000)] {
        let began = Instant::now();
        let answer = mesh.ask_with("GET", STATUS, "", headers).await;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body["error"]), (504, &json!("gateway_timeout")));
        // The deadline counts from when the kernel says that the request came, which it tells in ticks.
        assert!((least - 50..least + 5000).contains(&took), "{took}");
        let (seen, _) = worker.first_seen(&method).await;
        let told = seen["grpc-timeout"].to_str().unwrap();
        let left: u64 = told.strip_suffix('m').unwrap().parse().unwrap();
        assert!((1..=least).contains(&left), "{told}");
    }
}

/// A claim that waits for its first document has that time on top.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_may_wait_as_long_as_it_says() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |settings| settings.pipelines.request_timeout_ms = 200).await;
    worker.tell(&format!("{PIPELINES}/Claim"), Told::Never);
    let began = Instant::now();
    let answer = mesh.ask("POST", "/v2/pipelines/p/claim", "{\"worker_id\":\"w\",\"wait_ms\":300}").await;
    assert_eq!(answer.status.as_u16(), 504);
    // Not 200; timers of tonic's and ours end a moment apart.
    assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
}

/// Waits until the fake was asked for a status.
async fn asked(worker: &Worker) {
    in_time(async {
        while worker.seen(&format!("{PIPELINES}/GetPipelineStatus")).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_flight_are_bounded() {
    let worker = Worker::start(0);
    worker.tell(&format!("{PIPELINES}/GetPipelineStatus"), Told::Never);
    let mesh = Mesh::start(worker.port, |settings| settings.pipelines.calls_max = 1).await;
    let first = mesh.ask("GET", STATUS, "");
    let second = async {
        asked(&worker).await;
        mesh.ask("GET", STATUS, "").await
    };
    let refused = tokio::select! { first = first => panic!("{first:?}"), second = second => second };
    assert_eq!((refused.status.as_u16(), &refused.body["reason"]), (429, &json!("OVERLOADED")));
    assert_eq!(refused.headers["retry-after"], "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_together_are_bounded() {
    let worker = Worker::start(0);
    worker.tell(&format!("{PIPELINES}/GetPipelineStatus"), Told::Never);
    let mesh = Mesh::start(worker.port, |settings| {
        settings.pipelines.body_bytes_max = 1000;
        settings.pipelines.bodies_bytes_max = 1000;
    })
    .await;
    let body = " ".repeat(600);
    let first = mesh.ask("GET", STATUS, &body);
    let second = async {
        asked(&worker).await;
        mesh.ask("GET", STATUS, &body).await
    };
    let refused = tokio::select! { first = first => panic!("{first:?}"), second = second => second };
    assert_eq!((refused.status.as_u16(), &refused.body["reason"]), (429, &json!("OVERLOADED")));
    assert!(refused.body["message"].as_str().unwrap().contains("pipelines.bodies_bytes_max"), "{refused:?}");
}
