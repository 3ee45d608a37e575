//! Listening, and what all connections share.

mod connection;
mod info;
mod login;
mod noise;
mod request;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;

use crate::control::{Faults, Tally};
use crate::options::Options;
use crate::store::Store;

/// How long a restart tries to get its port back.
const REBIND_FOR: Duration = Duration::from_secs(10);
/// Between two tries of what failed for want of something that others give back.
const RETRY_EVERY: Duration = Duration::from_millis(5);

/// Whether and how it listens. A connection ends when the number is not the one that it began with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Listening {
    /// Connections of an older number are closed.
    pub(crate) number: u64,
    /// Starts since the first one. What came in under an older one is not done any more.
    pub(crate) boot: u64,
    /// The port is closed.
    pub(crate) is_closed: bool,
    /// For ever.
    pub(crate) is_over: bool,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
    pub(crate) faults: watch::Sender<Faults>,
    pub(crate) listening: watch::Sender<Listening>,
    pub(crate) tally: Tally,
    pub(crate) sessions: login::Sessions,
    uptime: Mutex<(Instant, Duration)>,
}

impl Shared {
    pub(crate) fn new(options: Options, address: SocketAddr) -> Self {
        Self {
            store: Store::new(&options.namespaces),
            options,
            address,
            faults: watch::Sender::default(),
            listening: watch::Sender::default(),
            tally: Tally::default(),
            sessions: login::Sessions::default(),
            uptime: Mutex::new((Instant::now(), Duration::ZERO)),
        }
    }

    pub(crate) fn uptime(&self) -> Duration {
        let (since, before) = *self.uptime.lock().unwrap_or_else(PoisonError::into_inner);
        before + since.elapsed()
    }

    pub(crate) fn set_uptime(&self, uptime: Duration) {
        *self.uptime.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), uptime);
    }

    /// A copy of what is wrong now.
    pub(crate) fn faults(&self) -> Faults {
        self.faults.borrow().clone()
    }
}

/// Listens until it is over, opening and closing the port as told.
pub(crate) async fn run(shared: Arc<Shared>, first: TcpListener) {
    let mut listening = shared.listening.subscribe();
    let mut listener = Some(first);
    loop {
        let now = *listening.borrow_and_update();
        if now.is_over {
            return;
        }
        if now.is_closed {
            listener = None;
        } else if listener.is_none() {
            listener = rebind(shared.address).await;
        }
        tokio::select! {
            () = accept(&shared, listener.as_ref()) => return,
            changed = listening.changed() => if changed.is_err() { return },
        }
    }
}

/// Paces tries that fail.
fn tries() -> Interval {
    let mut tries = interval(RETRY_EVERY);
    tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tries
}

async fn rebind(address: SocketAddr) -> Option<TcpListener> {
    let until = Instant::now() + REBIND_FOR;
    let mut tries = tries();
    loop {
        tries.tick().await;
        match TcpListener::bind(address).await {
            Ok(listener) => return Some(listener),
            Err(error) if Instant::now() > until => {
                tracing::error!(%address, %error, "could not listen again");
                return None;
            }
            Err(_) => {}
        }
    }
}

async fn accept(shared: &Arc<Shared>, listener: Option<&TcpListener>) {
    let Some(listener) = listener else { return std::future::pending().await };
    let mut tries = tries();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(shared.clone(), stream));
            }
            // Out of file handles, or the peer is gone already: neither is a reason to stop.
            Err(_) => drop(tries.tick().await),
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    crate::control::count(&shared.tally.connections);
    let _ = stream.set_nodelay(true);
    let mut listening = shared.listening.subscribe();
    let number = listening.borrow_and_update().number;
    let work = async {
        match &shared.options.tls {
            None => connection::serve(&shared, stream).await,
            Some(config) => match TlsAcceptor::from(config.clone()).accept(stream).await {
                Ok(stream) => connection::serve(&shared, stream).await,
                Err(error) => Err(error),
            },
        }
    };
    tokio::select! {
        _ = work => {}
        _ = listening.wait_for(|now| now.number != number || now.is_over) => {}
    }
}
