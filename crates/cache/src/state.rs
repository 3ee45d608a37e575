//! What is known of the cache at a moment, for metrics, KEDA and operators.

/// What a breaker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are answered at once without the cache; a probe in the background tries again.
    Open,
}

impl BreakerState {
    /// Whether calls are answered without the cache.
    pub fn is_open(self) -> bool {
        self == Self::Open
    }

    pub(crate) fn of(open: bool) -> Self {
        if open { Self::Open } else { Self::Closed }
    }
}

/// Whether the cache serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warmth {
    /// No replica answers: demand should wake it.
    Cold,
    /// A replica answers.
    Warm,
}

/// The cache as this process sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// A cache is configured.
    pub enabled: bool,
    /// Replicas that the configured names resolve to.
    pub replicas: usize,
    /// Replicas whose last call or probe was answered.
    pub connected: usize,
    /// Of reads.
    pub breaker: BreakerState,
    /// Of holds and releases.
    pub write_breaker: BreakerState,
    /// Keys whose hold, release or clearing is still to be delivered.
    pub backlog_keys: usize,
    /// Namespaces whose purge or hold is still to be delivered.
    pub backlog_namespaces: usize,
    /// Values that wait to be filled in.
    pub fill_queue: usize,
}

impl State {
    /// Warm while a replica answers and the breaker lets calls through.
    pub fn warmth(&self) -> Warmth {
        match self.connected > 0 && self.breaker == BreakerState::Closed {
            true => Warmth::Warm,
            false => Warmth::Cold,
        }
    }
}
