//! Settings of the handle; a service has them as its section `cache`.

use layer_replicas::{ClientTlsSettings, host_and_port};
use layer_service::config::{ConfigError, one_or_more};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{namespaces::Policies, scope::TENANT_BYTES_MAX};

/// What a write does whose hold could not be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coherence {
    /// It goes to the origin; this process bypasses the cache for what it affects.
    Available,
    /// It is refused before it is sent.
    Strict,
}

/// The document cache.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSettings {
    /// Where doc-cache is: `host:port`, whose name is resolved to all its addresses again and again, so that replicas are
    /// followed as they come and go. Several, separated by commas, where there is no such name. Empty: no cache.
    pub addresses: Vec<String>,
    /// Name of the store that the origin is, part of every key: two stores never share one. 1 to 64 bytes.
    pub tenant: String,
    /// How long a read of the cache may take, in milliseconds; then the origin is asked. A read of many keys has this time
    /// for every 250 of them.
    pub deadline_ms: u64,
    /// How long a hold or release may take, all replicas together, in milliseconds; then the write goes on without.
    pub hold_deadline_ms: u64,
    /// How long a hold stands when nobody closes it, in milliseconds: the origin's longest write and a margin.
    pub hold_ms: u32,
    /// `available`: a write whose hold cannot be placed goes on. `strict`: it is refused.
    pub coherence: Coherence,
    /// How long a value may be served at the most, in milliseconds: the bound on every staleness that remains.
    pub ttl_ms: u64,
    /// How long it may be served that a row is absent, in milliseconds.
    pub absent_ttl_ms: u64,
    /// Rules for single namespaces, the first that fits: each a pattern (`*` for any text) and what differs there, of
    /// `enabled=true|false`, `ttl_ms=`, `warm_on_write=true|false`, `max_bytes=`. For example `logs-* enabled=false`.
    pub namespaces: Vec<String>,
    /// Documents that a small write named are read back into the cache in the background.
    pub warm_on_write: bool,
    /// Values of this size or larger are compressed when that makes them smaller, in bytes. 0: never.
    pub compress_min_bytes: usize,
    /// Values waiting to be stored at the most; further ones are dropped and counted.
    pub fill_queue_max: usize,
    /// Bytes of values waiting to be stored at the most; further ones are dropped and counted.
    pub fill_queue_bytes: usize,
    /// Keys with an undelivered hold, release or clearing at the most; beyond, their namespace is purged instead.
    pub backlog_keys_max: usize,
    /// Namespaces with an undelivered purge at the most; beyond, this process uses no cache for `cache.ttl_ms`.
    pub backlog_namespaces_max: usize,
    /// Failed reads in a row after which the cache is left alone.
    pub breaker_failures: u32,
    /// How long it is left alone at first, in milliseconds; doubles with every failed probe.
    pub breaker_min_ms: u64,
    /// How long it is left alone at the most, in milliseconds.
    pub breaker_max_ms: u64,
    /// Time to connect to a replica, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Every how often the names are resolved again, in milliseconds, 2500 at the most: this, a name's time to live and 2.5 s
    /// must together be less than the time for which doc-cache settles (`proof.settle_ms`).
    pub resolve_interval_ms: u64,
    /// TLS towards doc-cache.
    pub tls: ClientTlsSettings,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            tenant: "default".to_owned(),
            // A hit takes well under a millisecond; the origin 10 to 20 ms. Beyond 25 ms the origin is the better bet.
            deadline_ms: 25,
            hold_deadline_ms: 1000,
            // Turbopuffer's longest write (60 s) and a quarter.
            hold_ms: 75_000,
            coherence: Coherence::Available,
            ttl_ms: 3_600_000,
            // Long enough to take a hot missing id off the origin.
            absent_ttl_ms: 10_000,
            namespaces: Vec::new(),
            warm_on_write: true,
            // Below about 4 KiB a round trip costs more than the bytes saved.
            compress_min_bytes: 4096,
            // What a few seconds of misses at 10,000/s with rows of a few KiB need.
            fill_queue_max: 20_000,
            fill_queue_bytes: 64 * 1024 * 1024,
            // About 20 MB.
            backlog_keys_max: 100_000,
            backlog_namespaces_max: 10_000,
            breaker_failures: 7,
            breaker_min_ms: 1000,
            breaker_max_ms: 60_000,
            connect_timeout_ms: 300,
            // With the 5 s that a cluster's DNS lets answers stand, and the 2.5 s for which writes may be silent, it is less
            // than the 10 s for which doc-cache settles.
            resolve_interval_ms: 2000,
            tls: ClientTlsSettings::default(),
        }
    }
}

/// Below, a hold runs out before the origin's answer comes; longer ones doc-cache refuses.
const HOLD_MS: std::ops::RangeInclusive<u32> = 1000..=600_000;
/// What is left of doc-cache's default settling time (10 s) by the time for which a cluster's DNS lets an answer stand (5 s)
/// and that for which writes may be silent (`shared::SKIP_FOR`). A router that looks a new replica up later than that may
/// acknowledge a write without telling it, while it serves already.
const RESOLVE_INTERVAL_MS_MAX: u64 = 2500;

impl CacheSettings {
    /// Whether a cache is configured.
    pub fn enabled(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let invalid = |name: &str, reason: String| Err(ConfigError::invalid(name, reason));
        if let Some(wrong) = self.addresses.iter().find(|address| host_and_port(address).is_none()) {
            return invalid("cache.addresses", format!("`{wrong}` is no host:port"));
        }
        if self.tenant.is_empty() || self.tenant.len() > TENANT_BYTES_MAX {
            return invalid("cache.tenant", format!("must have 1 to {TENANT_BYTES_MAX} bytes"));
        }
        self.validate_bounds()?;
        Policies::new(self)?;
        if !HOLD_MS.contains(&self.hold_ms) {
            return invalid("cache.hold_ms", format!("must be from {} to {}", HOLD_MS.start(), HOLD_MS.end()));
        }
        if self.resolve_interval_ms > RESOLVE_INTERVAL_MS_MAX {
            return invalid("cache.resolve_interval_ms", format!("must be from 1 to {RESOLVE_INTERVAL_MS_MAX}"));
        }
        if self.absent_ttl_ms > self.ttl_ms {
            return invalid("cache.absent_ttl_ms", "must not be above cache.ttl_ms".to_owned());
        }
        if self.breaker_max_ms < self.breaker_min_ms {
            return invalid("cache.breaker_max_ms", "must not be below cache.breaker_min_ms".to_owned());
        }
        self.tls.validate("cache.tls")
    }

    fn validate_bounds(&self) -> Result<(), ConfigError> {
        one_or_more(&[
            ("cache.deadline_ms", self.deadline_ms),
            ("cache.hold_deadline_ms", self.hold_deadline_ms),
            ("cache.ttl_ms", self.ttl_ms),
            ("cache.absent_ttl_ms", self.absent_ttl_ms),
            ("cache.fill_queue_max", self.fill_queue_max as u64),
            ("cache.fill_queue_bytes", self.fill_queue_bytes as u64),
            ("cache.backlog_keys_max", self.backlog_keys_max as u64),
            ("cache.backlog_namespaces_max", self.backlog_namespaces_max as u64),
            ("cache.breaker_failures", u64::from(self.breaker_failures)),
            ("cache.breaker_min_ms", self.breaker_min_ms),
            ("cache.connect_timeout_ms", self.connect_timeout_ms),
            ("cache.resolve_interval_ms", self.resolve_interval_ms),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut CacheSettings)) -> String {
        let mut settings = CacheSettings { addresses: vec!["doc-cache:8082".to_owned()], ..CacheSettings::default() };
        assert!(settings.validate().is_ok());
        change(&mut settings);
        settings.validate().expect_err("must be refused").to_string()
    }

    #[test]
    fn refuses_bad_values_by_name() {
        type Change = fn(&mut CacheSettings);
        let cases: &[(&str, Change)] = &[
            ("cache.addresses", |s| s.addresses.push("nowhere".to_owned())),
            ("cache.tenant", |s| s.tenant.clear()),
            ("cache.tenant", |s| s.tenant = "t".repeat(65)),
            ("cache.deadline_ms", |s| s.deadline_ms = 0),
            ("cache.hold_deadline_ms", |s| s.hold_deadline_ms = 0),
            ("cache.hold_ms", |s| s.hold_ms = 999),
            ("cache.hold_ms", |s| s.hold_ms = 600_001),
            ("cache.ttl_ms", |s| s.ttl_ms = 0),
            ("cache.absent_ttl_ms", |s| s.absent_ttl_ms = 0),
            ("cache.absent_ttl_ms", |s| s.absent_ttl_ms = s.ttl_ms + 1),
            ("cache.fill_queue_max", |s| s.fill_queue_max = 0),
            ("cache.fill_queue_bytes", |s| s.fill_queue_bytes = 0),
            ("cache.backlog_keys_max", |s| s.backlog_keys_max = 0),
            ("cache.backlog_namespaces_max", |s| s.backlog_namespaces_max = 0),
            ("cache.breaker_failures", |s| s.breaker_failures = 0),
            ("cache.breaker_min_ms", |s| s.breaker_min_ms = 0),
            ("cache.breaker_max_ms", |s| s.breaker_max_ms = s.breaker_min_ms - 1),
            ("cache.connect_timeout_ms", |s| s.connect_timeout_ms = 0),
            ("cache.resolve_interval_ms", |s| s.resolve_interval_ms = 0),
            ("cache.resolve_interval_ms", |s| s.resolve_interval_ms = 2501),
            ("cache.tls.key_file", |s| s.tls.certificate_file = Some("c".into())),
            ("cache.tls.certificate_file", |s| s.tls.key_file = Some("k".into())),
            ("cache.tls.ca_file", |s| s.tls.ca_file = Some("ca".into())),
            ("cache.tls.server_name", |s| s.tls.server_name = Some("n".into())),
        ];
        for (name, change) in cases {
            let error = refused(change);
            assert!(error.contains(&format!("`{name}`")), "{name}: {error}");
        }
    }
}
