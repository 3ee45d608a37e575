//! The connection to the cluster: made in the background, made again for ever, watched for changes.
//!
//! No call waits for it: without a connection a call fails at once. A cluster that is not the one that the last canary
//! proved, by its nodes, proves nothing: [`Connection::proven`] is false until the next canary.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use aerospike::{AdminPolicy, AuthMode, Client, ClientPolicy, TlsPolicy};
use layer_service::{config::ConfigError, metrics::Metrics, tls};
use rand::RngExt;

use super::{calls::meaning, names::Names, observe::Observe, settings::AerospikeSettings};
use crate::backend::{BackendError, Usage};

/// Between two tries to connect, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// How often the client looks at the cluster: what a node that left or came back costs.
const TEND_MS: u32 = 250;
/// How long one connection may take to open.
const CONNECT_TIMEOUT_MS: u32 = 300;
/// How long an info command may take.
const INFO_TIMEOUT_MS: u32 = 400;
/// How often the server is asked how full it is.
const USAGE_EVERY: Duration = Duration::from_secs(5);

/// How the connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not made yet.
    Connecting,
    /// The cluster can be called.
    Connected,
    /// Was made, and no node answers.
    Lost,
}

impl State {
    /// As the metric names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Lost => "lost",
        }
    }
}

/// The nodes of the cluster by name, with the seconds that each has been up.
pub type Nodes = BTreeMap<String, u64>;

/// The connection; one a process.
pub struct Connection {
    client: OnceLock<Client>,
    names: Names,
    observe: Observe,
    proven: Mutex<Nodes>,
    usage: Mutex<Usage>,
}

impl Connection {
    /// Begins to connect in the background.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting that cannot be used.
    pub fn start(settings: &AerospikeSettings, metrics: &Metrics) -> Result<Arc<Self>, ConfigError> {
        settings.validate()?;
        let policy = policy(settings)?;
        let connection = Arc::new(Self {
            client: OnceLock::new(),
            names: Names::new(settings),
            observe: Observe::new(metrics),
            proven: Mutex::default(),
            usage: Mutex::default(),
        });
        connection.observe.connection(State::Connecting);
        tokio::spawn(connect(Arc::downgrade(&connection), policy, settings.hosts.clone()));
        Ok(connection)
    }

    /// Where records lie.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What is measured.
    pub fn observe(&self) -> &Observe {
        &self.observe
    }

    /// The client, once there is one.
    pub fn client(&self) -> Option<&Client> {
        self.client.get()
    }

    /// Whether calls can be sent.
    pub fn connected(&self) -> bool {
        self.state() == State::Connected
    }

    fn state(&self) -> State {
        match self.client() {
            None => State::Connecting,
            Some(client) if client.is_connected() && client.partition_map_ready() => State::Connected,
            Some(_) => State::Lost,
        }
    }

    /// Whether the nodes are those that the last canary proved.
    pub fn proven(&self) -> bool {
        let Some(client) = self.client() else { return false };
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        let nodes = client.nodes();
        nodes.len() == proven.len() && nodes.iter().all(|node| proven.contains_key(node.name()))
    }

    /// Takes `nodes` for those that a canary proved.
    pub fn prove(&self, nodes: Nodes) {
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
    }

    /// Whether `nodes` are the ones of before, each up since then.
    pub fn continues(&self, nodes: &Nodes) -> bool {
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        proven.is_empty() || continues(&proven, nodes)
    }

    /// The nodes as they are now.
    ///
    /// # Errors
    /// [`BackendError`] where one of them does not say.
    pub async fn nodes(&self, until: Instant) -> Result<Nodes, BackendError> {
        let client = self.client().ok_or_else(|| BackendError::Unavailable("not connected yet".to_owned()))?;
        let mut nodes = Nodes::new();
        for node in client.nodes() {
            let policy = AdminPolicy { timeout: INFO_TIMEOUT_MS };
            let asked = node.info(&policy, &["statistics"]);
            let said = tokio::time::timeout_at(until.into(), asked).await.map_err(|_| BackendError::Timeout)?;
            let said = said.map_err(|error| meaning(&error))?;
            let up = said.get("statistics").and_then(|page| number(page, "uptime"));
            let up = up.ok_or_else(|| BackendError::Failed("a node does not say its uptime".to_owned()))?;
            nodes.insert(node.name().to_owned(), up);
        }
        match nodes.is_empty() {
            true => Err(BackendError::Unavailable("no node answers".to_owned())),
            false => Ok(nodes),
        }
    }

    /// How full the server is, as it last said.
    pub fn usage(&self) -> Usage {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn namespace_page(&self) -> Option<String> {
        let client = self.client()?;
        let command = format!("namespace/{}", self.names.aerospike_namespace());
        let said = client.info(&AdminPolicy { timeout: INFO_TIMEOUT_MS }, &[&command]).await.ok()?;
        said.get(&command).cloned()
    }

    fn say(&self, before: State) -> State {
        let state = self.state();
        if state != before {
            self.observe.connection(state);
            match state {
                State::Connected => tracing::info!("connected to Aerospike"),
                State::Lost => tracing::warn!("no Aerospike node answers; trying again for ever"),
                State::Connecting => {}
            }
        }
        state
    }
}

fn continues(before: &Nodes, now: &Nodes) -> bool {
    before.len() == now.len() && before.iter().all(|(name, up)| now.get(name).is_some_and(|later| later >= up))
}

fn policy(settings: &AerospikeSettings) -> Result<ClientPolicy, ConfigError> {
    let auth_mode = match (&settings.user, &settings.password) {
        (Some(user), Some(password)) => AuthMode::Internal(user.clone(), password.reveal().to_owned()),
        _ => AuthMode::None,
    };
    let tls_policy = match settings.tls {
        true => Some(TlsPolicy::new(tls::client("aerospike.ca_file", settings.ca_file.as_deref(), &[])?)),
        false => None,
    };
    Ok(ClientPolicy {
        auth_mode,
        tls_policy,
        connect_timeout: CONNECT_TIMEOUT_MS,
        min_conns_per_node: settings.connections_min as usize,
        max_conns_per_node: settings.connections_max as usize,
        tend_interval: TEND_MS,
        // Our own breaker and canary decide; the client's would refuse what a hold must still try.
        max_error_rate: 0,
        ..ClientPolicy::default()
    })
}

/// Connects, then watches; ends with the last handle.
async fn connect(connection: std::sync::Weak<Connection>, policy: ClientPolicy, hosts: String) {
    let mut pause = BACKOFF.0;
    while connection.strong_count() > 0 {
        match Client::new(&policy, &hosts).await {
            Ok(client) => {
                let Some(connection) = connection.upgrade() else { return };
                // Nobody else sets it.
                let _ = connection.client.set(client);
                break;
            }
            Err(error) => {
                tracing::debug!(%error, "Aerospike cannot be reached yet");
                let jitter = rand::rng().random_range(0.5..1.0);
                tokio::time::sleep(pause.mul_f64(jitter)).await;
                pause = (pause * 2).min(BACKOFF.1);
            }
        }
    }
    watch(connection).await;
}

async fn watch(connection: std::sync::Weak<Connection>) {
    let mut every = tokio::time::interval(Duration::from_millis(u64::from(TEND_MS)));
    let (mut state, mut asked, mut warned) = (State::Connecting, None::<Instant>, false);
    loop {
        every.tick().await;
        let Some(connection) = connection.upgrade() else { return };
        state = connection.say(state);
        if state == State::Connected && asked.is_none_or(|asked| asked.elapsed() >= USAGE_EVERY) {
            asked = Some(Instant::now());
            if let Some(page) = connection.namespace_page().await {
                warned |= !warned && warn_of_expiry(&page);
                *connection.usage.lock().unwrap_or_else(PoisonError::into_inner) = usage(&page);
            }
        }
    }
}

/// Says it where the server would keep records for ever, or refuse those that expire.
fn warn_of_expiry(page: &str) -> bool {
    let never = number(page, "nsup-period") == Some(0);
    let refuses = never && text(page, "allow-ttl-without-nsup") != Some("true");
    if refuses {
        tracing::error!(
            "the Aerospike namespace refuses records that expire (nsup-period 0): set nsup-period, or nothing is cached"
        );
    } else if never {
        tracing::warn!("the Aerospike namespace does not remove expired records (nsup-period 0): it will fill up");
    }
    never
}

fn usage(page: &str) -> Usage {
    let first = |names: &[&str]| names.iter().find_map(|name| number(page, name));
    Usage {
        entries: first(&["objects"]),
        bytes: first(&["data_used_bytes", "device_used_bytes", "memory_used_bytes"]),
        capacity_bytes: first(&["data_total_bytes", "device_total_bytes", "memory-size"]),
        evictions: first(&["evicted_objects"]),
    }
}

fn text<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    page.split(';').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

fn number(page: &str, name: &str) -> Option<u64> {
    text(page, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(of: &[(&str, u64)]) -> Nodes {
        of.iter().map(|(name, up)| ((*name).to_owned(), *up)).collect()
    }

    #[test]
    fn a_cluster_continues_while_its_nodes_stay_up() {
        assert!(continues(&nodes(&[("a", 5), ("b", 9)]), &nodes(&[("a", 5), ("b", 10)])));
        assert!(!continues(&nodes(&[("a", 5)]), &nodes(&[("a", 0)])), "started again");
        assert!(!continues(&nodes(&[("a", 5)]), &nodes(&[("b", 6)])), "another node");
        assert!(!continues(&nodes(&[("a", 5)]), &nodes(&[("a", 6), ("b", 6)])), "one more");
    }

    #[test]
    fn pages_are_read_by_whole_names() {
        let page = "objects=3;xdata_used_bytes=9;data_used_bytes=77;nsup-period=0";
        assert_eq!(usage(page), Usage { entries: Some(3), bytes: Some(77), ..Usage::default() });
        assert!(warn_of_expiry(page));
    }
}
