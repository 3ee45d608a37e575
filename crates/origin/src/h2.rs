//! One HTTP/2 connection, shared by the requests of a worker.

use std::time::Duration;

use hyper::{body::Body, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use crate::{BoxError, connect::Stream, error::Error};

/// What an answer may have under way. Enough for a fast network near by.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// Streams whose windows the connection's own window holds together. Answers that nobody reads must never fill it, or
/// they would stop all others.
const STREAMS_MAX: u32 = 1024;
/// Pings find an origin that is gone; without them a dead connection takes requests for minutes.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Requests on one connection at the most.
pub(crate) fn streams_max() -> usize {
    STREAMS_MAX as usize
}

/// Begins HTTP/2 on a connection; a task of the worker drives it until it ends.
pub(crate) async fn start<B>(stream: Stream) -> Result<http2::SendRequest<B>, Error>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(STREAM_WINDOW_BYTES * STREAMS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Error::Broken)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "HTTP/2 connection to the origin ended");
        }
    });
    Ok(sender)
}
