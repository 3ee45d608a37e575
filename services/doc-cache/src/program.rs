//! Starting and stopping doc-cache.

use std::sync::Arc;

use layer_proto::cache::v1::doc_cache_service_server::DocCacheServiceServer;
use layer_service::{
    config::ConfigError,
    grpc::{MakeFront, Shape},
    lifecycle::Lifecycle,
    metrics::Metrics,
    ports::Ports,
    program::{Program, Sections, StartError},
};

use crate::{
    backend::{Backend, aerospike::Aerospike, embedded::Embedded},
    clock::{BootClock, Clock},
    observe::Observe,
    proof::{Proof, keep_proving},
    service::Service,
    settings::{BackendKind, DocCacheSettings},
};

/// Names that grpc.health.v1 knows beside the empty one.
const SERVICES: &[&str] = &["layer.cache.v1.DocCacheService"];

/// The document cache.
pub struct DocCache;

impl Program for DocCache {
    type Settings = DocCacheSettings;
    const NAME: &'static str = "doc-cache";
    const ABOUT: &'static str = "Layer's document cache: coherent, disposable, on memory or Aerospike";

    fn sections(settings: &DocCacheSettings) -> Sections<'_> {
        let DocCacheSettings { log, telemetry, listen, admin, limits, tls, drain, .. } = settings;
        Sections { log, telemetry, listen, admin, limits, tls, drain }
    }

    async fn run(settings: DocCacheSettings, lifecycle: Lifecycle, traces: bool) -> Result<(), StartError> {
        let ports = Ports::open::<Self>(&settings, &lifecycle)?;
        let clock: Arc<dyn Clock> = Arc::new(BootClock);
        let (backend, embedded) = open(&settings, &ports.metrics, &clock).await?;
        tracing::info!(
            address = %settings.listen.address,
            admin = %settings.admin.address,
            backend = backend.name(),
            "doc-cache listens"
        );
        settings.proof.warn();
        let service = Service {
            proof: Arc::new(Proof::new(clock, &settings.proof)),
            observe: Observe::new(&ports.metrics),
            values: Arc::new(settings.values.clone()),
            backend,
        };
        let make = front(&settings, &service, &ports, traces).await?;
        let serving = ports.serve(make);
        let Service { proof, backend, observe, .. } = service;
        tokio::spawn(keep_proving(proof, backend, observe, lifecycle));
        serving.drained().await;
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
    ports: &Ports,
    traces: bool,
) -> Result<MakeFront<DocCacheServiceServer<Service>>, StartError> {
    let message_bytes = usize::try_from(settings.limits.body_bytes).unwrap_or(usize::MAX);
    let own = DocCacheServiceServer::new(service.clone())
        .max_decoding_message_size(message_bytes)
        .max_encoding_message_size(usize::MAX);
    let shape = Shape {
        services: SERVICES,
        contract: layer_proto::FILE_DESCRIPTOR_SET,
        common: ports.grpc(SERVICES, layer_proto::FILE_DESCRIPTOR_SET).await?,
        limits: &settings.limits,
        shed: service.observe.shed.clone(),
        traces,
    };
    Ok(MakeFront::new(own, shape)?)
}
