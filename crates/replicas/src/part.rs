//! Another part of the mesh, as its callers hold it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use layer_service::{config::ConfigError, metrics::Metrics, shed::InFlight};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{
    channel::{Dialer, PerReplica},
    names::Names,
    observe::Observe,
    probe::{self, Probed, innermost},
    replicas::{Backoff, Replica, Replicas},
    resolve::{Resolve, SystemResolver},
    tls::ClientTlsSettings,
};

/// How often names are looked up while no replica answers, at least: one that comes back must be found soon.
const RESOLVE_URGENT: Duration = Duration::from_millis(500);
/// How long a replica may take to say that it serves, once connected.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// How a part is reached.
#[derive(Debug, Clone)]
pub struct PartOptions {
    /// Its name, for errors, logs and metrics.
    pub name: &'static str,
    /// The section of its settings, which errors name.
    pub section: &'static str,
    /// Where it is: `host:port`, whose names are looked up again and again.
    pub addresses: Vec<String>,
    /// TLS towards it.
    pub tls: ClientTlsSettings,
    /// Time to connect to a replica.
    pub connect_timeout: Duration,
    /// Every how often the names are looked up.
    pub resolve_interval: Duration,
    /// Bounds of the time between two probes of a replica that does not answer.
    pub backoff: Backoff,
    /// Calls in flight at the most, of all workers together; further ones fail at once.
    pub calls_max: usize,
}

/// What all workers of a process share of a part. Dropping it ends what runs in the background.
#[derive(Debug)]
pub struct PartService {
    shared: Arc<Shared>,
    _running: DropGuard,
}

impl PartService {
    /// Starts what runs in the background, on the present runtime: it must live as long as the service. Registers
    /// [`METRICS`](crate::METRICS). Never waits for the part.
    ///
    /// # Errors
    /// [`ConfigError`] where a file of TLS cannot be used.
    pub fn start(options: PartOptions, metrics: &Metrics) -> Result<Self, ConfigError> {
        Self::start_with(options, metrics, Arc::new(SystemResolver))
    }

    pub(crate) fn start_with(
        options: PartOptions,
        metrics: &Metrics,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, ConfigError> {
        let shared = Arc::new(Shared::new(&options, metrics)?);
        let stopping = CancellationToken::new();
        let names = Names::new(options.name, &options.addresses);
        spawn(&stopping, follow(Arc::clone(&shared), names, options.resolve_interval, resolver));
        spawn(&stopping, watch_over(Arc::clone(&shared)));
        Ok(Self { shared, _running: stopping.drop_guard() })
    }

    /// A handle for one worker: its connections belong to the runtime that uses it first.
    pub fn handle(&self) -> Part {
        Part { shared: Arc::clone(&self.shared), channels: Arc::default() }
    }
}

fn spawn(stopping: &CancellationToken, task: impl Future<Output = ()> + Send + 'static) {
    let stopping = stopping.clone();
    tokio::spawn(async move { stopping.run_until_cancelled(task).await });
}

/// A part, for one worker; clones share its connections.
#[derive(Clone)]
pub struct Part {
    pub(crate) shared: Arc<Shared>,
    channels: Arc<Mutex<PerReplica<Channel>>>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl Part {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.shared.name
    }

    /// The channel to a replica; `None` where none can be made, which the check at the start rules out.
    pub(crate) fn channel(&self, replica: &Replica) -> Option<Channel> {
        let dial = || Some(self.shared.dialer.endpoint(replica.address, &replica.host).ok()?.connect_lazy());
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.of(&self.shared.replicas, replica, dial).cloned()
    }
}

/// Shared by all handles.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: &'static str,
    pub(crate) connect_timeout: Duration,
    pub(crate) flights: InFlight,
    pub(crate) observe: Observe,
    replicas: Replicas,
    dialer: Dialer,
    backoff: Backoff,
    /// No replica answers, as far as it was told.
    away: AtomicBool,
    /// There is a replica to probe.
    woken: Notify,
    /// The names were looked up once.
    looked_up: watch::Sender<bool>,
}

impl Shared {
    fn new(options: &PartOptions, metrics: &Metrics) -> Result<Self, ConfigError> {
        let PartOptions { name, section, addresses, tls, connect_timeout, backoff, calls_max, .. } = options;
        let section = format!("{section}.tls");
        let shared = Self {
            name,
            connect_timeout: *connect_timeout,
            flights: InFlight::new(*calls_max),
            observe: Observe::new(name, metrics),
            replicas: Replicas::default(),
            dialer: Dialer::new(&section, tls, *connect_timeout, addresses)?,
            backoff: *backoff,
            away: AtomicBool::new(true),
            woken: Notify::new(),
            looked_up: watch::Sender::new(false),
        };
        shared.refresh();
        Ok(shared)
    }

    /// Returns when the names were looked up once, or could not be in the time that a connection has.
    pub(crate) async fn resolved(&self, until: Instant) {
        if *self.looked_up.borrow() {
            return;
        }
        let mut looked_up = self.looked_up.subscribe();
        let until = until.min(Instant::now() + self.connect_timeout);
        // Too late, or nobody looks any more: there is no replica then.
        let _ = timeout_at(until, looked_up.wait_for(|done| *done)).await;
    }

    /// Whom to ask: one that answers, or else one in doubt, or else one of which nothing is known yet.
    pub(crate) fn pick(&self, not: Option<u64>) -> Option<Arc<Replica>> {
        let new = |replica: &&Arc<Replica>| replica.is_new() && Some(replica.id) != not;
        self.replicas.pick(not).or_else(|| self.replicas.list().iter().find(new).cloned())
    }

    pub(crate) fn answered(&self, replica: &Replica) {
        if replica.answered() {
            self.refresh();
        }
    }

    /// It failed a call that may have reached it.
    pub(crate) fn failed(&self, replica: &Replica) {
        if replica.failed(self.backoff) {
            self.woken.notify_one();
        }
    }

    /// It could not be reached: nobody else is to find that out.
    pub(crate) fn shut(&self, replica: &Replica) {
        replica.shut(self.backoff);
        self.woken.notify_one();
        self.refresh();
    }

    fn probed(&self, replica: &Replica, ok: bool) {
        if replica.probed(ok, self.backoff) {
            self.refresh();
        }
    }

    fn refresh(&self) {
        let (known, connected) = (self.replicas.list().len(), self.replicas.connected());
        self.observe.state(known, connected);
        let away = connected == 0;
        if self.away.swap(away, Relaxed) != away {
            match away {
                true => tracing::warn!(part = self.name, "no replica of a part answers: calls to it fail at once"),
                false => tracing::info!(part = self.name, "a part answers"),
            }
        }
    }
}

/// Follows the names.
async fn follow(shared: Arc<Shared>, mut names: Names, interval: Duration, resolver: Arc<dyn Resolve>) {
    loop {
        let found = names.look_up(&*resolver, &shared.replicas).await;
        if shared.replicas.set(&found) {
            shared.woken.notify_one();
            shared.refresh();
        }
        shared.looked_up.send_replace(true);
        let calm = shared.replicas.connected() > 0;
        sleep(if calm { interval } else { interval.min(RESOLVE_URGENT) }).await;
    }
}

/// Probes replicas when they are due.
async fn watch_over(shared: Arc<Shared>) {
    let handle = Part { shared: Arc::clone(&shared), channels: Arc::default() };
    probe::watch(shared.name, &shared.replicas, &shared.woken, |replica| probe_one(&handle, replica)).await;
}

/// Asks a replica for its health. One that has no such service, but answers, is there.
async fn probe_one(part: &Part, replica: Arc<Replica>) -> Probed {
    let patience = part.shared.connect_timeout + PROBE_TIMEOUT;
    let cause = match part.channel(&replica) {
        None => Some("no channel can be made".to_owned()),
        Some(channel) => {
            let mut client = HealthClient::new(channel);
            match timeout(patience, client.check(HealthCheckRequest::default())).await {
                Err(_) => Some("no answer in time".to_owned()),
                Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving => None,
                Ok(Ok(_)) => Some("it does not serve".to_owned()),
                Ok(Err(status)) if status.code() == Code::Unimplemented => None,
                Ok(Err(status)) => Some(innermost(&status).unwrap_or_else(|| status.message().to_owned())),
            }
        }
    };
    part.shared.probed(&replica, cause.is_none());
    (replica, cause)
}
