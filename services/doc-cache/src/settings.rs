//! The document cache's settings.

use std::{path::PathBuf, time::Duration};

use layer_service::config::{
    AccessSettings, AdminSettings, ConfigError, DrainSettings, LimitSettings, ListenSettings, LogSettings, Settings,
    TelemetrySettings, TlsSettings, one_or_more,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::{
    aerospike::AerospikeSettings,
    embedded::{EmbeddedOptions, VALUES_PER_DISK, VALUES_PER_MEMORY},
};

/// Every setting of doc-cache.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DocCacheSettings {
    /// The data port: gRPC.
    pub listen: ListenSettings,
    /// The admin port.
    pub admin: AdminSettings,
    /// Who may call.
    pub access: AccessSettings,
    /// `embedded`: in this process, for one replica. `aerospike`: in an Aerospike cluster, for any number of replicas.
    pub backend: BackendKind,
    /// How many replicas of this service run side by side. The embedded backend cannot serve more than one.
    pub replicas: u32,
    /// The embedded backend.
    pub embedded: EmbeddedSettings,
    /// The Aerospike backend.
    pub aerospike: AerospikeSettings,
    /// Values.
    pub values: ValueSettings,
    /// What must be known before anything is served.
    pub proof: ProofSettings,
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

impl Default for DocCacheSettings {
    fn default() -> Self {
        Self {
            listen: ListenSettings::on_port(8081),
            admin: AdminSettings::on_port(9081),
            access: AccessSettings::default(),
            backend: BackendKind::Embedded,
            replicas: 1,
            embedded: EmbeddedSettings::default(),
            aerospike: AerospikeSettings::default(),
            values: ValueSettings::default(),
            proof: ProofSettings::default(),
            limits: LimitSettings {
                // Ten thousand values of 1 KiB, or one of the largest.
                body_bytes: 16 * 1024 * 1024,
                // The longest that a caller waits is a hold's second, on every replica; warming waits longer.
                request_timeout_ms: 10_000,
                ..LimitSettings::default()
            },
            drain: DrainSettings { timeout_ms: 15_000, ..DrainSettings::default() },
            tls: TlsSettings::default(),
            // foyer tells at every start what it was not given.
            log: LogSettings { filter: "info,foyer=warn".to_owned(), ..LogSettings::default() },
            telemetry: TelemetrySettings::default(),
        }
    }
}

/// Where records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// In this process.
    Embedded,
    /// In an Aerospike cluster.
    Aerospike,
}

/// The embedded backend.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddedSettings {
    /// Memory for values, in bytes, with all that they cost there: about 320 bytes beside a value's own.
    pub memory_bytes: u64,
    /// Memory for keys, tokens and holds, in bytes: about 200 for a key.
    pub records_bytes: u64,
    /// Directory for values that leave memory. It starts empty. Unset: they are gone.
    pub directory: Option<PathBuf>,
    /// How much the directory may take, in bytes.
    pub disk_bytes: u64,
    /// Largest value that is stored, in bytes.
    pub value_bytes_max: u64,
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        Self {
            // A good quarter of a million documents of 1 KiB, on any machine that runs a demo.
            memory_bytes: 384 * 1024 * 1024,
            records_bytes: 128 * 1024 * 1024,
            directory: None,
            disk_bytes: 2 * 1024 * 1024 * 1024,
            // The largest document that Turbopuffer takes.
            value_bytes_max: 8 * 1024 * 1024,
        }
    }
}

/// Values.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ValueSettings {
    /// How long a value is served whose fill does not say, in milliseconds.
    pub ttl_ms: u64,
    /// How long a value is served at the most, whatever its fill says, in milliseconds.
    pub ttl_max_ms: u64,
}

impl Default for ValueSettings {
    fn default() -> Self {
        // An hour bounds what the protocol does not cover; a day is for content that never changes under its key.
        Self { ttl_ms: 3_600_000, ttl_max_ms: 86_400_000 }
    }
}

/// What must be known before anything is served.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProofSettings {
    /// How long nothing is served after holds go through again, or for the first time, in milliseconds: writers that gave
    /// the cache up must have found it again by then. At least 3000, and the time for which the name service lets an
    /// answer stand; less only where no writer was there before.
    pub settle_ms: u64,
    /// How long holds may fail to go through before all that was cached is void, in milliseconds. 200 to 500: a writer
    /// whose hold is not answered goes on without the cache after a second. More only where there are no such writers.
    pub lapse_ms: u64,
}

impl Default for ProofSettings {
    fn default() -> Self {
        // A router tries every 2.25 s at the latest; a cluster's DNS lets an answer stand for 5 s.
        Self { settle_ms: 10_000, lapse_ms: LAPSE_MS_MAX }
    }
}

/// For so long a router may acknowledge writes without telling a cache that it took for gone.
const SETTLE_MS_MIN: u64 = 3000;
/// Half of the time for which a writer waits for a hold.
const LAPSE_MS_MAX: u64 = 500;
/// A canary that comes at its time, every 100 ms, must be in time.
const LAPSE_MS_MIN: u64 = 200;

impl ProofSettings {
    fn validate(&self) -> Result<(), ConfigError> {
        if self.lapse_ms >= LAPSE_MS_MIN {
            return Ok(());
        }
        let reason = format!("must be {LAPSE_MS_MIN} or more: canaries go every 100 ms");
        Err(ConfigError::invalid("proof.lapse_ms", reason))
    }

    /// Says at the start that the promise of coherence is not kept, where it is not.
    pub(crate) fn warn(&self) {
        if self.settle_ms < SETTLE_MS_MIN {
            tracing::warn!(
                settle_ms = self.settle_ms,
                "proof.settle_ms is below {SETTLE_MS_MIN}: after every start and every pause, fetches may show what writes \
                 have replaced that were acknowledged before; for tests only"
            );
        }
        if self.lapse_ms > LAPSE_MS_MAX {
            tracing::warn!(
                lapse_ms = self.lapse_ms,
                "proof.lapse_ms is above {LAPSE_MS_MAX}: after a pause of less than that, fetches may show what writes have \
                 replaced that were acknowledged meanwhile; for tests only"
            );
        }
    }
}

impl Settings for DocCacheSettings {
    fn validate(&self) -> Result<(), ConfigError> {
        self.listen.validate()?;
        self.limits.validate()?;
        self.tls.validate()?;
        self.telemetry.validate()?;
        one_or_more(&[
            ("replicas", u64::from(self.replicas)),
            ("values.ttl_ms", self.values.ttl_ms),
            ("values.ttl_max_ms", self.values.ttl_max_ms),
        ])?;
        self.proof.validate()?;
        match self.backend {
            BackendKind::Embedded => self.validate_embedded()?,
            BackendKind::Aerospike => self.aerospike.validate()?,
        }
        self.access.validate(&self.listen, &self.tls)
    }
}

impl DocCacheSettings {
    fn validate_embedded(&self) -> Result<(), ConfigError> {
        if self.replicas > 1 {
            let reason = "must be 1 with backend `embedded`: replicas would not know of each other's holds; several need \
                          backend `aerospike`";
            return Err(ConfigError::invalid("replicas", reason));
        }
        self.embedded.validate()
    }
}

impl EmbeddedSettings {
    fn validate(&self) -> Result<(), ConfigError> {
        one_or_more(&[("embedded.value_bytes_max", self.value_bytes_max)])?;
        at_least("embedded.memory_bytes", self.memory_bytes, self.value_bytes_max.saturating_mul(VALUES_PER_MEMORY))?;
        at_least("embedded.records_bytes", self.records_bytes, RECORDS_BYTES_MIN)?;
        match &self.directory {
            None => Ok(()),
            Some(_) => {
                let least = self.value_bytes_max.saturating_add(1024 * 1024).saturating_mul(VALUES_PER_DISK);
                at_least("embedded.disk_bytes", self.disk_bytes, least)
            }
        }
    }

    /// What the backend is opened with.
    pub(crate) fn options(&self) -> EmbeddedOptions {
        EmbeddedOptions {
            memory_bytes: self.memory_bytes,
            records_bytes: self.records_bytes,
            disk: self.directory.clone().map(|directory| (directory, self.disk_bytes)),
            value_bytes_max: self.value_bytes_max,
        }
    }
}

/// Each of the records' shards must hold some of the longest keys.
const RECORDS_BYTES_MIN: u64 = 1024 * 1024;

fn at_least(name: &str, value: u64, least: u64) -> Result<(), ConfigError> {
    if value >= least {
        return Ok(());
    }
    Err(ConfigError::invalid(name, format!("must be {least} or more, to hold some values of embedded.value_bytes_max")))
}

impl ValueSettings {
    /// How long a fill of `asked_ms` is served.
    pub(crate) fn ttl(&self, asked_ms: u64) -> Duration {
        let asked = if asked_ms == 0 { self.ttl_ms } else { asked_ms };
        Duration::from_millis(asked.min(self.ttl_max_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut DocCacheSettings)) -> Result<(), String> {
        let mut settings = DocCacheSettings::default();
        change(&mut settings);
        settings.validate().map_err(|error| error.to_string())
    }

    #[test]
    fn refuses_what_makes_no_sense_by_name() {
        assert_eq!(settings(|_| {}), Ok(()));
        let refused = |change: fn(&mut DocCacheSettings), name: &str| {
            let error = settings(change).expect_err(name);
            assert!(error.contains(&format!("`{name}`")), "{error}");
        };
        refused(|s| s.replicas = 0, "replicas");
        refused(|s| s.replicas = 2, "replicas");
        refused(|s| s.listen.address = "0.0.0.0:1".to_owned(), "listen.address");
        refused(|s| s.embedded.memory_bytes = 1024, "embedded.memory_bytes");
        refused(|s| s.embedded.records_bytes = 1024, "embedded.records_bytes");
        refused(|s| s.embedded.value_bytes_max = 0, "embedded.value_bytes_max");
        refused(|s| (s.embedded.directory, s.embedded.disk_bytes) = (Some("x".into()), 1), "embedded.disk_bytes");
        refused(|s| s.values.ttl_ms = 0, "values.ttl_ms");
        refused(|s| s.proof.lapse_ms = 199, "proof.lapse_ms");
        refused(|s| s.values.ttl_max_ms = 0, "values.ttl_max_ms");
        refused(|s| s.limits.requests_max = 0, "limits.requests_max");
    }

    #[test]
    fn replicas_and_open_networks_are_for_those_who_say_so() {
        assert_eq!(settings(|s| (s.backend, s.replicas) = (BackendKind::Aerospike, 3)), Ok(()));
        let open = |s: &mut DocCacheSettings| s.listen.address = "0.0.0.0:1".to_owned();
        assert_eq!(
            settings(|s| {
                open(s);
                s.access.open_anywhere = true;
            }),
            Ok(())
        );
    }

    #[test]
    fn a_fill_is_served_as_long_as_it_says_or_as_is_usual_and_no_longer_than_the_most() {
        let values = ValueSettings { ttl_ms: 1000, ttl_max_ms: 5000 };
        let served = [0, 1, 5000, u64::MAX].map(|asked| values.ttl(asked).as_millis());
        assert_eq!(served, [1000, 1, 5000, 5000]);
    }
}
