//! What the tests of the client share.

use std::{net::TcpListener, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body::Body;
use layer_origin::{Client, Options, Protocol, Target};

/// A client with one connection at the most, to an origin that listens here.
pub fn client<B>() -> (Client<B>, TcpListener)
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let second = Duration::from_secs(1);
    let client = Client::new(Arc::new(Options {
        target: Target::parse(&url).unwrap(),
        protocol: Protocol::Http1,
        tls: None,
        connections_max: 1,
        connect_timeout: 10 * second,
        queue_timeout: 10 * second,
        idle_timeout: 60 * second,
    }));
    (client, listener)
}
