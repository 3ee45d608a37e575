//! Starting and stopping the router.

use std::{sync::Arc, thread, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use layer_cache::CacheService;
use layer_object_store::ObjectStore;
use layer_origin::Client;
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
    accepted::Accepted,
    auth::Auth,
    blobs,
    body::Budget,
    coherence::Coherence,
    core::{Core, Shared},
    fetch,
    front::MakeFront,
    headers::SERVED_BY,
    observe::Observe,
    scale::{self, Scale},
    settings::RouterSettings,
    warm,
};

/// How long the origin has to say who it is before the router starts without knowing.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long undelivered releases may take at the end.
const CACHE_STOP: Duration = Duration::from_secs(2);

/// Names that grpc.health.v1 knows beside the empty one.
const SERVICES: &[&str] = &["layer.router.v1.QueryRouterService", scale::SERVICE];

/// The query-router.
pub struct QueryRouter;

/// What keeps the router from starting.
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

impl Program for QueryRouter {
    type Settings = RouterSettings;
    type Error = StartError;
    const NAME: &'static str = "query-router";
    const ABOUT: &'static str = "Layer's front door: Turbopuffer's wire over HTTP, the same calls over gRPC";

    fn observed(settings: &RouterSettings) -> (&LogSettings, &TelemetrySettings) {
        (&settings.log, &settings.telemetry)
    }

    fn wrong_setting(error: &StartError) -> Option<&ConfigError> {
        match error {
            StartError::Config(wrong) => Some(wrong),
            _ => None,
        }
    }

    async fn run(settings: RouterSettings, lifecycle: Lifecycle, traces: bool) -> Result<(), StartError> {
        let acceptor = tls::acceptor(&settings.tls)?;
        let auth = Auth::new(&settings)?;
        let origin = Arc::new(settings.origin.client(workers(&settings))?);
        let listener = server::bind(&settings.listen.address, "listen.address", settings.listen.reuse_port)?;
        let admin = server::bind(&settings.admin.address, "admin.address", settings.listen.reuse_port)?;
        let metrics = Metrics::default();
        let health = Health::new(Self::NAME, lifecycle.clone());
        tracing::info!(
            address = %settings.listen.address,
            admin = %settings.admin.address,
            origin = %origin.target.address(),
            auth = ?settings.auth.mode,
            "query-router listens"
        );
        tokio::spawn(admin::serve(admin, health.clone(), metrics.clone(), lifecycle.clone()));
        let scale = Scale::new(&metrics);
        let common = common(&health).await?.add_service(scale::service(scale.demand(), lifecycle.clone()));
        let options = Options {
            listen: settings.listen.clone(),
            limits: settings.limits.clone(),
            tls: settings.tls.clone(),
            acceptor,
        };
        let drain = settings.drain.clone();
        let store = ObjectStore::open(&settings.object_store, &metrics).await?;
        let cache = Arc::new(CacheService::start(&settings.cache, &metrics)?);
        let (warm, inbox) = warm::Common::new(&settings.warm, &metrics);
        let shared = Arc::new(Shared {
            flights: InFlight::new(settings.limits.requests_max),
            messages: InFlight::new(settings.limits.requests_max),
            observe: Observe::new(&metrics),
            coherence: Coherence::new(&settings.cache, &metrics, settings.limits.requests_max)?,
            scale,
            warm: Arc::new(warm),
            accepted: Accepted::new(settings.auth.mode),
            blobs: blobs::Common::new(&settings.blobs, store, &metrics),
            fetch: fetch::Common::new(&settings.fetch, settings.auth.mode, &metrics),
            read_ahead: Budget::new(settings.write.read_ahead_total_bytes),
            settings,
            auth,
            metrics,
            health,
            lifecycle: lifecycle.clone(),
            traces,
        });
        let core = Core::new(Arc::clone(&shared), Arc::clone(&origin), cache.handle());
        let warming = tokio::spawn(warm::run(core, inbox, lifecycle.clone()));
        let make = MakeFront { shared, origin: Arc::clone(&origin), cache: Arc::clone(&cache), common };
        let served = tokio::spawn(server::serve(listener, make, options, lifecycle.clone()));
        refuse_itself(&origin).await?;
        lifecycle.advance(Stage::Serving);
        lifecycle.reached(Stage::Noticing).await;
        let idle = async {
            // It only fails when it panicked, and then nothing is in flight either.
            let _ = served.await;
        };
        lifecycle.stop(&drain, idle).await;
        // It ends by itself when the stop begins, and soon.
        let _ = warming.await;
        // Where a worker still holds on to it, the process ends anyway, and what was not delivered runs out.
        if let Ok(cache) = Arc::try_unwrap(cache) {
            cache.stop(CACHE_STOP).await;
        }
        tracing::info!("query-router stopped");
        Ok(())
    }
}

fn workers(settings: &RouterSettings) -> usize {
    match settings.listen.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    }
}

/// Health and reflection.
async fn common(health: &Health) -> Result<Routes, StartError> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(layer_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    Ok(Routes::new(health.grpc(SERVICES).await).add_service(reflection))
}

/// Asks the origin for Layer's own health page: an origin that has one is a router, perhaps this one, and a request would
/// go round until every connection is in use. An origin that does not answer now is no reason not to start.
async fn refuse_itself(origin: &Arc<layer_origin::Options>) -> Result<(), StartError> {
    let one = layer_origin::Options { connections_max: 1, ..(**origin).clone() };
    let client: Client<Empty<Bytes>> = Client::new(Arc::new(one));
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = http::Uri::from_static("/health");
    match tokio::time::timeout(PROBE_TIMEOUT, client.send(request)).await {
        Ok(Ok(answer)) if answer.headers().contains_key(SERVED_BY) => {
            let reason = "is Layer itself; it must be Turbopuffer or the stand-in";
            Err(ConfigError::invalid("origin.url", reason).into())
        }
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the origin does not answer yet");
            Ok(())
        }
        Err(_) => {
            tracing::warn!("the origin does not answer yet");
            Ok(())
        }
    }
}
