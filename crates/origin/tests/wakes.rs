//! How often a task is woken while it reads an answer: for the socket, and neither more often nor less.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; helpers of tests too")]

mod support;

use std::{
    future::{Future, poll_fn},
    io::{Read, Write},
    net::TcpStream,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    task::{Context, Wake, Waker},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use layer_origin::Client;

/// Counts the wakes of a task, and passes them on.
struct Counting {
    task: Waker,
    wakes: Arc<AtomicUsize>,
}

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, SeqCst);
        self.task.wake_by_ref();
    }
}

async fn counted<T>(work: impl Future<Output = T>) -> (T, usize) {
    let wakes = Arc::new(AtomicUsize::new(0));
    let mut work = pin!(work);
    let result = poll_fn(|cx| {
        let waker = Waker::from(Arc::new(Counting { task: cx.waker().clone(), wakes: Arc::clone(&wakes) }));
        Pin::new(&mut work).as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await;
    // What was woken too much comes after the work, when the task has nothing left to do.
    (result, wakes.load(SeqCst))
}

/// Reads a request without a body; false at the end of the connection.
fn read_head(stream: &mut TcpStream) -> bool {
    let (mut head, mut byte) = (Vec::new(), [0; 1]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

/// A client of an origin that answers on one connection with `answer`.
fn client(answer: impl Fn(&mut TcpStream) + Send + 'static) -> Client<Empty<Bytes>> {
    let (client, listener) = support::client();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        while read_head(&mut stream) {
            answer(&mut stream);
        }
    });
    client
}

async fn get(client: &Client<Empty<Bytes>>) -> Bytes {
    let request = Request::get("/").body(Empty::new()).unwrap();
    client.send(request).await.unwrap().into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn an_answer_that_comes_in_one_piece_wakes_its_task_once() {
    let client = client(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap());
    get(&client).await;
    for _ in 0..3 {
        let (body, wakes) = counted(get(&client)).await;
        assert_eq!((&body[..], wakes), (&b"hello"[..], 1));
    }
}

#[tokio::test]
async fn no_piece_is_missed_that_comes_when_the_last_was_read() {
    let (read, was_read) = mpsc::channel();
    let client = client(move |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        for _ in 0..20 {
            stream.write_all(b"3\r\nabc\r\n3\r\ndef\r\n").unwrap();
            was_read.recv().unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    });
    let request = Request::get("/").body(Empty::new()).unwrap();
    let mut body = client.send(request).await.unwrap().into_body();
    let mut length = 0;
    let all = async {
        while let Some(frame) = body.frame().await {
            length += frame.unwrap().into_data().unwrap().len();
            if length % 6 == 0 {
                read.send(()).unwrap();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
    assert_eq!(length, 120);
}
