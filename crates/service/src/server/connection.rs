//! One connection, from its handshake to its end.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, Response, Version, header::CONNECTION};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use layer_wake::Gate;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{
    Application, Options, Peer,
    activity::{Activity, Marked, Tracked},
    arrival::OverTcp,
    events::{Event, Events},
    stream::{StreamExecutor, StreamMark},
};
use crate::{lifecycle::Lifecycle, tls::certificate_has_name};

/// A TLS handshake takes two round trips; ten seconds is a peer that means no good.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest request head, and the most that is read ahead of a slow origin, per connection.
const BUFFER_BYTES: usize = 64 * 1024;
/// Streams on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// HTTP/2 flow-control windows: enough for a fast network, little enough that a stalled origin holds no memory.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// HTTP/2 pings find peers that are gone.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer may take to close its side when told to go.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Counts open connections.
#[derive(Debug, Clone)]
pub(super) struct Connections(pub(super) Arc<AtomicUsize>);

/// One open connection, given back when dropped.
pub(super) struct Place(Arc<AtomicUsize>);

impl Connections {
    pub(super) fn enter(&self) -> Place {
        self.0.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(&self.0))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) async fn serve_connection<A: Application>(
    stream: TcpStream,
    address: SocketAddr,
    application: A,
    options: Arc<Options>,
    lifecycle: Lifecycle,
    _place: Place,
) {
    let Some(acceptor) = &options.acceptor else {
        let peer = Peer { address, internal: false, gate: Gate::default() };
        return serve_stream(stream, peer, application, &options, lifecycle).await;
    };
    match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let internal = certificate.is_some_and(|found| certificate_has_name(found, &options.tls.internal_names));
            let peer = Peer { address, internal, gate: Gate::default() };
            serve_stream(stream, peer, application, &options, lifecycle).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake timed out"),
    }
}

async fn serve_stream<A: Application, S: OverTcp + AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Peer,
    application: A,
    options: &Options,
    lifecycle: Lifecycle,
) {
    let activity = Activity::new();
    let (peer_port, gate) = (peer.address.port(), peer.gate.clone());
    let io = TokioIo::new(Marked::new(stream, Arc::clone(&activity)));
    let service = ConnectionService(Arc::new(Served {
        application,
        peer,
        activity: Arc::clone(&activity),
        lifecycle: lifecycle.clone(),
    }));
    let stall_limit = Duration::from_millis(options.limits.body_stall_timeout_ms);
    let builder = builder(stall_limit);
    let connection = builder.serve_connection(io, service);
    tokio::pin!(connection);
    let head_limit = Duration::from_millis(options.limits.head_timeout_ms);
    let idle_limit = Duration::from_millis(options.limits.idle_timeout_ms);
    let age_limit = Duration::from_millis(options.listen.connection_age_ms);
    // The peer's port is as good as chance here.
    let (aging, jitter) = (options.listen.connection_age_ms > 0, u32::from(peer_port));
    let shortest = head_limit.min(idle_limit).min(stall_limit);
    let mut events = Events::new(lifecycle, (shortest / 4).max(Duration::from_millis(10)));
    let mut closed: Option<Instant> = None;
    loop {
        let event = tokio::select! {
            biased;
            ended = poll_fn(|cx| gate.through(cx, |cx| connection.as_mut().poll(cx))) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            event = events.next() => event,
        };
        match event {
            Event::Look if activity.head_is_late(head_limit) => {
                tracing::debug!("a request's head took too long: closing the connection");
                return;
            }
            Event::Look if activity.is_stuck(stall_limit) => {
                tracing::debug!("a caller does not take its answer: closing the connection");
                return;
            }
            Event::Look => match closed {
                None if activity.idle_for(idle_limit) || (aging && activity.is_old(age_limit, jitter)) => {
                    closed = Some(Instant::now());
                    connection.as_mut().graceful_shutdown();
                }
                // The peer was told, and does not close its side.
                Some(told) if told.elapsed() > CLOSE_GRACE && activity.idle_for(CLOSE_GRACE) => return,
                _ => {}
            },
            // HTTP/2 can be told to go at once, without losing what is on its way; HTTP/1.1 only between requests, and
            // with the answers' own `connection: close` it mostly goes by itself.
            Event::Draining if !activity.is_multiplexed() => {}
            Event::Draining | Event::Closing => {
                if closed.is_none() {
                    closed = Some(Instant::now());
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

fn builder(stall_limit: Duration) -> auto::Builder<StreamExecutor> {
    let mut builder = auto::Builder::new(StreamExecutor { stall_limit });
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(BUFFER_BYTES).half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(u32::try_from(BUFFER_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// The application as one connection sees it.
struct ConnectionService<A>(Arc<Served<A>>);

/// Lets hyper see whether the stream was reset before anything is done for it: it only looks while a request is pending. Of a
/// request that came while the process stood still, the reset was read with it.
async fn still_waited_for() {
    let mut looked = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut looked, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What all requests of a connection share.
struct Served<A> {
    application: A,
    peer: Peer,
    activity: Arc<Activity>,
    lifecycle: Lifecycle,
}

impl<A: Application> hyper::service::Service<Request<Incoming>> for ConnectionService<A> {
    type Response = Response<Tracked<A::Body>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let multiplexed = request.version() == Version::HTTP_2;
        let (arrived, guard) = self.0.activity.begin(multiplexed);
        let served = Arc::clone(&self.0);
        Box::pin(async move {
            if multiplexed {
                still_waited_for().await;
            }
            let mut response = served.application.call(&served.peer, arrived, request).await;
            if response.headers().contains_key(CONNECTION) {
                served.activity.leaves_unread();
            }
            if !multiplexed && served.lifecycle.is_stopping() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            let stream = if multiplexed { StreamMark::current() } else { None };
            Ok(response.map(|body| Tracked::new(body, guard, stream)))
        })
    }
}
