//! A bucket's server that is away, silent, slow, or only says no: every call ends in time, and says why.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use layer_object_store::{ByteRange, Condition::Always, Error, ObjectStoreSettings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::stores::{PART, bucket_at, bytes, open};

/// Settings with short limits, for a server at `address`.
fn impatient(address: SocketAddr) -> ObjectStoreSettings {
    ObjectStoreSettings {
        connect_timeout_ms: 200,
        attempt_timeout_ms: 300,
        operation_timeout_ms: 600,
        stall_timeout_ms: 200,
        ..bucket_at(&format!("http://{address}"))
    }
}

/// Settings whose limits no case comes near, for a server at `address`.
fn patient(address: SocketAddr) -> ObjectStoreSettings {
    ObjectStoreSettings {
        connect_timeout_ms: 10_000,
        attempt_timeout_ms: 20_000,
        operation_timeout_ms: 60_000,
        stall_timeout_ms: 20_000,
        ..bucket_at(&format!("http://{address}"))
    }
}

/// Serves each connection with `serve` until the test ends.
async fn server<F: Future<Output = ()> + Send>(
    serve: impl Fn(TcpStream) -> F + Clone + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serve = serve.clone();
            tokio::spawn(async move { serve(stream).await });
        }
    });
    address
}

/// Reads one request's head; false where the connection ended.
async fn head(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => seen.push(byte),
            Err(_) => return false,
        }
    }
    true
}

#[tokio::test]
async fn a_refused_connection_says_so_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let store = open(&patient(address)).await;
    let started = Instant::now();
    let error = store.head("k").await.expect_err("nobody listens");
    assert!(matches!(error, Error::Unavailable(_)) && error.is_transient(), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
    let mut upload = store.upload("k").expect("upload");
    let written = upload.write(bytes(2 * PART + 1)).await;
    assert!(matches!(written, Err(Error::Unavailable(_))), "{written:?}");
}

#[tokio::test]
async fn a_silent_server_costs_the_attempts_or_the_operations_deadline() {
    let address = server(|mut stream| async move {
        let mut sink = vec![0; 65536];
        while stream.read(&mut sink).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    for (attempt_timeout_ms, operation_timeout_ms) in [(60_000, 300), (150, 60_000)] {
        let limits = ObjectStoreSettings { attempt_timeout_ms, operation_timeout_ms, ..patient(address) };
        let store = open(&limits).await;
        let started = Instant::now();
        assert!(matches!(store.put("k", bytes(1), Always).await, Err(Error::Timeout { .. })));
        let took = started.elapsed();
        assert!((Duration::from_millis(250)..Duration::from_secs(10)).contains(&took), "{took:?}");
    }
}

#[tokio::test]
async fn another_range_than_was_asked_for_is_no_answer() {
    const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 6\r\n\r\nabcdef";
    let address =
        server(|mut stream| async move { while head(&mut stream).await && stream.write_all(WHOLE).await.is_ok() {} })
            .await;
    let store = open(&patient(address)).await;
    let asked = ByteRange { start: 2, end: Some(4) };
    assert!(matches!(store.get("k", Some(asked)).await, Err(Error::Unavailable(_))));
    assert_eq!(store.get("k", None).await.expect("whole").body.collect(6).await.expect("whole"), "abcdef");
}

#[tokio::test]
async fn a_body_that_stands_still_or_breaks_off_is_told_from_a_whole_one() {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 100\r\n\r\nonly these";
    for cut in [false, true] {
        let address = server(move |mut stream| async move {
            while head(&mut stream).await && stream.write_all(HEAD).await.is_ok() && !cut {}
        })
        .await;
        let limits =
            if cut { patient(address) } else { ObjectStoreSettings { stall_timeout_ms: 200, ..patient(address) } };
        let object = open(&limits).await.get("k", None).await.expect("its head came");
        assert_eq!(object.meta.size, 100);
        let error = object.body.collect(100).await.expect_err("it is not whole");
        assert!(error.is_transient(), "{error}");
        assert_eq!(matches!(error, Error::Timeout { .. }), !cut, "{error}");
    }
}

#[tokio::test]
async fn repetitions_are_bounded_by_their_budget() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let address = server(move |mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            while head(&mut stream).await {
                counted.fetch_add(1, Relaxed);
                let answer = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n";
                if stream.write_all(answer).await.is_err() {
                    break;
                }
            }
        }
    })
    .await;
    let store = open(&patient(address)).await;
    let one = store.head("k").await.expect_err("it says no");
    assert!(matches!(one, Error::Unavailable(_)), "{one}");
    assert_eq!(asked.load(Relaxed), 3, "attempts of one call");
    const CALLS: usize = 300;
    let started = Instant::now();
    let calls = stream::iter(0..CALLS).map(|_| async { store.head("k").await.expect_err("it says no") });
    let ended = calls.buffer_unordered(16).count().await;
    assert_eq!(ended, CALLS);
    let repeated = asked.load(Relaxed) - 3 - CALLS;
    // A hundred, and ten a second; without a budget it were two for each call.
    let allowed = 100 + 10 * (usize::try_from(started.elapsed().as_secs()).unwrap() + 2);
    assert!(repeated > 10 && repeated <= allowed, "{repeated} repetitions, {allowed} allowed");
    // What was used up comes back with time, without a single success.
    let comes_back = async {
        loop {
            let before = asked.load(Relaxed);
            store.head("k").await.expect_err("it says no");
            if asked.load(Relaxed) > before + 1 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), comes_back).await.expect("repetitions ended for good");
}

#[tokio::test]
async fn a_bucket_that_is_away_does_not_keep_anything_from_starting() {
    let settings = impatient("127.0.0.1:9".parse().expect("an address"));
    let store = open(&settings).await;
    assert!(matches!(store.list("", None, 1).await, Err(Error::Unavailable(_) | Error::Timeout { .. })));
}
