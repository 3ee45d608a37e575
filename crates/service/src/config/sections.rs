//! The settings that every service has. Each default has its reason beside it.

use std::path::PathBuf;

use rustls_pki_types::DnsName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, is_loopback};

/// Where the service listens, and with how many threads it answers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListenSettings {
    /// Address and port of the service, for example `0.0.0.0:8080`. Port 0 takes a free one.
    pub address: String,
    /// Worker threads; each runs its share of the connections and its own pool to the origin. 0: one per core.
    pub workers: usize,
    /// Open connections at the most; further ones are closed at once.
    pub connections_max: usize,
    /// HTTP/2 connections are told to go after about this time, in milliseconds, so that clients spread over new replicas;
    /// requests in flight finish. 0: never.
    pub connection_age_ms: u64,
    /// Share the port with another process (SO_REUSEPORT), for a restart without a gap on one machine.
    pub reuse_port: bool,
}

impl ListenSettings {
    /// Loopback: reachable from elsewhere only when someone says so.
    pub fn on_port(port: u16) -> Self {
        // 10,000 connections cost about 100 MB of socket and task memory: beyond, a load balancer should spread them.
        Self {
            address: format!("127.0.0.1:{port}"),
            workers: 0,
            connections_max: 10_000,
            // Clients find new replicas within minutes, and reconnecting every ten of them costs nothing.
            connection_age_ms: 600_000,
            reuse_port: false,
        }
    }
}

impl ListenSettings {
    /// Refuses room for no connection.
    pub fn validate(&self) -> Result<(), ConfigError> {
        one_or_more(&[("listen.connections_max", self.connections_max as u64)])
    }
}

/// Who may call a service that is for Layer's own services alone.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccessSettings {
    /// Listen where others can reach it without `tls.client_required`: whoever reaches the port may make every call. For
    /// networks that let only Layer's own services through.
    pub open_anywhere: bool,
}

impl AccessSettings {
    /// Refuses a port that strangers can reach, unless the operator says so.
    ///
    /// # Errors
    /// [`ConfigError`] naming `listen.address`.
    pub fn validate(&self, listen: &ListenSettings, tls: &TlsSettings) -> Result<(), ConfigError> {
        if self.open_anywhere || tls.client_required || is_loopback(&listen.address) {
            return Ok(());
        }
        let reason = "is not loopback: callers must show certificates (tls.client_required = true), or set \
                      access.open_anywhere = true where the network lets only Layer's own services through";
        Err(ConfigError::invalid("listen.address", reason))
    }
}

/// Refuses the first of `settings` that is zero, by its name.
///
/// # Errors
/// [`ConfigError`] naming it.
pub fn one_or_more(settings: &[(&str, u64)]) -> Result<(), ConfigError> {
    match settings.iter().find(|(_, value)| *value == 0) {
        Some((name, _)) => Err(ConfigError::invalid(*name, "must be 1 or more")),
        None => Ok(()),
    }
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self::on_port(8080)
    }
}

/// The admin port: health, readiness, metrics. Never reachable from outside.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// Address and port of `/health`, `/ready` and `/metrics`.
    pub address: String,
}

impl AdminSettings {
    /// Loopback at `port`.
    pub fn on_port(port: u16) -> Self {
        Self { address: format!("127.0.0.1:{port}") }
    }
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self::on_port(9080)
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logs, on standard error.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// `text` or `json`.
    pub format: LogFormat,
    /// A level (`info`) or filter (`info,query_router=debug`) as tracing-subscriber's EnvFilter reads it.
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// Traces by OTLP.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// Collector's OTLP/gRPC endpoint, for example `http://otel-collector:4317`. Unset: no spans are made, and a caller's
    /// `traceparent` passes through as it came.
    pub otlp_endpoint: Option<String>,
    /// Share of traces begun here that are sampled, 0 to 1. A caller's own decision goes before it.
    pub sample_ratio: f64,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { otlp_endpoint: None, sample_ratio: 1.0 }
    }
}

impl TelemetrySettings {
    /// Checks the ratio.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if (0.0..=1.0).contains(&self.sample_ratio) {
            return Ok(());
        }
        Err(ConfigError::invalid("telemetry.sample_ratio", "must be between 0 and 1"))
    }
}

/// Bounds on what callers may ask of the service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Requests in flight at the most; further ones are answered at once with 429 (gRPC RESOURCE_EXHAUSTED) and
    /// `Retry-After`.
    pub requests_max: usize,
    /// Largest request body in bytes, after decompression; larger ones are answered with 413.
    pub body_bytes: u64,
    /// How long a request's head may take from its first byte to its last, in milliseconds.
    pub head_timeout_ms: u64,
    /// How long a request's body may stand still, in milliseconds; then 408.
    pub body_stall_timeout_ms: u64,
    /// How long a request may wait for the first byte of its answer once its body was sent, in milliseconds, where the
    /// caller names no shorter deadline; then 504.
    pub request_timeout_ms: u64,
    /// How long a connection may be idle between requests, in milliseconds.
    pub idle_timeout_ms: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            // Twice the origin's pool (512): what waits beyond would only queue.
            requests_max: 1024,
            // Turbopuffer's own limit on a write.
            body_bytes: 512 * 1024 * 1024,
            // A head is one packet; ten seconds is a bad mobile link, more is a slow-loris.
            head_timeout_ms: 10_000,
            body_stall_timeout_ms: 30_000,
            // Turbopuffer's SDKs give up after 60 s and their longest write takes as long.
            request_timeout_ms: 75_000,
            // Above the SDKs' own keepalive of 60 s, so that they close first and never meet a closed connection.
            idle_timeout_ms: 90_000,
        }
    }
}

impl LimitSettings {
    /// Refuses limits of zero, which would refuse everything.
    pub fn validate(&self) -> Result<(), ConfigError> {
        one_or_more(&[
            ("limits.requests_max", self.requests_max as u64),
            ("limits.body_bytes", self.body_bytes),
            ("limits.head_timeout_ms", self.head_timeout_ms),
            ("limits.body_stall_timeout_ms", self.body_stall_timeout_ms),
            ("limits.request_timeout_ms", self.request_timeout_ms),
            ("limits.idle_timeout_ms", self.idle_timeout_ms),
        ])
    }
}

/// Stopping.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DrainSettings {
    /// How long `/ready` says 503 before the port is closed, in milliseconds: the time a load balancer needs to notice.
    pub notice_ms: u64,
    /// How long idle connections are kept for a last request that is on its way, in milliseconds.
    pub linger_ms: u64,
    /// How long requests in flight may take to finish, in milliseconds; then they are cut.
    pub timeout_ms: u64,
}

impl Default for DrainSettings {
    fn default() -> Self {
        // Kubernetes kills after 30 s by default; the chart raises that above notice, linger and timeout together.
        Self { notice_ms: 0, linger_ms: 500, timeout_ms: 120_000 }
    }
}

/// TLS by file paths; with no certificate the service speaks plain text.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// PEM file of the service's certificate chain.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its private key.
    pub key_file: Option<PathBuf>,
    /// PEM file of the authorities whose client certificates are accepted (mTLS).
    pub client_ca_file: Option<PathBuf>,
    /// Refuse clients without a certificate of `tls.client_ca_file`; otherwise they may come without one.
    pub client_required: bool,
    /// DNS names of client certificates that belong to Layer's own services, which may write reserved attributes.
    pub internal_names: Vec<String>,
}

impl TlsSettings {
    /// Whether the service speaks TLS.
    pub fn enabled(&self) -> bool {
        self.certificate_file.is_some()
    }

    /// Checks that the files come in the pairs that make sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let invalid = |name: &str, reason: &str| Err(ConfigError::invalid(name, reason));
        match (&self.certificate_file, &self.key_file, &self.client_ca_file) {
            (Some(_), None, _) => invalid("tls.key_file", "is needed with tls.certificate_file"),
            (None, Some(_), _) => invalid("tls.certificate_file", "is needed with tls.key_file"),
            (None, None, Some(_)) => invalid("tls.client_ca_file", "needs tls.certificate_file and tls.key_file"),
            (_, _, None) if self.client_required => invalid("tls.client_required", "needs tls.client_ca_file"),
            (_, _, None) if !self.internal_names.is_empty() => {
                invalid("tls.internal_names", "needs tls.client_ca_file")
            }
            _ => self.validate_names(),
        }
    }

    fn validate_names(&self) -> Result<(), ConfigError> {
        let wrong = |name: &&String| DnsName::try_from(name.as_str()).is_err();
        match self.internal_names.iter().find(wrong) {
            None => Ok(()),
            Some(name) => {
                let reason = format!("`{name}` is no DNS name that a certificate can carry");
                Err(ConfigError::invalid("tls.internal_names", reason))
            }
        }
    }
}
