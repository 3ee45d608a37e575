//! The settings of fetches.

use layer_service::config::{ConfigError, one_or_more};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most ids in one query of the origin: its own bound on rows.
const QUERY_IDS_MAX: usize = 10_000;

/// Fetches of documents by id.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FetchSettings {
    /// How long ids that are to be asked of the origin wait for others of their namespace, in microseconds. They never
    /// wait while no query of that namespace is in flight.
    pub window_us: u64,
    /// Ids in one query of the origin at the most.
    pub query_ids_max: usize,
    /// Bytes of the origin's answer to one query at the most; a larger one is asked again in parts that fit. One document
    /// may have more.
    pub query_bytes_max: usize,
    /// Queries of the origin in flight for one namespace at the most.
    pub namespace_queries_max: usize,
    /// Queries of the origin in flight for fetches of all namespaces at the most.
    pub queries_max: usize,
    /// Ids that wait to be asked of the origin at the most; then 429 with `Retry-After`.
    pub waiting_max: usize,
    /// Bytes of documents that fetches hold at the most, all together: twice what the origin sends while it is read, and
    /// what was read until it is sent. Near it batches read less ahead; where not even one document finds room, 429 with
    /// `Retry-After`. A document of more than half of it cannot be fetched.
    pub held_bytes: u64,
    /// One in how many hits is compared with the origin, in the background (`hevlayer_cache_verify_total`). 0: none.
    pub verify_one_in: u32,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            // A tenth of what a query takes: enough to gather a burst, too little to be felt.
            window_us: 1000,
            query_ids_max: 1000,
            // 1,000 rows of 16 KiB; parsing more would hold up the worker for longer than 20 ms.
            query_bytes_max: 16 * 1024 * 1024,
            // Half of the 16 concurrent queries that the origin allows a namespace: searches need the other.
            namespace_queries_max: 8,
            queries_max: 64,
            // Ten batches of the largest size; about 30 MB.
            waiting_max: 100_000,
            held_bytes: 512 * 1024 * 1024,
            verify_one_in: 0,
        }
    }
}

impl FetchSettings {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        one_or_more(&[
            ("fetch.query_ids_max", self.query_ids_max as u64),
            ("fetch.query_bytes_max", self.query_bytes_max as u64),
            ("fetch.namespace_queries_max", self.namespace_queries_max as u64),
            ("fetch.queries_max", self.queries_max as u64),
            ("fetch.waiting_max", self.waiting_max as u64),
            ("fetch.held_bytes", self.held_bytes),
        ])?;
        if self.query_ids_max > QUERY_IDS_MAX {
            return Err(ConfigError::invalid("fetch.query_ids_max", format!("must not be above {QUERY_IDS_MAX}")));
        }
        Ok(())
    }
}
