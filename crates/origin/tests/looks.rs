//! What may no longer be sent stays here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; helpers of tests too")]

mod support;

use std::{
    io::Read,
    sync::{
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use layer_origin::{Client, Error, LastLook};

/// More than a socket takes at once.
const BODY_BYTES: usize = 32 << 20;

/// What came over the only connection of an origin that answers nothing, when it has ended.
fn origin() -> (Client<Full<Bytes>>, mpsc::Receiver<usize>) {
    let (client, listener) = support::client();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut came = Vec::new();
        // A connection that is broken off has ended too.
        let _ = stream.read_to_end(&mut came);
        tell.send(came.len()).unwrap();
    });
    (client, told)
}

/// Sends a body while `looks` allow it; how much of it came.
async fn sent_while(looks: usize) -> usize {
    let (client, told) = origin();
    let asked = AtomicUsize::new(0);
    let look = LastLook::new(move || if asked.fetch_add(1, SeqCst) < looks { Ok(()) } else { Err("too late".into()) });
    let request = Request::post("/").body(Full::new(Bytes::from(vec![b'x'; BODY_BYTES]))).unwrap();
    let refused = client.send_looked(request, Some(look)).await;
    assert!(matches!(refused, Err(Error::Broken(_))));
    drop(client);
    told.recv().unwrap()
}

#[tokio::test]
async fn nothing_leaves_that_was_too_late_from_the_start() {
    assert_eq!(sent_while(0).await, 0);
}

#[tokio::test]
async fn what_is_too_late_half_way_never_arrives_whole() {
    let came = sent_while(1).await;
    assert!(came > 0 && came < BODY_BYTES, "{came}");
}
