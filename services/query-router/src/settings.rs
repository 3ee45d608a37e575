//! The router's settings.

use std::path::PathBuf;

use layer_cache::CacheSettings;
use layer_object_store::ObjectStoreSettings;
use layer_origin::{Protocol, Target};
use layer_service::config::{
    AdminSettings, ConfigError, DrainSettings, LimitSettings, ListenSettings, LogSettings, Secret, Settings,
    TelemetrySettings, TlsSettings, is_loopback, one_or_more, printable_url,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{blobs::BlobSettings, fetch::FetchSettings, pipelines::PipelineSettings, warm::WarmSettings};

/// Every setting of the query-router.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouterSettings {
    /// The data port: HTTP/1.1, HTTP/2 and gRPC together.
    pub listen: ListenSettings,
    /// The admin port.
    pub admin: AdminSettings,
    /// Where Turbopuffer is.
    pub origin: OriginSettings,
    /// Who may call.
    pub auth: AuthSettings,
    /// What Layer does to writes.
    pub write: WriteSettings,
    /// The document cache.
    pub cache: CacheSettings,
    /// Fetches of documents by id.
    pub fetch: FetchSettings,
    /// Warming the document cache.
    pub warm: WarmSettings,
    /// Blobs.
    pub blobs: BlobSettings,
    /// Where blobs and warm jobs are kept.
    pub object_store: ObjectStoreSettings,
    /// Pipelines and functions.
    pub pipelines: PipelineSettings,
    /// Bounds.
    pub limits: LimitSettings,
    /// Stopping.
    pub drain: DrainSettings,
    /// TLS on the data port.
    pub tls: TlsSettings,
    /// Logs.
    pub log: LogSettings,
    /// Traces.
    pub telemetry: TelemetrySettings,
}

/// Which HTTP the origin is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OriginProtocol {
    /// HTTP/1.1.
    Http1,
    /// What the TLS handshake agrees on; HTTP/1.1 over plain text.
    Auto,
    /// HTTP/2, over plain text too.
    Http2,
}

/// The origin.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OriginSettings {
    /// Base URL of Turbopuffer, for example `https://aws-us-east-1.turbopuffer.com`. Either this or `origin.region`.
    pub url: Option<String>,
    /// Turbopuffer region, for example `aws-us-east-1`: short for its URL.
    pub region: Option<String>,
    /// Turbopuffer API key. In mode `store-key` callers must show it; in mode `open` it is sent for them.
    pub api_key: Option<Secret>,
    /// File that holds the key, instead of `origin.api_key`.
    pub api_key_file: Option<PathBuf>,
    /// `http1`, `http2`, or `auto`: what the TLS handshake agrees on.
    pub protocol: OriginProtocol,
    /// PEM file of authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// HTTP/1.1 connections at the most, shared out among the workers.
    pub connections_max: usize,
    /// Time for name look-up, connect and TLS handshake, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Time to wait for a connection when all are in use, in milliseconds; then 503 with `Retry-After`.
    pub queue_timeout_ms: u64,
    /// Idle connections are closed after this time, in milliseconds.
    pub idle_timeout_ms: u64,
    /// How long an answer's body may stand still, in milliseconds; then the caller's connection is cut.
    pub body_stall_timeout_ms: u64,
}

impl Default for OriginSettings {
    fn default() -> Self {
        Self {
            url: None,
            region: None,
            api_key: None,
            api_key_file: None,
            protocol: OriginProtocol::Auto,
            ca_file: None,
            // The pool of one Turbopuffer SDK client; more only queues at the origin (16 concurrent queries a namespace).
            connections_max: 512,
            // Outside the mesh a round trip and a TLS handshake take up to a second.
            connect_timeout_ms: 1000,
            queue_timeout_ms: 1000,
            // Below the 60 s that load balancers in front of origins commonly keep.
            idle_timeout_ms: 50_000,
            body_stall_timeout_ms: 60_000,
        }
    }
}

/// How callers are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthMode {
    /// The bearer must be the origin's key.
    StoreKey,
    /// The caller's bearer goes to the origin, which decides.
    PassThrough,
    /// No bearer is asked for.
    Open,
}

/// Who may call.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// `store-key`: the bearer must be the origin's key. `pass-through`: the origin decides on the caller's bearer. `open`:
    /// anyone may call, on loopback only.
    pub mode: AuthMode,
    /// Allow mode `open` on an address that others can reach.
    pub open_anywhere: bool,
    /// In mode `pass-through`: every key that callers bring is of the one organisation that `cache.tenant` stands for. Only
    /// then are documents served from the cache in that mode: namespaces of two organisations may have the same name. And
    /// only then are there pipelines and functions, for every key that the origin accepts: their rows are written with the
    /// key of pipeline-worker.
    pub single_organisation: bool,
    /// Credential of Layer's own services, sent as `x-layer-internal-key`; it lets them write reserved attributes.
    pub internal_key: Option<Secret>,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self { mode: AuthMode::StoreKey, open_anywhere: false, single_organisation: false, internal_key: None }
    }
}

/// What Layer does to writes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WriteSettings {
    /// How much of a write is read and checked before the first byte goes to the origin, in bytes. A larger one is checked
    /// while it streams; when something is wrong further on, it is broken off, and the origin applies nothing of it.
    pub read_ahead_bytes: u64,
    /// How much of all writes in flight together is read ahead, in bytes; beyond it they are checked while they stream.
    pub read_ahead_total_bytes: u64,
    /// How many documents a write may name to be held one by one in the document cache; one that names more holds the
    /// namespace, which other writes do not wait for, and clears them when it was applied.
    pub hold_keys_max: usize,
    /// How many documents a write may touch to be cleared one by one; beyond, the whole namespace is purged. They should be
    /// cleared within `cache.hold_deadline_ms`: if they are not, the namespace is purged after that time was lost.
    pub clear_keys_max: usize,
}

impl Default for WriteSettings {
    fn default() -> Self {
        // Holds most batches whole; together no more than what a small machine has to spare.
        Self {
            read_ahead_bytes: 8 * 1024 * 1024,
            read_ahead_total_bytes: 512 * 1024 * 1024,
            // A hold and a release of so many take about a millisecond; more are a bulk.
            hold_keys_max: 256,
            // What Aerospike clears within the second that a write waits (`cache.hold_deadline_ms`), with a quarter to spare:
            // 10,000 took 0.17 to 0.38 s where doc-cache and a stand-in of the server shared two busy cores. The embedded
            // backend cleared 10,000 in 0.02 s.
            clear_keys_max: 20_000,
        }
    }
}

impl Settings for RouterSettings {
    fn validate(&self) -> Result<(), ConfigError> {
        self.listen.validate()?;
        self.limits.validate()?;
        self.blobs.validate(self.limits.body_bytes)?;
        self.object_store.validate()?;
        self.tls.validate()?;
        self.telemetry.validate()?;
        self.origin.validate()?;
        self.cache.validate()?;
        self.fetch.validate()?;
        self.warm.validate()?;
        self.pipelines.validate()?;
        one_or_more(&[("write.read_ahead_bytes", self.write.read_ahead_bytes)])?;
        self.validate_auth()
    }
}

impl RouterSettings {
    fn validate_auth(&self) -> Result<(), ConfigError> {
        self.auth.internal_key.as_ref().map_or(Ok(()), |key| key.validate("auth.internal_key"))?;
        let has_key = self.origin.api_key.is_some() || self.origin.api_key_file.is_some();
        match self.auth.mode {
            AuthMode::StoreKey if !has_key => Err(ConfigError::invalid(
                "origin.api_key",
                "is needed with auth.mode `store-key`: set LAYER_ORIGIN_API_KEY or origin.api_key_file, or choose another auth.mode",
            )),
            AuthMode::Open if !self.auth.open_anywhere && !is_loopback(&self.listen.address) => {
                Err(ConfigError::invalid(
                    "auth.mode",
                    "`open` needs a loopback listen.address, or auth.open_anywhere = true",
                ))
            }
            _ => Ok(()),
        }
    }
}

impl OriginSettings {
    fn validate(&self) -> Result<(), ConfigError> {
        if self.api_key.is_some() && self.api_key_file.is_some() {
            return Err(ConfigError::invalid("origin.api_key_file", "excludes origin.api_key"));
        }
        self.api_key.as_ref().map_or(Ok(()), |key| key.validate("origin.api_key"))?;
        // No time to wait for a connection is a choice; no time to make one, or to read an answer, is a mistake.
        one_or_more(&[
            ("origin.connections_max", self.connections_max as u64),
            ("origin.connect_timeout_ms", self.connect_timeout_ms),
            ("origin.idle_timeout_ms", self.idle_timeout_ms),
            ("origin.body_stall_timeout_ms", self.body_stall_timeout_ms),
        ])?;
        self.target().map(drop)
    }

    /// The origin's address.
    ///
    /// # Errors
    /// [`ConfigError`] where neither or both of URL and region are set, or the URL is none.
    pub fn target(&self) -> Result<Target, ConfigError> {
        let url = match (&self.url, &self.region) {
            (Some(url), None) => url.clone(),
            (None, Some(region)) => format!("https://{region}.turbopuffer.com"),
            (Some(_), Some(_)) => return Err(ConfigError::invalid("origin.region", "excludes origin.url")),
            (None, None) => {
                let reason = "is needed: set LAYER_ORIGIN_URL, or LAYER_ORIGIN_REGION for a Turbopuffer region";
                return Err(ConfigError::invalid("origin.url", reason));
            }
        };
        Target::parse(&url)
            .map_err(|error| ConfigError::invalid("origin.url", format!("`{}` {error}", printable_url(&url))))
    }

    /// The key, from the setting or its file.
    ///
    /// # Errors
    /// [`ConfigError`] where the file cannot be read or holds no key.
    pub fn key(&self) -> Result<Option<Secret>, ConfigError> {
        let Some(file) = &self.api_key_file else { return Ok(self.api_key.clone()) };
        let invalid =
            |reason: String| ConfigError::invalid("origin.api_key_file", format!("{}: {reason}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| invalid(error.to_string()))?;
        let key = Secret::new(text.trim());
        key.validate("origin.api_key_file")?;
        Ok(Some(key))
    }

    /// How each of `workers` clients reaches the origin.
    ///
    /// # Errors
    /// [`ConfigError`] where the address or the authorities cannot be used.
    pub fn client(&self, workers: usize) -> Result<layer_origin::Options, ConfigError> {
        let target = self.target()?;
        let (protocol, alpn): (_, &[&[u8]]) = match self.protocol {
            OriginProtocol::Http1 => (Protocol::Http1, &[b"http/1.1"]),
            OriginProtocol::Auto => (Protocol::Negotiated, &[b"h2", b"http/1.1"]),
            OriginProtocol::Http2 => (Protocol::Http2, &[b"h2"]),
        };
        let tls = target.is_tls().then(|| layer_service::tls::client("origin.ca_file", self.ca_file.as_deref(), alpn));
        let millis = std::time::Duration::from_millis;
        Ok(layer_origin::Options {
            target,
            protocol,
            tls: tls.transpose()?,
            connections_max: self.connections_max.div_ceil(workers.max(1)),
            connect_timeout: millis(self.connect_timeout_ms),
            queue_timeout: millis(self.queue_timeout_ms),
            idle_timeout: millis(self.idle_timeout_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut RouterSettings)) -> Result<(), String> {
        let mut settings = RouterSettings::default();
        settings.origin.url = Some("http://127.0.0.1:1".to_owned());
        settings.origin.api_key = Some(Secret::new("k"));
        change(&mut settings);
        settings.validate().map_err(|error| error.to_string())
    }

    #[test]
    fn refuses_what_makes_no_sense_by_name() {
        assert_eq!(settings(|_| {}), Ok(()));
        let refused = |change: fn(&mut RouterSettings), name: &str| {
            let error = settings(change).expect_err(name);
            assert!(error.contains(name), "{error}");
        };
        refused(|s| s.origin.url = None, "LAYER_ORIGIN_URL");
        refused(|s| s.origin.url = Some("ftp://x".to_owned()), "origin.url");
        refused(|s| s.origin.region = Some("aws-us-east-1".to_owned()), "origin.region");
        refused(|s| s.origin.api_key = None, "LAYER_ORIGIN_API_KEY");
        refused(|s| s.origin.api_key_file = Some("x".into()), "origin.api_key_file");
        refused(|s| (s.auth.mode, s.listen.address) = (AuthMode::Open, "0.0.0.0:1".to_owned()), "auth.mode");
        refused(|s| s.write.read_ahead_bytes = 0, "write.read_ahead_bytes");
        refused(|s| s.listen.connections_max = 0, "listen.connections_max");
        refused(|s| s.origin.connections_max = 0, "origin.connections_max");
        refused(|s| s.origin.connect_timeout_ms = 0, "origin.connect_timeout_ms");
        refused(|s| s.origin.idle_timeout_ms = 0, "origin.idle_timeout_ms");
        refused(|s| s.origin.body_stall_timeout_ms = 0, "origin.body_stall_timeout_ms");
        assert_eq!(settings(|s| s.origin.queue_timeout_ms = 0), Ok(()));
        for key in ["", " ", "a\nb"] {
            let error = settings(|s| s.origin.api_key = Some(Secret::new(key))).expect_err("no key");
            assert!(error.contains("origin.api_key`"), "{error}");
            let error = settings(|s| s.auth.internal_key = Some(Secret::new(key))).expect_err("no key");
            assert!(error.contains("auth.internal_key`"), "{error}");
        }
        refused(|s| s.limits.requests_max = 0, "limits.requests_max");
    }

    #[test]
    fn a_password_in_the_origins_url_is_not_printed() {
        let error = settings(|s| s.origin.url = Some("https://me:hunter2@host".to_owned())).expect_err("refused");
        assert!(error.contains("origin.url") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_by_its_setting() {
        let file = std::env::temp_dir().join(format!("layer-key-{}", std::process::id()));
        let origin = OriginSettings { api_key_file: Some(file.clone()), ..OriginSettings::default() };
        for text in ["", " \n", "a\nb"] {
            std::fs::write(&file, text).unwrap();
            assert!(origin.key().unwrap_err().to_string().contains("origin.api_key_file"), "{text:?}");
        }
        std::fs::write(&file, "tpuf_k\n").unwrap();
        assert_eq!(origin.key().unwrap().unwrap().reveal(), "tpuf_k");
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn open_is_for_loopback_unless_forced() {
        for address in ["127.0.0.1:1", "[::1]:1", "localhost:1"] {
            assert_eq!(settings(|s| (s.auth.mode, s.listen.address) = (AuthMode::Open, address.to_owned())), Ok(()));
        }
        let forced = |s: &mut RouterSettings| {
            (s.auth.mode, s.auth.open_anywhere, s.listen.address) = (AuthMode::Open, true, "0.0.0.0:1".to_owned());
        };
        assert_eq!(settings(forced), Ok(()));
    }
}
