//! The service in the background, and the handle that workers hold.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use layer_proto::cache::v1::{InspectResponse, StatsResponse};
use layer_replicas::{Resolve, SystemResolver};
use layer_service::{config::ConfigError, metrics::Metrics};
use tokio::sync::Semaphore;

use crate::{
    background,
    call::sooner,
    channels::{Channels, Dial, TcpDial},
    deliver::deliver,
    error::{Away, NotStored, Refused},
    fill::{fill, fill_patiently, store_now},
    gather::Gather,
    get,
    key::Key,
    message::Message,
    scope::{InvalidScope, Kind, Scope},
    settings::CacheSettings,
    shared::Shared,
    state::{State, Warmth},
    value::{Fill, Gotten},
    write::{Affects, Write},
};

/// What all workers of a process share of the cache: replicas and their health, breakers, backlog, fill queue. Start one
/// for a process, and give every worker a handle. Dropping it ends what runs in the background.
#[derive(Debug)]
pub struct CacheService {
    shared: Arc<Shared>,
}

impl CacheService {
    /// Starts what runs in the background, on the present runtime: it must live as long as the service. Registers
    /// [`METRICS`](crate::METRICS). Never waits for the cache; without addresses nothing is started and every answer is
    /// [`Away::Disabled`].
    ///
    /// # Errors
    /// [`ConfigError`] where a file of `cache.tls` cannot be used, or the settings are invalid.
    pub fn start(settings: &CacheSettings, metrics: &Metrics) -> Result<Self, ConfigError> {
        settings.validate()?;
        let dial = Arc::new(TcpDial::new(settings)?);
        Ok(Self::start_with(settings, metrics, dial, Arc::new(SystemResolver)))
    }

    pub(crate) fn start_with(
        settings: &CacheSettings,
        metrics: &Metrics,
        dial: Arc<dyn Dial>,
        resolver: Arc<dyn Resolve>,
    ) -> Self {
        let shared = Arc::new(Shared::new(settings.clone(), metrics, dial));
        if settings.enabled() {
            background::start(&shared, resolver);
        }
        Self { shared }
    }

    /// A handle for one worker: its connections belong to the runtime in which it is used, so make one for each.
    pub fn handle(&self) -> Cache {
        let channels = Arc::new(Channels::new(Arc::clone(&self.shared.dial)));
        Cache {
            shared: Arc::clone(&self.shared),
            channels,
            gather: Arc::default(),
            at_once: Arc::new(Semaphore::new(get::KEYS_AT_ONCE)),
        }
    }

    /// Waits until nothing is left to deliver, `limit` at the most, and ends what runs in the background. For a stop, when
    /// no write is in flight any more.
    pub async fn stop(self, limit: Duration) {
        let empty = async {
            loop {
                let delivered = self.shared.delivered.notified();
                if self.shared.backlog().is_empty() {
                    return;
                }
                delivered.await;
            }
        };
        if tokio::time::timeout(limit, empty).await.is_err() {
            let (keys, namespaces) = self.shared.backlog().sizes();
            tracing::warn!(keys, namespaces, "stopped with changes that the document cache was not told of");
        }
    }
}

impl Drop for CacheService {
    fn drop(&mut self) {
        self.shared.stopping.cancel();
    }
}

/// One worker's handle to the cache. A clone is cheap and shares its connections: keep clones within one runtime.
#[derive(Debug, Clone)]
pub struct Cache {
    pub(crate) shared: Arc<Shared>,
    pub(crate) channels: Arc<Channels>,
    pub(crate) gather: Arc<Gather>,
    /// One for each key of a batch that this worker may ask for now.
    pub(crate) at_once: Arc<Semaphore>,
}

impl Cache {
    /// Rows of a namespace of the configured tenant.
    ///
    /// # Errors
    /// [`InvalidScope`] where the name is one that neither the cache nor the origin takes.
    pub fn documents(&self, namespace: &str) -> Result<Scope, InvalidScope> {
        Scope::new(&self.shared.settings.tenant, namespace, Kind::Document)
    }

    /// Why a look-up would not even be tried now, if so: for who would otherwise do work for nothing.
    pub fn away(&self) -> Option<Away> {
        match (self.shared.enabled(), self.shared.read_open()) {
            (false, _) => Some(Away::Disabled),
            (true, true) => Some(Away::BreakerOpen),
            (true, false) => None,
        }
    }

    /// Looks keys up. Never fails, and waits `cache.deadline_ms` at the most (for every 250 keys), or until `deadline` if
    /// that is sooner; many keys at once may wait as long again for their turn. With the breaker open, no replica, or every
    /// key bypassed it returns without waiting at all.
    pub async fn get(&self, scope: &Scope, keys: &[Key], deadline: Option<Instant>) -> Gotten {
        get::get(self, scope, keys, deadline, &mut |_| true).await
    }

    /// The same for bodies that may be too large for the caller. `room` is told of every body how many bytes it has
    /// unpacked, before it is; when it says no the look-up ends there, and [`Gotten::read`] says how far it came.
    pub async fn get_within(
        &self,
        scope: &Scope,
        keys: &[Key],
        deadline: Option<Instant>,
        room: &mut (dyn FnMut(usize) -> bool + Send),
    ) -> Gotten {
        get::get(self, scope, keys, deadline, room).await
    }

    /// Stores values in the background. Best effort: what finds the queue full, or meets a write, is dropped and counted.
    pub fn fill(&self, scope: &Scope, fills: Vec<Fill>) {
        fill(&self.shared, scope, fills);
    }

    /// The same for who can wait, such as a warm: waits while half of the queue is taken, so that neither its own values
    /// nor those of others are dropped. Returns how many were taken; not all where the cache goes away, or for values over
    /// its limit.
    pub async fn fill_patiently(&self, scope: &Scope, fills: Vec<Fill>) -> usize {
        fill_patiently(&self.shared, scope, fills).await
    }

    /// Stores values and says what became of each, in their order, for who must report it. Waits a second at the most for
    /// every MiB; not at all while the cache is known to be away.
    pub async fn store(&self, scope: &Scope, fills: Vec<Fill>) -> Vec<Result<(), NotStored>> {
        store_now(self, scope, fills).await
    }

    /// Announces a write. Call it before the first byte goes to the origin. Waits `cache.hold_deadline_ms` at the most, or
    /// until `deadline` if that is sooner; while the cache is known to be away it does not wait.
    ///
    /// When the returned future is dropped, nothing was sent to the origin: what was held is let go in the background.
    ///
    /// # Errors
    /// [`Refused`] where the hold could not be placed and `cache.coherence` is `strict`: do not send the write. Without a
    /// configured cache nothing is ever refused.
    pub async fn begin(&self, scope: &Scope, affects: Affects, deadline: Option<Instant>) -> Result<Write, Refused> {
        Write::begin(self, scope, affects, deadline).await
    }

    /// Forgets all that is cached of a namespace, of every kind. For operators: what cannot be delivered is not tried
    /// again. Writes use [`Cache::begin`].
    ///
    /// # Errors
    /// [`Away`] where no replica did it in time.
    pub async fn purge_namespace(&self, scope: &Scope, deadline: Option<Instant>) -> Result<(), Away> {
        self.configured()?;
        let until = sooner(self.shared.write_deadline(), deadline);
        deliver(&self.shared, &self.channels, scope, &Message::Purge, until).await
    }

    /// What a replica knows of one key.
    ///
    /// # Errors
    /// [`Away`] where no replica answered in time.
    pub async fn inspect(&self, scope: &Scope, key: &Key, deadline: Option<Instant>) -> Result<InspectResponse, Away> {
        self.configured()?;
        let until = sooner(self.shared.write_deadline(), deadline);
        get::inspect(&self.shared, &self.channels, scope, key, until).await
    }

    /// The numbers of every replica, by its address.
    pub async fn stats(&self, deadline: Option<Instant>) -> Vec<(String, Result<StatsResponse, Away>)> {
        let until = sooner(self.shared.write_deadline(), deadline);
        get::stats(&self.shared, &self.channels, until).await
    }

    /// The cache as this process sees it now.
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// Waits until the cache is no longer as `seen`, and says how it is then. For KEDA's stream and the time of a cold start.
    /// Without a configured cache it is cold for ever.
    pub async fn warmth_changed(&self, seen: Warmth) -> Warmth {
        self.shared.warmth_changed(seen).await
    }

    fn configured(&self) -> Result<(), Away> {
        if self.shared.enabled() { Ok(()) } else { Err(Away::Disabled) }
    }
}
