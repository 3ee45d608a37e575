//! Connections to replicas: every worker has its own, so a lock around them is never contended.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use layer_proto::cache::v1::doc_cache_service_client::DocCacheServiceClient;
use layer_replicas::{Dialer, PerReplica, Replica, Replicas};
use layer_service::config::ConfigError;
use tokio::{net::TcpStream, time::Instant};
use tokio_util::either::Either;
use tonic::transport::Channel;

use crate::{cork::Cork, settings::CacheSettings};

/// The largest message that is read. Bodies are bounded by the backend's record (8 MiB in Aerospike).
const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A client of one replica.
pub(crate) type Client = DocCacheServiceClient<Channel>;

/// Makes channels; a test has its own.
pub(crate) trait Dial: Send + Sync + fmt::Debug + 'static {
    /// A channel that connects when it is first used. `host` is the name under which the address was found.
    fn channel(&self, address: SocketAddr, host: &str) -> Result<Channel, tonic::transport::Error>;
}

/// TCP, with TLS where it is configured.
#[derive(Debug)]
pub(crate) struct TcpDial(Dialer);

impl TcpDial {
    /// Reads the files of `cache.tls`.
    pub(crate) fn new(settings: &CacheSettings) -> Result<Self, ConfigError> {
        let connect_timeout = Duration::from_millis(settings.connect_timeout_ms);
        Dialer::new("cache.tls", &settings.tls, connect_timeout, &settings.addresses).map(Self)
    }
}

impl Dial for TcpDial {
    fn channel(&self, address: SocketAddr, host: &str) -> Result<Channel, tonic::transport::Error> {
        let corked = !self.0.is_tls();
        let connect = tower::service_fn(move |_| connect(address, corked));
        Ok(self.0.endpoint(address, host)?.connect_with_connector_lazy(connect))
    }
}

/// Connects. Under TLS nothing is kept back: the last word of a handshake that fails is written and never flushed.
async fn connect(address: SocketAddr, corked: bool) -> io::Result<TokioIo<Either<Cork<TcpStream>, TcpStream>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(if corked { Either::Left(Cork::new(stream)) } else { Either::Right(stream) }))
}

/// The channels of one runtime, made when first used.
#[derive(Debug)]
pub(crate) struct Channels {
    dial: Arc<dyn Dial>,
    made: Mutex<PerReplica<Link>>,
}

#[derive(Debug)]
struct Link {
    client: Client,
    /// When a read was last answered over it.
    answered: Option<Instant>,
}

impl Channels {
    pub(crate) fn new(dial: Arc<dyn Dial>) -> Self {
        Self { dial, made: Mutex::default() }
    }

    /// A client of `replica`; call it within the runtime that these channels are for. `None` where no channel can be made,
    /// which the check at the start rules out.
    pub(crate) fn client(&self, replicas: &Replicas, replica: &Replica) -> Option<Client> {
        let make = || {
            let channel = self.dial.channel(replica.address, &replica.host).ok()?;
            let client = DocCacheServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
            Some(Link { client, answered: None })
        };
        self.lock().of(replicas, replica, make).map(|link| link.client.clone())
    }

    /// A read was answered by `replica`.
    pub(crate) fn answered(&self, replica: &Replica) {
        if let Some(link) = self.lock().made(replica) {
            link.answered = Some(Instant::now());
        }
    }

    /// Whether one was after `then`.
    pub(crate) fn answered_since(&self, replica: &Replica, then: Instant) -> bool {
        self.lock().made(replica).and_then(|link| link.answered).is_some_and(|at| at > then)
    }

    fn lock(&self) -> MutexGuard<'_, PerReplica<Link>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
