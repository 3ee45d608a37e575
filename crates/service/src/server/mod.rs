//! The data port: one acceptor, and workers that each answer their share of the connections.
//!
//! The acceptor hands every connection to the worker with the fewest; a worker is one thread with its own
//! single-threaded runtime. A request is read, relayed and answered on one thread, by one task, without locks and without
//! waking another core: that is most of what a proxy's CPU time goes to otherwise (ADR 0001). Work that is neither a
//! request nor its answer belongs on the main runtime.

mod activity;
mod arrival;
mod connection;
mod events;
mod stream;
mod worker;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::body::Incoming;
use layer_wake::Gate;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{
    config::{LimitSettings, ListenSettings, TlsSettings},
    lifecycle::{Lifecycle, Stage},
};
use worker::Workers;

/// Connections that wait to be accepted, in the kernel.
const BACKLOG: i32 = 4096;
/// How long to wait after the process ran out of file descriptors before accepting again.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Who is on the other side of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// It showed a client certificate with one of `tls.internal_names`: one of Layer's own services.
    pub internal: bool,
    /// Between its connection and the task. On HTTP/1.1 a request's body, when read by the request's own task, may be read
    /// with it shut: the wake for a body that has come to its end finds nothing to do.
    pub gate: Gate,
}

/// What answers requests. One value lives on each worker, made by a [`MakeApplication`].
pub trait Application: Clone + Send + Sync + 'static {
    /// The body of its answers.
    type Body: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static;

    /// Answers one request; failures are answers too. `arrived`: when its bytes came to this machine. That is earlier than
    /// now where the process stood still meanwhile, and what the caller's time counts from.
    fn call(
        &self,
        peer: &Peer,
        arrived: Instant,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Makes the application of each worker, inside that worker's runtime.
pub trait MakeApplication: Send + Sync + 'static {
    /// What answers.
    type Application: Application;

    /// The application of worker number `worker` of `workers`.
    fn make(&self, worker: usize, workers: usize) -> Self::Application;
}

/// The port cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (`{setting}`): {source}")]
pub struct BindError {
    address: String,
    setting: &'static str,
    #[source]
    source: io::Error,
}

/// Opens a listening socket; `setting` is named in the error.
///
/// # Errors
/// [`BindError`] where the address is none, or is taken.
pub fn bind(address: &str, setting: &'static str, reuse_port: bool) -> Result<TcpListener, BindError> {
    let failed = |source| BindError { address: address.to_owned(), setting, source };
    let resolved = std::net::ToSocketAddrs::to_socket_addrs(address).map_err(failed)?.next();
    let resolved = resolved.ok_or_else(|| failed(io::Error::other("the name has no address")))?;
    listen(resolved, reuse_port).map_err(failed)
}

fn listen(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What the data port needs to know.
#[derive(Clone)]
pub struct Options {
    /// Address, workers, connections.
    pub listen: ListenSettings,
    /// Timeouts and bounds.
    pub limits: LimitSettings,
    /// Which client certificates are Layer's own.
    pub tls: TlsSettings,
    /// Speaks TLS where present.
    pub acceptor: Option<TlsAcceptor>,
}

/// Answers on `listener` until the lifecycle is cut or, while draining, nothing is left in flight.
pub async fn serve<M: MakeApplication>(listener: TcpListener, make: M, options: Options, lifecycle: Lifecycle) {
    let workers = Workers::start(Arc::new(make), &options, &lifecycle);
    tokio::select! {
        () = accept(&listener, &workers, options.listen.connections_max) => {}
        () = lifecycle.reached(Stage::Draining) => {}
    }
    accept_pending(&listener, &workers).await;
    drop(listener);
    workers.join().await;
}

async fn accept(listener: &TcpListener, workers: &Workers, connections_max: usize) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if workers.connections() >= connections_max => {
                tracing::debug!(connections_max, "too many connections: closing a new one");
                drop(stream);
            }
            Ok((stream, address)) => hand_over(workers, stream, address),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Takes what the kernel has already accepted for us: closing the socket would reset it.
async fn accept_pending(listener: &TcpListener, workers: &Workers) {
    while let Some(Ok((stream, address))) = futures_util::FutureExt::now_or_never(listener.accept()) {
        hand_over(workers, stream, address);
    }
}

fn hand_over(workers: &Workers, stream: TcpStream, address: SocketAddr) {
    // Answers are written whole: waiting for more (Nagle) only delays them.
    if let Err(error) = stream.set_nodelay(true).and_then(|()| workers.hand_over(stream.into_std()?, address)) {
        tracing::debug!(%error, "a connection was gone before it was served");
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
