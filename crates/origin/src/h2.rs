//! One HTTP/2 connection, shared by the requests of a worker.

use std::time::Duration;

use hyper::{body::Body, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use crate::{BoxError, connect::Stream, error::Error};

/// Flow-control windows: enough for a fast network, little enough that a slow client holds no memory.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Pings find an origin that is gone; without them a dead connection takes requests for minutes.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

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
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
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
