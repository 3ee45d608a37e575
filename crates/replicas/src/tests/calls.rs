use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use layer_service::metrics::Metrics;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::server::{ANY_PORT, Server, in_time};
use crate::{Backoff, ClientTlsSettings, Part, PartOptions, PartService, Resolve, Wait};

const PATIENCE: Duration = Duration::from_secs(20);

/// Every name has these addresses.
#[derive(Debug)]
struct Fixed(Vec<SocketAddr>);

#[async_trait]
impl Resolve for Fixed {
    async fn resolve(&self, _: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(self.0.clone())
    }
}

fn part(addresses: &[SocketAddr], change: impl FnOnce(&mut PartOptions)) -> (PartService, Part, Metrics) {
    let mut options = PartOptions {
        name: "far-part",
        section: "far",
        addresses: vec!["far:1".to_owned()],
        tls: ClientTlsSettings::default(),
        connect_timeout: Duration::from_secs(10),
        resolve_interval: Duration::from_millis(50),
        backoff: Backoff { min: Duration::from_millis(20), max: Duration::from_millis(100) },
        calls_max: 10,
    };
    change(&mut options);
    let metrics = Metrics::default();
    let service = PartService::start_with(options, &metrics, Arc::new(Fixed(addresses.to_vec()))).unwrap();
    let part = service.handle();
    (service, part, metrics)
}

fn request(path: &str) -> Request<Bytes> {
    let request = Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
    request.body(Bytes::from_static(b"\0\0\0\0\x02hi")).unwrap()
}

/// What came, and the trailers.
async fn echo(part: &Part, path: &str, wait: Wait) -> Result<(Bytes, HeaderMap), Status> {
    let answer = part.call(request(path), wait, "echo").await?;
    let whole = answer.into_body().collect().await?;
    let trailers = whole.trailers().cloned().unwrap_or_default();
    Ok((whole.to_bytes(), trailers))
}

fn patient() -> Wait {
    Wait::new(None, PATIENCE)
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().expect("every failure has one").reason
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind(ANY_PORT).unwrap().local_addr().unwrap()
}

/// A port that takes no connection: its queue is full. What keeps it so goes with the value.
struct BlackHole(SocketAddr, #[allow(dead_code)] (socket2::Socket, Vec<std::net::TcpStream>));

impl BlackHole {
    fn dig() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&ANY_PORT.into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            waiting.push(stream);
        }
        Self(address, (socket, waiting))
    }
}

#[tokio::test]
async fn a_call_goes_through_and_tells_the_time_left() {
    let server = Server::start(ANY_PORT, true);
    let (_service, part, metrics) = part(&[server.address], |_| {});
    let deadline = Instant::now() + Duration::from_secs(7);
    let (body, trailers) = in_time(echo(&part, "/echo/x", Wait::new(Some(deadline), PATIENCE))).await.unwrap();
    assert_eq!(&body[..], b"\0\0\0\0\x02hi");
    let seen = trailers["seen-timeout"].to_str().unwrap();
    let left: u64 = seen.strip_suffix('m').unwrap().parse().unwrap();
    assert!((5000..=7000).contains(&left), "{seen}");
    in_time(until(&metrics, "layer_part_breaker_open{part=\"far-part\"} 0")).await;
    let page = metrics.text();
    assert!(page.contains("layer_part_call_duration_seconds_count{method=\"echo\",part=\"far-part\",status=\"ok\"} 1"));
}

async fn until(metrics: &Metrics, line: &str) {
    while !metrics.text().contains(line) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn where_nobody_listens_a_call_fails_at_once_and_names_the_part() {
    let (_service, part, metrics) = part(&[nobody()], |options| options.connect_timeout = PATIENCE);
    for _ in 0..3 {
        let began = Instant::now();
        let status = echo(&part, "/echo/x", patient()).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "FAR_PART_UNAVAILABLE"));
        assert!(status.message().starts_with("far-part: "), "{status}");
        assert!(status.get_details_retry_info().is_some());
    }
    assert!(metrics.text().contains("layer_part_breaker_open{part=\"far-part\"} 1"));
}

/// Ten callers at once: all wait for one connection time, not one after the other; then nobody waits any more.
#[tokio::test]
async fn a_black_hole_costs_one_connection_time_and_then_nothing() {
    let hole = BlackHole::dig();
    let connection_time = Duration::from_secs(4);
    let (_service, part, _) = part(&[hole.0], |options| {
        options.connect_timeout = connection_time;
        options.backoff.min = Duration::from_secs(60);
    });
    let began = Instant::now();
    let calls = (0..10).map(|_| echo(&part, "/echo/x", patient()));
    for ended in futures_util::future::join_all(calls).await {
        assert_eq!(ended.unwrap_err().code(), Code::Unavailable);
    }
    assert!(began.elapsed() < 3 * connection_time, "{:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(echo(&part, "/echo/x", patient()).await.unwrap_err().code(), Code::Unavailable);
    assert!(began.elapsed() < connection_time, "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_next_replica_is_asked_where_one_cannot_be_reached() {
    let server = Server::start(ANY_PORT, true);
    let (_service, part, _) = part(&[nobody(), server.address], |_| {});
    for _ in 0..20 {
        in_time(echo(&part, "/echo/x", patient())).await.unwrap();
    }
}

#[tokio::test]
async fn a_part_is_lost_and_found_again() {
    let server = Server::start(ANY_PORT, true);
    let address = server.address;
    let (_service, part, metrics) = part(&[address], |_| {});
    in_time(echo(&part, "/echo/x", patient())).await.unwrap();
    in_time(until(&metrics, "layer_part_replicas{part=\"far-part\",state=\"connected\"} 1")).await;
    drop(server);
    in_time(async { while echo(&part, "/echo/x", patient()).await.is_ok() {} }).await;
    in_time(until(&metrics, "layer_part_breaker_open{part=\"far-part\"} 1")).await;
    let _server = Server::start(address, true);
    in_time(until(&metrics, "layer_part_breaker_open{part=\"far-part\"} 0")).await;
    echo(&part, "/echo/x", patient()).await.unwrap();
}

#[tokio::test]
async fn one_that_says_it_does_not_serve_is_not_asked() {
    let server = Server::start(ANY_PORT, false);
    let (_service, part, _) = part(&[server.address], |_| {});
    // Until the first probe is over nothing is known of it.
    in_time(async { while echo(&part, "/echo/x", patient()).await.is_ok() {} }).await;
    assert_eq!(echo(&part, "/echo/x", patient()).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_deadline_ends_a_call_and_an_answer_that_stands_still() {
    let server = Server::start(ANY_PORT, true);
    let (_service, part, _) = part(&[server.address], |_| {});
    in_time(echo(&part, "/echo/x", patient())).await.unwrap();
    let soon = Wait::new(Some(Instant::now() + Duration::from_millis(100)), PATIENCE);
    let late = in_time(echo(&part, "/echo/never", soon)).await.unwrap_err();
    assert_eq!((late.code(), reason(&late).as_str()), (Code::DeadlineExceeded, "GATEWAY_TIMEOUT"));
    // Enough for the half that comes.
    const SOME: Duration = Duration::from_secs(2);
    let deadline: fn() -> Wait = || Wait::new(Some(Instant::now() + SOME), PATIENCE);
    for wait in [deadline, || Wait::new(None, SOME)] {
        let (body, trailers) = in_time(echo(&part, "/echo/half", wait())).await.unwrap();
        assert_eq!((&body[..], trailers["grpc-status"].as_bytes()), (&b"\0\0\0\0\x02hi"[..], &b"4"[..]));
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_says_so_in_trailers() {
    let server = Server::start(ANY_PORT, true);
    let (_service, part, _) = part(&[server.address], |_| {});
    let answer = in_time(part.call(request("/echo/half"), patient(), "echo")).await.unwrap();
    let mut body = answer.into_body();
    assert!(in_time(body.frame()).await.unwrap().unwrap().is_data());
    drop(server);
    let trailers = in_time(body.frame()).await.unwrap().unwrap().into_trailers().unwrap();
    let status = Status::from_header_map(&trailers).unwrap();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "FAR_PART_UNAVAILABLE"));
}

/// What was sent is not sent again: whether it has done anything is not known.
#[tokio::test]
async fn a_call_that_broke_off_says_that_its_effect_is_not_known() {
    let mut servers = vec![Server::start(ANY_PORT, true), Server::start(ANY_PORT, true)];
    let seen: Vec<_> = servers.iter().map(|server| Arc::clone(&server.seen)).collect();
    let (_service, part, metrics) = part(&[servers[0].address, servers[1].address], |_| {});
    let (broken, ()) = in_time(async {
        tokio::join!(echo(&part, "/echo/never", patient()), async {
            while seen.iter().all(|seen| seen.load(Relaxed) == 0) {
                tokio::task::yield_now().await;
            }
            servers.retain(|server| server.seen.load(Relaxed) == 0);
        })
    })
    .await;
    let broken = broken.unwrap_err();
    assert_eq!((broken.code(), reason(&broken).as_str()), (Code::Unavailable, "FAR_PART_UNAVAILABLE"));
    assert!(broken.message().contains("not known") && broken.get_details_retry_info().is_none(), "{broken}");
    assert_eq!(servers[0].seen.load(Relaxed), 0);
    let line = "layer_part_call_duration_seconds_count{method=\"echo\",part=\"far-part\",status=\"failed\"} 1";
    assert!(metrics.text().contains(line));
}

#[tokio::test]
async fn no_more_calls_are_in_flight_than_may_be() {
    let server = Server::start(ANY_PORT, true);
    let (_service, part, _) = part(&[server.address], |options| options.calls_max = 1);
    // Its answer has not ended, so it is in flight.
    let first = in_time(part.call(request("/echo/half"), patient(), "echo")).await.unwrap();
    let refused = in_time(echo(&part, "/echo/x", patient())).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    drop(first);
    in_time(echo(&part, "/echo/x", patient())).await.unwrap();
}

#[tokio::test]
async fn files_of_tls_are_refused_by_their_setting() {
    let tls = ClientTlsSettings { enabled: true, ca_file: Some("/nowhere/x.pem".into()), ..Default::default() };
    let options = PartOptions {
        name: "far-part",
        section: "far",
        addresses: vec!["far:1".to_owned()],
        tls,
        connect_timeout: PATIENCE,
        resolve_interval: PATIENCE,
        backoff: Backoff { min: PATIENCE, max: PATIENCE },
        calls_max: 1,
    };
    let error = PartService::start(options, &Metrics::default()).expect_err("must be refused").to_string();
    assert!(error.contains("`far.tls.ca_file`"), "{error}");
}
