//! Starting and stopping pipeline-worker.

use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use layer_cache::CacheService;
use layer_object_store::ObjectStore;
use layer_service::{
    config::ConfigError,
    grpc::{MakeFront, Shape},
    lifecycle::{Lifecycle, Stage},
    metrics::Series as _,
    ports::Ports,
    program::{Program, Sections, StartError},
};
use tonic::{body::Body, service::Routes};
use tower::ServiceExt as _;

use crate::{
    bodies::Bodies,
    functions::FunctionsService,
    pipelines::Pipelines,
    router::Router,
    scale,
    settings::PipelineWorkerSettings,
    state::{Error, State},
    upkeep::Upkeep,
};

/// The services of the contract that this program answers.
const SERVICES: &[&str] =
    &["layer.pipeline.v1.PipelineService", "layer.function.v1.FunctionService", layer_scaler::SERVICE];
/// How long copies for the document cache may take at the end.
const CACHE_STOP: Duration = Duration::from_secs(2);
/// Between two attempts to bring the schema up to date while the database is away.
const MIGRATE_AGAIN: Duration = Duration::from_secs(1);

layer_service::metrics! {
    /// Every metric of the program itself.
    pub METRICS:

    /// Calls that were refused because too many were in flight.
    SHED = Counter "layer_pipeline_shed_total";
}

/// The pipeline-worker.
pub struct PipelineWorker;

impl Program for PipelineWorker {
    type Settings = PipelineWorkerSettings;
    const NAME: &'static str = "pipeline-worker";
    const ABOUT: &'static str =
        "Layer's pipelines and functions: what is to be done, leased to workers in any language";

    fn sections(settings: &PipelineWorkerSettings) -> Sections<'_> {
        let PipelineWorkerSettings { log, telemetry, listen, admin, limits, tls, drain, .. } = settings;
        Sections { log, telemetry, listen, admin, limits, tls, drain }
    }

    async fn run(settings: PipelineWorkerSettings, lifecycle: Lifecycle, traces: bool) -> Result<(), StartError> {
        crate::points::set_up()?;
        let ports = Ports::open::<Self>(&settings, &lifecycle)?;
        let metrics = ports.metrics.clone();
        tracing::info!(
            address = %settings.listen.address,
            admin = %settings.admin.address,
            router = %settings.router.url,
            "pipeline-worker listens"
        );
        // The settings were checked: both are there.
        let missing = |name: &str| ConfigError::invalid(name, "is required");
        let state = State::open(&settings.state, &metrics)?.ok_or_else(|| missing("state.url"))?;
        let store = ObjectStore::open(&settings.object_store, &metrics).await?;
        let cache = CacheService::start(&settings.cache, &metrics)?;
        let bodies = Bodies::new(store.ok_or_else(|| missing("object_store.backend"))?, &cache, &metrics);
        let router = Router::new(&settings.router, &metrics)?;
        let pipelines = Pipelines::new(state.clone(), bodies.clone(), router.clone());
        let functions = FunctionsService::new(state.clone(), router.clone(), settings.functions.clone(), &metrics);
        let upkeep = Upkeep::new(state.clone(), bodies, router, settings.upkeep.clone(), &metrics);
        let message_bytes = usize::try_from(settings.limits.body_bytes).unwrap_or(usize::MAX);
        let own = Routes::new(pipelines.server(message_bytes))
            .add_service(functions.server(message_bytes))
            .add_service(scale::service(state.clone(), lifecycle.clone()));
        let shape = Shape {
            services: SERVICES,
            contract: layer_proto::FILE_DESCRIPTOR_SET,
            common: ports.grpc(SERVICES, layer_proto::FILE_DESCRIPTOR_SET).await?,
            limits: &settings.limits,
            shed: metrics.counter(&SHED).only(),
            traces,
        };
        let own = own.map_request(|request: Request<Incoming>| request.map(Body::new));
        let serving = ports.serve(MakeFront::new(own, shape)?);
        let migrated = tokio::spawn(begin(state.clone(), upkeep, functions, lifecycle));
        serving.drained().await;
        // It ends by itself when the stop begins.
        let _ = migrated.await;
        cache.stop(CACHE_STOP).await;
        state.close().await;
        tracing::info!("pipeline-worker stopped");
        Ok(())
    }
}

/// Brings the schema up to date, however long the database is away; then the service is ready, and work in the background
/// begins.
async fn begin(state: State, upkeep: Upkeep, functions: FunctionsService<Router>, lifecycle: Lifecycle) {
    let mut told = false;
    let migrated = async {
        loop {
            match state.migrate().await {
                Ok(()) => return true,
                Err(Error::Unavailable(reason)) => {
                    if !told {
                        tracing::warn!(%reason, "the state store is not there yet");
                    }
                    told = true;
                    tokio::time::sleep(MIGRATE_AGAIN).await;
                }
                Err(error) => {
                    // Nobody but an operator can repair it, and until then every call would fail.
                    tracing::error!(%error, "the state store cannot be used");
                    return false;
                }
            }
        }
    };
    let migrated = tokio::select! {
        migrated = migrated => migrated,
        () = lifecycle.reached(Stage::Noticing) => return,
    };
    if !migrated {
        lifecycle.advance(Stage::Noticing);
        return;
    }
    lifecycle.advance(Stage::Serving);
    tokio::join!(upkeep.run(lifecycle.clone()), functions.run(lifecycle));
}
