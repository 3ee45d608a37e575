//! The load generator for fetches against real servers: the bare tonic server and the fake origin.

#![allow(clippy::unwrap_used, reason = "the helpers here are test code")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use layer_bench::fetch::load::{Load, Sheet};
use layer_bench::fetch::wire::{Dialect, Question, grpc_message};
use layer_bench::fetch::{bare, documents};
use layer_bench::load::Limit;
use layer_bench::origin::{Server, Tally};
use prost::Message as _;

fn bare_server() -> SocketAddr {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    thread::spawn(move || bare::serve(address));
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "the bare server does not listen");
        thread::sleep(Duration::from_millis(5));
    }
    address
}

fn calls(address: SocketAddr, method: &str, bytes: usize) -> Arc<Sheet> {
    let answer = grpc_message(&bare::answer(bytes).encode_to_vec());
    let question = Question { request: grpc_message(&[]), answer };
    Arc::new(Sheet { dialect: Dialect::grpc(method, &address.to_string()), questions: vec![question] })
}

fn run(address: SocketAddr, sheet: &Arc<Sheet>, connections: usize, requests: u64) -> Result<u64, String> {
    let mut load = Load::connect(address, connections, sheet).unwrap();
    let stretch = load.run(Limit::Requests(requests)).map_err(|error| format!("{error:#}"))?;
    Ok(stretch.outcome.requests)
}

#[test]
fn tonic_understands_every_call_and_is_understood() {
    let address = bare_server();
    let one = calls(address, bare::ONE, documents::BYTES);
    assert_eq!(run(address, &one, 1, 500), Ok(500));
    assert_eq!(run(address, &one, 16, 3_000), Ok(3_000));
    // Long enough that windows run out where nobody opens them again.
    let batch = calls(address, bare::BATCH_OF_100, bare::batch_bytes());
    assert_eq!(run(address, &batch, 2, 1_000), Ok(1_000));
}

#[test]
fn an_answer_of_another_size_ends_the_load() {
    let address = bare_server();
    let wrong = calls(address, bare::ONE, documents::BYTES + 1);
    let error = run(address, &wrong, 1, 10).unwrap_err();
    assert!(error.contains("bytes of an answer are right"), "{error}");
}

#[test]
fn the_origin_answers_queries_by_id_and_counts_them() {
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = server.address().unwrap();
    thread::spawn(move || server.serve());
    let body = documents::query(documents::batch(3));
    let target = format!("/v2/namespaces/{}/query", documents::NAMESPACE);
    let request = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let question =
        Question { request: request.into_bytes(), answer: documents::answer(documents::batch(3)).into_bytes() };
    let sheet = Arc::new(Sheet { dialect: Dialect::Http, questions: vec![question] });
    assert_eq!(run(address, &sheet, 4, 100), Ok(100));
    assert_eq!(Tally::fetch(address).unwrap().lookups, 100);
}
