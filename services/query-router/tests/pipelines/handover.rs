//! gRPC calls handed over: byte for byte, with the deadline and the trace, and without keys.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use layer_proto::{
    function::v1::{
        ClaimRequest as ClaimItems, ClaimResponse as ClaimedItems, function_service_client::FunctionServiceClient,
    },
    pipeline::v1::{
        Chunk, ClaimRequest, ClaimResponse, ClaimedDocument, GetChunksRequest, GetChunksResponse,
        pipeline_service_client::PipelineServiceClient,
    },
};
use prost::Message as _;
use tonic::{Code, Request, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt as _;

use crate::{
    fake::{Told, Worker, framed},
    mesh::{FUNCTIONS, KEY, Mesh, PIPELINES, dead_port, in_time},
};

async fn channel(mesh: &Mesh) -> Channel {
    Channel::from_shared(format!("http://{}", mesh.address)).unwrap().connect().await.unwrap()
}

fn keyed<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {KEY}").parse().unwrap());
    request
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().expect("every failure has one").reason
}

fn claim() -> ClaimRequest {
    ClaimRequest { pipeline_id: "p".to_owned(), worker_id: "w".to_owned(), ..ClaimRequest::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_through_with_its_deadline_and_trace_and_without_the_key() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |_| {}).await;
    let told = ClaimResponse {
        documents: vec![ClaimedDocument { document_id: "d".to_owned(), token: 1, ..ClaimedDocument::default() }],
        ..ClaimResponse::default()
    };
    worker.tell(&format!("{PIPELINES}/Claim"), Told::Messages(vec![framed(&told)]));
    let mut client = PipelineServiceClient::new(channel(&mesh).await);
    let mut request = keyed(claim());
    request.set_timeout(Duration::from_secs(9));
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.metadata_mut().insert("traceparent", trace.parse().unwrap());
    request.metadata_mut().insert("x-own", "1".parse().unwrap());
    request.metadata_mut().insert("x-layer-internal-key", "secret".parse().unwrap());
    let answer = in_time(client.claim(request)).await.unwrap();
    assert_eq!(answer.metadata().get("x-layer-served-by").unwrap(), "layer");
    assert_eq!(answer.metadata().get("x-own").unwrap(), "kept");
    assert_eq!(answer.into_inner(), told);
    let (headers, message) = worker.seen(&format!("{PIPELINES}/Claim")).remove(0);
    assert_eq!(ClaimRequest::decode(&message[5..]).unwrap(), claim());
    assert_eq!((&headers["traceparent"], &headers["x-own"]), (&trace.parse().unwrap(), &"1".parse().unwrap()));
    let left: u64 = headers["grpc-timeout"].to_str().unwrap().strip_suffix('m').unwrap().parse().unwrap();
    assert!((5000..=9000).contains(&left), "{left}");
    assert!(!headers.contains_key("authorization") && !headers.contains_key("x-layer-internal-key"), "{headers:?}");
    mesh.until("layer_requests_total{code=\"200\",route=\"claim_documents\",served_by=\"layer\"} 1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_go_through_too() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |_| {}).await;
    worker.tell(&format!("{FUNCTIONS}/Claim"), Told::Messages(vec![framed(&ClaimedItems::default())]));
    let mut client = FunctionServiceClient::new(channel(&mesh).await);
    let message = ClaimItems { function_id: "f".to_owned(), ..ClaimItems::default() };
    assert_eq!(in_time(client.claim(keyed(message))).await.unwrap().into_inner(), ClaimedItems::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_stays_a_stream() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |_| {}).await;
    let chunk = Chunk { chunk_id: "c".to_owned(), text: Some("t".repeat(100_000)), metadata_json: String::new() };
    let piece = |version| GetChunksResponse { version, chunks: vec![chunk.clone(); 3] };
    let method = format!("{PIPELINES}/GetChunks");
    worker.tell(&method, Told::Messages((1..=5).map(|version| framed(&piece(version))).collect()));
    let mut client = PipelineServiceClient::new(channel(&mesh).await);
    let message = GetChunksRequest { pipeline_id: "p".to_owned(), document_id: "d".to_owned(), ..Default::default() };
    let mut pieces = in_time(client.get_chunks(keyed(message.clone()))).await.unwrap().into_inner();
    for version in 1..=5 {
        assert_eq!(in_time(pieces.message()).await.unwrap(), Some(piece(version)));
    }
    assert_eq!(in_time(pieces.message()).await.unwrap(), None);

    // What has come is there before the end, and an end that never comes is one that the caller learns of.
    worker.tell(&method, Told::Half(vec![framed(&piece(1))]));
    let mut pieces = in_time(client.get_chunks(keyed(message))).await.unwrap().into_inner();
    assert_eq!(in_time(pieces.message()).await.unwrap(), Some(piece(1)));
    drop(worker);
    let broken = in_time(pieces.message()).await.unwrap_err();
    assert_eq!((broken.code(), reason(&broken).as_str()), (Code::Unavailable, "PIPELINE_WORKER_UNAVAILABLE"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_the_service_keeps_its_details() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |_| {}).await;
    let details = tonic_types::ErrorDetails::with_error_info("STALE_VERSION", "layer", HashMap::new());
    let told = Status::with_error_details(Code::Aborted, "it was staged again", details);
    worker.tell(&format!("{PIPELINES}/Claim"), Told::Refused(told));
    let mut client = PipelineServiceClient::new(channel(&mesh).await);
    let status = in_time(client.claim(keyed(claim()))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "STALE_VERSION"));
    assert_eq!(status.message(), "it was staged again");
    mesh.until("layer_requests_total{code=\"409\",route=\"claim_documents\",served_by=\"layer\"} 1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_service_away_a_call_fails_at_once_by_its_name() {
    let mesh = Mesh::start(dead_port(), |settings| settings.pipelines.connect_timeout_ms = 20_000).await;
    let mut client = PipelineServiceClient::new(channel(&mesh).await);
    let began = Instant::now();
    let status = in_time(client.claim(keyed(claim()))).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "PIPELINE_WORKER_UNAVAILABLE"));
    assert!(status.message().starts_with("pipeline-worker: "), "{status}");
    assert!(status.get_details_retry_info().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_call_ends_at_its_deadline() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |_| {}).await;
    worker.tell(&format!("{PIPELINES}/Claim"), Told::Never);
    let mut client = PipelineServiceClient::new(channel(&mesh).await);
    let mut request = keyed(claim());
    // Not `set_timeout`: the client would end the call by itself.
    request.metadata_mut().insert("x-request-timeout-ms", "2000".parse().unwrap());
    let status = in_time(client.claim(request)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "GATEWAY_TIMEOUT"));
    let (headers, _) = worker.first_seen(&format!("{PIPELINES}/Claim")).await;
    assert!(headers.contains_key("grpc-timeout") && !headers.contains_key("x-request-timeout-ms"), "{headers:?}");
}

/// A call whose length nobody tells takes no more room than its message has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_wait_leave_room_for_others() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |settings| {
        settings.pipelines.bodies_bytes_max = settings.pipelines.body_bytes_max;
    })
    .await;
    let method = format!("{PIPELINES}/Claim");
    worker.tell(&method, Told::Never);
    let client = PipelineServiceClient::new(channel(&mesh).await);
    let mut waiting = client.clone();
    let waiting = tokio::spawn(async move { waiting.claim(keyed(claim())).await.map(drop) });
    in_time(async {
        while worker.seen(&method).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    worker.tell(&method, Told::Messages(vec![framed(&ClaimResponse::default())]));
    in_time(client.clone().claim(keyed(claim()))).await.unwrap();
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_key_nothing_is_handed_over() {
    let worker = Worker::start(0);
    let mesh = Mesh::start(worker.port, |_| {}).await;
    let mut client = PipelineServiceClient::new(channel(&mesh).await);
    let status = in_time(client.claim(claim())).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "UNAUTHORIZED"));
    let mut request = keyed(claim());
    request.metadata_mut().insert("authorization", "Bearer wrong".parse().unwrap());
    assert_eq!(in_time(client.claim(request)).await.unwrap_err().code(), Code::PermissionDenied);
    assert!(worker.seen(&format!("{PIPELINES}/Claim")).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_knows_the_services_where_they_are_configured() {
    let check = async |mesh: &Mesh, service: &str| {
        let mut client = HealthClient::new(channel(mesh).await);
        let request = HealthCheckRequest { service: service.to_owned() };
        client.check(request).await.map(|answer| answer.into_inner().status())
    };
    let with = Mesh::start(dead_port(), |_| {}).await;
    let without = Mesh::start(dead_port(), |settings| settings.pipelines.addresses.clear()).await;
    for service in [PIPELINES, FUNCTIONS] {
        assert_eq!(check(&with, service).await.unwrap(), ServingStatus::Serving);
        assert_eq!(check(&without, service).await.unwrap_err().code(), Code::NotFound);
    }
    let mut client = PipelineServiceClient::new(channel(&without).await);
    let status = in_time(client.claim(keyed(claim()))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "SERVICE_UNAVAILABLE"));
    assert!(status.message().contains("pipelines.addresses"), "{status}");
}
