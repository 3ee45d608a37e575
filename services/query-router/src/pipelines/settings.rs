//! The settings of pipelines and functions.

use std::time::Duration;

use layer_replicas::{Backoff, ClientTlsSettings, PartOptions, host_and_port};
use layer_service::config::{ConfigError, one_or_more};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PART;

/// Pipelines and functions: where pipeline-worker is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineSettings {
    /// Where pipeline-worker is: `host:port`, whose name is resolved to all its addresses again and again. Several,
    /// separated by commas, where there is no such name. Empty: there are no pipelines and no functions.
    pub addresses: Vec<String>,
    /// Time to connect to a replica, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long a call may take where its caller names no deadline, in milliseconds; more than pipeline-worker's own
    /// `limits.request_timeout_ms`, which knows more of it. What a claim may wait for its first document comes on top.
    pub request_timeout_ms: u64,
    /// Calls to pipeline-worker in flight at the most; then 429 with `Retry-After`.
    pub calls_max: usize,
    /// Bytes of one body or gRPC message at the most; also not more than `limits.body_bytes`.
    pub body_bytes_max: u64,
    /// Bytes of all bodies and messages at the most that are held at a time; then 429 with `Retry-After`.
    pub bodies_bytes_max: u64,
    /// How long a replica that cannot be reached is left alone at first, in milliseconds; doubles with every failed probe.
    pub breaker_min_ms: u64,
    /// How long it is left alone at the most, in milliseconds.
    pub breaker_max_ms: u64,
    /// Every how often the names are resolved again, in milliseconds.
    pub resolve_interval_ms: u64,
    /// TLS towards pipeline-worker.
    pub tls: ClientTlsSettings,
}

impl Default for PipelineSettings {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            // What the callers of a service that is away may lose once; then a probe finds out for all of them.
            connect_timeout_ms: 1000,
            // pipeline-worker itself gives up after 75 s, as a write of rows may take the origin's 60 s.
            request_timeout_ms: 80_000,
            // Some hundred workers that wait for work, and what a producer sends meanwhile.
            calls_max: 1024,
            // 10,000 vectors of 768 numbers as JSON.
            body_bytes_max: 64 * 1024 * 1024,
            bodies_bytes_max: 512 * 1024 * 1024,
            // A restart takes a second or two; workers that poll every few seconds should not notice it for longer.
            breaker_min_ms: 250,
            breaker_max_ms: 5000,
            resolve_interval_ms: 2000,
            tls: ClientTlsSettings::default(),
        }
    }
}

impl PipelineSettings {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if let Some(wrong) = self.addresses.iter().find(|address| host_and_port(address).is_none()) {
            return Err(ConfigError::invalid("pipelines.addresses", format!("`{wrong}` is no host:port")));
        }
        one_or_more(&[
            ("pipelines.connect_timeout_ms", self.connect_timeout_ms),
            ("pipelines.request_timeout_ms", self.request_timeout_ms),
            ("pipelines.calls_max", self.calls_max as u64),
            ("pipelines.body_bytes_max", self.body_bytes_max),
            ("pipelines.breaker_min_ms", self.breaker_min_ms),
            ("pipelines.resolve_interval_ms", self.resolve_interval_ms),
        ])?;
        if self.bodies_bytes_max < self.body_bytes_max {
            let reason = "must not be below pipelines.body_bytes_max";
            return Err(ConfigError::invalid("pipelines.bodies_bytes_max", reason));
        }
        if self.breaker_max_ms < self.breaker_min_ms {
            let reason = "must not be below pipelines.breaker_min_ms";
            return Err(ConfigError::invalid("pipelines.breaker_max_ms", reason));
        }
        self.tls.validate("pipelines.tls")
    }

    /// How pipeline-worker is reached; none where it is not configured.
    pub(super) fn part(&self) -> Option<PartOptions> {
        let millis = Duration::from_millis;
        (!self.addresses.is_empty()).then(|| PartOptions {
            name: PART,
            section: "pipelines",
            addresses: self.addresses.clone(),
            tls: self.tls.clone(),
            connect_timeout: millis(self.connect_timeout_ms),
            resolve_interval: millis(self.resolve_interval_ms),
            backoff: Backoff { min: millis(self.breaker_min_ms), max: millis(self.breaker_max_ms) },
            calls_max: self.calls_max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_bad_values_by_name() {
        type Change = fn(&mut PipelineSettings);
        let cases: &[(&str, Change)] = &[
            ("pipelines.addresses", |s| s.addresses.push("nowhere".to_owned())),
            ("pipelines.connect_timeout_ms", |s| s.connect_timeout_ms = 0),
            ("pipelines.request_timeout_ms", |s| s.request_timeout_ms = 0),
            ("pipelines.calls_max", |s| s.calls_max = 0),
            ("pipelines.body_bytes_max", |s| s.body_bytes_max = 0),
            ("pipelines.bodies_bytes_max", |s| s.bodies_bytes_max = s.body_bytes_max - 1),
            ("pipelines.breaker_min_ms", |s| s.breaker_min_ms = 0),
            ("pipelines.breaker_max_ms", |s| s.breaker_max_ms = s.breaker_min_ms - 1),
            ("pipelines.resolve_interval_ms", |s| s.resolve_interval_ms = 0),
            ("pipelines.tls.key_file", |s| s.tls.certificate_file = Some("c".into())),
            ("pipelines.tls.ca_file", |s| s.tls.ca_file = Some("ca".into())),
        ];
        for (name, change) in cases {
            let mut settings = PipelineSettings::default();
            assert!(settings.validate().is_ok());
            change(&mut settings);
            let error = settings.validate().expect_err("must be refused").to_string();
            assert!(error.contains(&format!("`{name}`")), "{name}: {error}");
        }
    }
}
