//! Starting and stopping doc-cache.

use std::{sync::Arc, time::Duration};

use layer_service::{
    admin,
    config::{ConfigError, LogSettings, TelemetrySettings},
    health::Health,
    lifecycle::{Lifecycle, Stage},
    metrics::Metrics,
    program::Program,
    server::{self, BindError, Options},
    shed::InFlight,
    tls,
};
use tonic::service::Routes;

use crate::{
    backend::{Backend, aerospike::Aerospike, embedded::Embedded},
    clock::{BootClock, Clock},
    front::MakeFront,
    observe::Observe,
    proof::{Proof, keep_proving},
    service::Service,
    settings::{BackendKind, DocCacheSettings},
};

/// Names that grpc.health.v1 knows beside the empty one.
const SERVICES: &[&str] = &["layer.cache.v1.DocCacheService"];

/// The document cache.
pub struct DocCache;

/// What keeps doc-cache from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Reflection cannot describe the contract.
    #[error("gRPC reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

impl Program for DocCache {
    type Settings = DocCacheSettings;
    type Error = StartError;
    const NAME: &'static str = "doc-cache";
    const ABOUT: &'static str = "Layer's document cache: coherent, disposable, on memory or Aerospike";

    fn observed(settings: &DocCacheSettings) -> (&LogSettings, &TelemetrySettings) {
        (&settings.log, &settings.telemetry)
    }

    fn wrong_setting(error: &StartError) -> Option<&ConfigError> {
        match error {
            StartError::Config(wrong) => Some(wrong),
            _ => None,
        }
    }

    async fn run(settings: DocCacheSettings, lifecycle: Lifecycle, traces: bool) -> Result<(), StartError> {
        let acceptor = tls::acceptor(&settings.tls)?;
        let listener = server::bind(&settings.listen.address, "listen.address", settings.listen.reuse_port)?;
        let admin = server::bind(&settings.admin.address, "admin.address", settings.listen.reuse_port)?;
        let metrics = Metrics::default();
        let clock: Arc<dyn Clock> = Arc::new(BootClock);
        let (backend, embedded) = open(&settings, &metrics, &clock).await?;
        let health = Health::new(Self::NAME, lifecycle.clone());
        tracing::info!(
            address = %settings.listen.address,
            admin = %settings.admin.address,
            backend = backend.name(),
            "doc-cache listens"
        );
        settings.proof.warn();
        tokio::spawn(admin::serve(admin, health.clone(), metrics.clone(), lifecycle.clone()));
        let service = Service {
            proof: Arc::new(Proof::new(clock, Duration::from_millis(settings.proof.settle_ms))),
            observe: Observe::new(&metrics),
            values: Arc::new(settings.values.clone()),
            backend,
        };
        let make = front(&settings, &service, &health, traces).await?;
        let drain = settings.drain.clone();
        let options = Options { listen: settings.listen, limits: settings.limits, tls: settings.tls, acceptor };
        let served = tokio::spawn(server::serve(listener, make, options, lifecycle.clone()));
        let Service { proof, backend, observe, .. } = service;
        tokio::spawn(keep_proving(proof, backend, observe, lifecycle.clone()));
        lifecycle.reached(Stage::Noticing).await;
        let idle = async {
            // It only fails when it panicked, and then nothing is in flight either.
            let _ = served.await;
        };
        lifecycle.stop(&drain, idle).await;
        if let Some(embedded) = embedded {
            embedded.close().await;
        }
        tracing::info!("doc-cache stopped");
        Ok(())
    }
}

/// The backend; as itself too, where it has to be closed.
async fn open(
    settings: &DocCacheSettings,
    metrics: &Metrics,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<dyn Backend>, Option<Arc<Embedded>>), ConfigError> {
    match settings.backend {
        BackendKind::Aerospike => {
            let aerospike = Aerospike::start(&settings.aerospike, metrics)?.one_of(settings.replicas);
            Ok((Arc::new(aerospike), None))
        }
        BackendKind::Embedded => {
            let opened = Embedded::open(settings.embedded.options(), Arc::clone(clock), metrics).await;
            let embedded = opened.map_err(|error| ConfigError::invalid("embedded.directory", error.to_string()))?;
            let embedded = Arc::new(embedded);
            Ok((Arc::clone(&embedded) as Arc<dyn Backend>, Some(embedded)))
        }
    }
}

async fn front(
    settings: &DocCacheSettings,
    service: &Service,
    health: &Health,
    traces: bool,
) -> Result<MakeFront, StartError> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(layer_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    Ok(MakeFront {
        service: service.clone(),
        common: Routes::new(health.grpc(SERVICES).await).add_service(reflection),
        flights: InFlight::new(settings.limits.requests_max),
        longest: Duration::from_millis(settings.limits.request_timeout_ms),
        message_bytes: usize::try_from(settings.limits.body_bytes).unwrap_or(usize::MAX),
        traces,
    })
}
