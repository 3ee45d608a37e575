//! Connections to replicas.
//!
//! There is one lazy channel for each replica. A channel's tasks live in the runtime that made it, so every worker has its
//! own channels.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    time::Duration,
};

use layer_service::config::ConfigError;
use tonic::transport::{ClientTlsConfig, Endpoint, Error};

use crate::{
    address::host_and_port,
    replicas::{Replica, Replicas},
    tls::ClientTlsSettings,
};

/// A peer that is silent for this long is asked whether it is still there,
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// and has this long to say so; then the connection is closed and made anew.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Room for a batch's answer without waiting for the window.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// What every connection to a replica has.
pub fn shaped(endpoint: Endpoint, connect_timeout: Duration) -> Endpoint {
    endpoint
        .connect_timeout(connect_timeout)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
}

/// How the replicas of a part are reached: TCP, with TLS where it is configured.
#[derive(Debug, Clone)]
pub struct Dialer {
    connect_timeout: Duration,
    tls: Option<ClientTlsConfig>,
    server_name: Option<String>,
}

impl Dialer {
    /// Reads the files of `tls`, whose settings are `section`, and makes sure that every one of `addresses` can be dialled.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting.
    pub fn new(
        section: &str,
        tls: &ClientTlsSettings,
        connect_timeout: Duration,
        addresses: &[String],
    ) -> Result<Self, ConfigError> {
        let server_name = tls.server_name.clone();
        let dialer = Self { connect_timeout, tls: tls.config(section, connect_timeout)?, server_name };
        for (host, _) in addresses.iter().filter_map(|address| host_and_port(address)) {
            // Nothing of this depends on the address: what works here works for every replica.
            dialer
                .endpoint(SocketAddr::from(([127, 0, 0, 1], 1)), host)
                .map_err(|error| ConfigError::invalid(section, error_text(&error)))?;
        }
        Ok(dialer)
    }

    /// TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The endpoint of a replica, found under the name `host`.
    ///
    /// # Errors
    /// Where TLS has no use for the name; [`Dialer::new`] has ruled that out.
    pub fn endpoint(&self, address: SocketAddr, host: &str) -> Result<Endpoint, Error> {
        let scheme = if self.is_tls() { "https" } else { "http" };
        let endpoint = shaped(Endpoint::from_shared(format!("{scheme}://{address}"))?, self.connect_timeout);
        match &self.tls {
            None => Ok(endpoint),
            Some(tls) => {
                let name = self.server_name.as_deref().unwrap_or(host);
                endpoint.tls_config(tls.clone().domain_name(name))
            }
        }
    }
}

fn error_text(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Something for each replica, made when first used and dropped when the replica is no longer known.
#[derive(Debug)]
pub struct PerReplica<T> {
    /// The version of the replicas that `made` was last cleaned for.
    version: u64,
    made: HashMap<u64, T>,
}

impl<T> Default for PerReplica<T> {
    fn default() -> Self {
        Self { version: 0, made: HashMap::new() }
    }
}

impl<T> PerReplica<T> {
    /// That of `replica`; `None` where it cannot be made.
    pub fn of(&mut self, replicas: &Replicas, replica: &Replica, make: impl FnOnce() -> Option<T>) -> Option<&mut T> {
        let version = replicas.version();
        if self.version != version {
            self.version = version;
            let known = replicas.list();
            self.made.retain(|id, _| known.iter().any(|replica| replica.id == *id));
        }
        Some(match self.made.entry(replica.id) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(room) => room.insert(make()?),
        })
    }

    /// That of `replica`, if it was made.
    pub fn made(&mut self, replica: &Replica) -> Option<&mut T> {
        self.made.get_mut(&replica.id)
    }
}
