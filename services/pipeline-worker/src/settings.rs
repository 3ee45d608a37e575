//! The pipeline-worker's settings.

use layer_cache::CacheSettings;
use layer_object_store::{Backend, ObjectStoreSettings};
use layer_service::config::{
    AccessSettings, AdminSettings, ConfigError, DrainSettings, LimitSettings, ListenSettings, LogSettings, Settings,
    TelemetrySettings, TlsSettings, one_or_more,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{functions::FunctionsSettings, router::RouterSettings, state::StateSettings};

/// Every setting of pipeline-worker.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineWorkerSettings {
    /// The data port: gRPC.
    pub listen: ListenSettings,
    /// The admin port.
    pub admin: AdminSettings,
    /// Who may call.
    pub access: AccessSettings,
    /// The state of pipelines and functions.
    pub state: StateSettings,
    /// Where the bodies of documents are kept.
    pub object_store: ObjectStoreSettings,
    /// The document cache, in which bodies are kept besides.
    pub cache: CacheSettings,
    /// The query-router, through which rows are read and written.
    pub router: RouterSettings,
    /// Functions: how their rows are searched for and handed out.
    pub functions: FunctionsSettings,
    /// Work in the background.
    pub upkeep: UpkeepSettings,
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

impl Default for PipelineWorkerSettings {
    fn default() -> Self {
        Self {
            listen: ListenSettings::on_port(8082),
            admin: AdminSettings::on_port(9082),
            access: AccessSettings::default(),
            state: StateSettings::default(),
            object_store: ObjectStoreSettings::default(),
            cache: CacheSettings::default(),
            router: RouterSettings::default(),
            functions: FunctionsSettings::default(),
            upkeep: UpkeepSettings::default(),
            limits: LimitSettings {
                // A thousand documents of 64 KiB.
                body_bytes: 64 * 1024 * 1024,
                // The longest that a claim waits is 30 s; a write of rows may take the origin's 60 s.
                request_timeout_ms: 75_000,
                ..LimitSettings::default()
            },
            drain: DrainSettings::default(),
            tls: TlsSettings::default(),
            log: LogSettings::default(),
            telemetry: TelemetrySettings::default(),
        }
    }
}

/// Work in the background: what is over is moved on, what is owed is carried out, what nobody needs is taken away.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpkeepSettings {
    /// The time between two rounds over all queues, in milliseconds: leases that are over, retention, rows of older versions,
    /// gauges. Claims do not wait for it.
    pub interval_ms: u64,
    /// Items, or rows of a table, that one step of a round takes at the most.
    pub batch: u32,
    /// The time between two sweeps of stored bodies that nothing names any more, in milliseconds.
    pub sweep_interval_ms: u64,
}

impl Default for UpkeepSettings {
    fn default() -> Self {
        // A sweep lists every body: with a grace of a day, once an hour is often.
        Self { interval_ms: 5000, batch: 1000, sweep_interval_ms: 3_600_000 }
    }
}

impl Settings for PipelineWorkerSettings {
    fn validate(&self) -> Result<(), ConfigError> {
        self.listen.validate()?;
        self.limits.validate()?;
        self.tls.validate()?;
        self.telemetry.validate()?;
        self.state.validate()?;
        self.object_store.validate()?;
        self.cache.validate()?;
        self.router.validate()?;
        self.functions.validate()?;
        one_or_more(&[
            ("upkeep.interval_ms", self.upkeep.interval_ms),
            ("upkeep.batch", u64::from(self.upkeep.batch)),
            ("upkeep.sweep_interval_ms", self.upkeep.sweep_interval_ms),
        ])?;
        if self.state.url.is_none() {
            return Err(ConfigError::invalid("state.url", "is required: postgres://… or sqlite://FILE"));
        }
        if self.object_store.backend == Backend::None {
            return Err(ConfigError::invalid("object_store.backend", "must be `s3` or `directory`"));
        }
        self.access.validate(&self.listen, &self.tls)
    }
}

#[cfg(test)]
mod tests {
    use layer_service::config::Secret;

    use super::*;

    fn usable() -> PipelineWorkerSettings {
        let mut settings = PipelineWorkerSettings::default();
        settings.state.url = Some(Secret::new("sqlite://state.db"));
        settings.object_store.backend = Backend::Directory;
        settings.object_store.directory = Some("bodies".into());
        settings
    }

    #[test]
    fn refuses_what_makes_no_sense_by_name() {
        usable().validate().unwrap();
        let refused = |change: fn(&mut PipelineWorkerSettings), name: &str| {
            let mut settings = usable();
            change(&mut settings);
            let error = settings.validate().expect_err(name).to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        };
        refused(|s| s.state.url = None, "state.url");
        refused(|s| s.object_store = ObjectStoreSettings::default(), "object_store.backend");
        refused(|s| s.upkeep.interval_ms = 0, "upkeep.interval_ms");
        refused(|s| s.upkeep.batch = 0, "upkeep.batch");
        refused(|s| s.upkeep.sweep_interval_ms = 0, "upkeep.sweep_interval_ms");
        refused(|s| s.router.url = "nowhere".to_owned(), "router.url");
        refused(|s| s.listen.address = "0.0.0.0:8082".to_owned(), "listen.address");
    }
}
