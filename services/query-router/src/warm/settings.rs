//! The settings of warming.

use layer_service::config::{ConfigError, one_or_more};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Warming the document cache.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WarmSettings {
    /// Warm a namespace when a fetch misses in it: once for each namespace and connection to the cache.
    pub reactive: bool,
    /// Jobs that this router runs at once; then 429 with `Retry-After`.
    pub jobs_max: usize,
    /// Queries for rows that one job has in flight at the origin.
    pub queries_max: usize,
    /// How long a job whose router says nothing of it stays that router's, in milliseconds; then another one goes on with
    /// it.
    pub lease_ms: u64,
}

impl Default for WarmSettings {
    fn default() -> Self {
        Self {
            reactive: false,
            jobs_max: 4,
            // A quarter of the concurrent queries that the origin allows a namespace.
            queries_max: 4,
            // Longer than an object store is away for now and then.
            lease_ms: 15_000,
        }
    }
}

impl WarmSettings {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        one_or_more(&[("warm.jobs_max", self.jobs_max as u64), ("warm.queries_max", self.queries_max as u64)])?;
        match self.lease_ms < 1000 {
            true => Err(ConfigError::invalid("warm.lease_ms", "must be 1000 or more")),
            false => Ok(()),
        }
    }
}
