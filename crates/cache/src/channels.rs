//! Connections to replicas.
//!
//! tonic's own balancing picks endpoints that are dead, so there is one lazy channel for each replica and the pick is
//! ours. A channel's tasks live in the runtime that made it, so every worker has its own channels; a lock around them is
//! never contended.

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use layer_proto::cache::v1::doc_cache_service_client::DocCacheServiceClient;
use layer_service::config::ConfigError;
use tokio::{net::TcpStream, time::Instant};
use tokio_util::either::Either;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::{
    cork::Cork,
    replicas::{Replica, Replicas},
    settings::{CacheSettings, CacheTlsSettings, host_and_port},
};

/// The largest message that is read. Bodies are bounded by the backend's record (8 MiB in Aerospike).
const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A peer that is silent for this long is asked whether it is still there,
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// and has this long to say so; then the connection is closed and made anew.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Room for a batch's answer without waiting for the window.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// A client of one replica.
pub(crate) type Client = DocCacheServiceClient<Channel>;

/// Makes channels; a test has its own.
pub(crate) trait Dial: Send + Sync + fmt::Debug + 'static {
    /// A channel that connects when it is first used. `host` is the name under which the address was found.
    fn channel(&self, address: SocketAddr, host: &str) -> Result<Channel, tonic::transport::Error>;
}

/// TCP, with TLS where it is configured.
#[derive(Debug)]
pub(crate) struct TcpDial {
    connect_timeout: Duration,
    tls: Option<(ClientTlsConfig, Option<String>)>,
}

impl TcpDial {
    /// Reads the files of `cache.tls`.
    pub(crate) fn new(settings: &CacheSettings) -> Result<Self, ConfigError> {
        let connect_timeout = Duration::from_millis(settings.connect_timeout_ms);
        let tls = match settings.tls.enabled {
            true => Some((tls(&settings.tls, connect_timeout)?, settings.tls.server_name.clone())),
            false => None,
        };
        let dial = Self { connect_timeout, tls };
        for (host, _) in settings.addresses.iter().filter_map(|address| host_and_port(address)) {
            // Nothing of this depends on the address: what works here works for every replica.
            dial.endpoint(SocketAddr::from(([127, 0, 0, 1], 1)), host)
                .map_err(|error| ConfigError::invalid("cache.tls", error_text(&error)))?;
        }
        Ok(dial)
    }

    fn endpoint(&self, address: SocketAddr, host: &str) -> Result<Endpoint, tonic::transport::Error> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let endpoint = shaped(Endpoint::from_shared(format!("{scheme}://{address}"))?, self.connect_timeout);
        match &self.tls {
            None => Ok(endpoint),
            Some((tls, name)) => {
                let name = name.as_deref().unwrap_or(host);
                endpoint.tls_config(tls.clone().domain_name(name))
            }
        }
    }
}

impl Dial for TcpDial {
    fn channel(&self, address: SocketAddr, host: &str) -> Result<Channel, tonic::transport::Error> {
        let corked = self.tls.is_none();
        let connect = tower::service_fn(move |_| connect(address, corked));
        Ok(self.endpoint(address, host)?.connect_with_connector_lazy(connect))
    }
}

/// Connects. Under TLS nothing is kept back: the last word of a handshake that fails is written and never flushed.
async fn connect(address: SocketAddr, corked: bool) -> io::Result<TokioIo<Either<Cork<TcpStream>, TcpStream>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(if corked { Either::Left(Cork::new(stream)) } else { Either::Right(stream) }))
}

/// What every connection to a replica has.
pub(crate) fn shaped(endpoint: Endpoint, connect_timeout: Duration) -> Endpoint {
    endpoint
        .connect_timeout(connect_timeout)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
}

fn tls(settings: &CacheTlsSettings, timeout: Duration) -> Result<ClientTlsConfig, ConfigError> {
    let read = |name: &str, file: &std::path::Path| {
        std::fs::read(file).map_err(|error| ConfigError::invalid(name, format!("{}: {error}", file.display())))
    };
    let mut tls = ClientTlsConfig::new().timeout(timeout);
    tls = match &settings.ca_file {
        Some(file) => {
            // The helper refuses a file that holds no certificate, which tonic would take as no authority at all.
            layer_service::tls::client("cache.tls.ca_file", Some(file), &[])?;
            tls.ca_certificate(Certificate::from_pem(read("cache.tls.ca_file", file)?))
        }
        None => tls.with_native_roots(),
    };
    if let (Some(certificate), Some(key)) = (&settings.certificate_file, &settings.key_file) {
        let certificate = read("cache.tls.certificate_file", certificate)?;
        tls = tls.identity(Identity::from_pem(certificate, read("cache.tls.key_file", key)?));
    }
    Ok(tls)
}

fn error_text(error: &tonic::transport::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The channels of one runtime, made when first used.
#[derive(Debug)]
pub(crate) struct Channels {
    dial: Arc<dyn Dial>,
    made: Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    /// The version of the replicas that `links` was last cleaned for.
    version: u64,
    links: HashMap<u64, Link>,
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
        let mut made = self.lock();
        let version = replicas.version();
        if made.version != version {
            made.version = version;
            let known = replicas.list();
            made.links.retain(|id, _| known.iter().any(|replica| replica.id == *id));
        }
        if let Some(link) = made.links.get(&replica.id) {
            return Some(link.client.clone());
        }
        let channel = self.dial.channel(replica.address, &replica.host).ok()?;
        let client = DocCacheServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        made.links.insert(replica.id, Link { client: client.clone(), answered: None });
        Some(client)
    }

    /// A read was answered by `replica`.
    pub(crate) fn answered(&self, replica: &Replica) {
        if let Some(link) = self.lock().links.get_mut(&replica.id) {
            link.answered = Some(Instant::now());
        }
    }

    /// Whether one was after `then`.
    pub(crate) fn answered_since(&self, replica: &Replica, then: Instant) -> bool {
        self.lock().links.get(&replica.id).and_then(|link| link.answered).is_some_and(|at| at > then)
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
