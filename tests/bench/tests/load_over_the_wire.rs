//! The load generator against the fake origin, and against servers that do wrong.

#![allow(clippy::unwrap_used, reason = "the helpers here are test code")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use layer_bench::case::Case;
use layer_bench::flat::{Framing, send_write};
use layer_bench::load::{Generator, Limit, Outcome, Plan};
use layer_bench::origin::{Server, Tally};

fn origin() -> SocketAddr {
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = server.address().unwrap();
    thread::spawn(move || server.serve());
    address
}

fn load(address: SocketAddr, case: Case, connections: usize, requests: u64) -> Outcome {
    let plan = Plan::of(case, &address.to_string(), true);
    let mut generator = Generator::connect(address, connections, plan).unwrap();
    generator.run(Limit::Requests(requests)).unwrap()
}

/// Sends `request` and answers all that comes until the server closes.
fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A server that answers every request on its first connection with `answer`.
fn canned(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = answer.into();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            // The requests of these tests come in one piece.
            while stream.read(&mut request).unwrap_or(0) > 0 {
                let _ = stream.write_all(&answer);
            }
        }
    });
    address
}

#[test]
fn every_case_is_answered_rightly_on_every_connection() {
    let address = origin();
    for case in Case::ALL {
        let outcome = load(address, case, 8, 200).checked().unwrap();
        assert_eq!((outcome.requests, outcome.reconnects), (200, 0), "{}", case.name());
        assert!(outcome.quantile_us(0.5) > 0.0 && outcome.per_second() > 0.0);
    }
}

#[test]
fn the_origin_counts_what_came() {
    let address = origin();
    load(address, Case::WriteLarge, 4, 50).checked().unwrap();
    let expected = Tally {
        requests: 50,
        body_bytes: 50 * Case::WriteLarge.body().len() as u64,
        rows: 50 * u64::from(Case::WriteLarge.rows()),
        ..Tally::default()
    };
    assert_eq!(Tally::fetch(address).unwrap(), expected);
}

#[test]
fn the_origin_reads_chunked_bodies_and_asks_for_those_that_wait() {
    let address = origin();
    let request = "POST /v2/namespaces/a HTTP/1.1\r\nConnection: close\r\nExpect: 100-continue\r\n\
                   Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answer = exchange(address, request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn the_origin_refuses_what_is_no_request() {
    let answer = exchange(origin(), b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

/// An answer with this status and body.
fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}")
}

#[test]
fn a_wrong_status_or_body_is_an_error() {
    let right = Case::Namespaces.answer();
    let flipped = right.replacen("namespace-007", "namespace-700", 1);
    assert_eq!(flipped.len(), right.len());
    for wrong in [
        answer("500 Oh", &right),
        answer("200 OK", &flipped),
        answer("200 OK", &right[1..]),
        answer("200 OK", &format!("{right} ")),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{right}\r\n1\r\n \r\n0\r\n\r\n",
            right.len()
        ),
    ] {
        let outcome = load(canned(wrong.clone()), Case::Namespaces, 1, 3);
        assert_eq!((outcome.requests, outcome.errors.wrong), (0, 3), "{wrong}");
        assert!(outcome.checked().is_err());
    }
    let outcome = load(canned(answer("200 OK", &right)), Case::Namespaces, 1, 3);
    assert_eq!(outcome.checked().unwrap().requests, 3);
}

#[test]
fn bytes_that_are_no_http_are_an_error() {
    let outcome = load(canned(b"SSH-2.0-x\r\n\r\n"), Case::Namespaces, 1, 2);
    assert_eq!((outcome.requests, outcome.errors.broken), (0, 2), "{:?}", outcome.errors);
}

#[test]
fn an_answer_that_closes_is_right_and_the_next_request_takes_a_new_connection() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            let body = Case::Namespaces.answer();
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    let outcome = load(address, Case::Namespaces, 1, 3).checked().unwrap();
    assert_eq!(outcome.requests, 3);
    assert_eq!(outcome.reconnects, 3);
}

#[test]
fn a_streamed_write_has_the_size_and_rows_that_it_claims() {
    let address = origin();
    for framing in [Framing::Length, Framing::Chunked] {
        let before = Tally::fetch(address).unwrap();
        let sent = send_write(address, 3_000_000, framing).unwrap();
        let seen = Tally::fetch(address).unwrap().since(before);
        let expected = Tally { requests: 1, body_bytes: sent.body_bytes, rows: sent.rows, ..Tally::default() };
        assert_eq!(seen, expected, "{framing:?}");
        assert!(sent.body_bytes.abs_diff(3_000_000) < 2_000, "{sent:?}");
    }
}

#[test]
fn a_refused_streamed_write_is_an_error() {
    let refusing = canned(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    let error = send_write(refusing, 100_000, Framing::Length).unwrap_err().to_string();
    assert!(error.contains("200"), "{error}");
}
