//! Starting and stopping the router.

use std::{sync::Arc, thread, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use layer_cache::CacheService;
use layer_object_store::ObjectStore;
use layer_origin::Client;
use layer_service::{
    config::ConfigError,
    lifecycle::{Lifecycle, Stage},
    ports::Ports,
    program::{Program, Sections, StartError},
    shed::InFlight,
};

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
    pipelines,
    scale::{self, Scale},
    settings::RouterSettings,
    triggers::{self, Triggers},
    warm,
};

/// How long the origin has to say who it is before the router starts without knowing.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long undelivered releases may take at the end.
const CACHE_STOP: Duration = Duration::from_secs(2);

/// Names that grpc.health.v1 knows beside the empty one.
const SERVICES: &[&str] =
    &["layer.router.v1.QueryRouterService", scale::SERVICE, pipelines::SERVICES[0], pipelines::SERVICES[1]];
/// How many of them there are without pipelines.
const WITHOUT_PIPELINES: usize = 2;

/// The query-router.
pub struct QueryRouter;

impl Program for QueryRouter {
    type Settings = RouterSettings;
    const NAME: &'static str = "query-router";
    const ABOUT: &'static str = "Layer's front door: Turbopuffer's wire over HTTP, the same calls over gRPC";

    fn sections(settings: &RouterSettings) -> Sections<'_> {
        let RouterSettings { log, telemetry, listen, admin, limits, tls, drain, .. } = settings;
        Sections { log, telemetry, listen, admin, limits, tls, drain }
    }

    async fn run(settings: RouterSettings, lifecycle: Lifecycle, traces: bool) -> Result<(), StartError> {
        let auth = Auth::new(&settings)?;
        let origin = Arc::new(settings.origin.client(workers(&settings))?);
        let ports = Ports::open::<Self>(&settings, &lifecycle)?;
        let metrics = ports.metrics.clone();
        tracing::info!(
            address = %settings.listen.address,
            admin = %settings.admin.address,
            origin = %origin.target.address(),
            auth = ?settings.auth.mode,
            "query-router listens"
        );
        let scale = Scale::new(&metrics);
        let services = if settings.pipelines.addresses.is_empty() { &SERVICES[..WITHOUT_PIPELINES] } else { SERVICES };
        let common = ports.grpc(services, layer_proto::FILE_DESCRIPTOR_SET).await?;
        let common = common.add_service(scale::service(scale.demand(), lifecycle.clone()));
        let store = ObjectStore::open(&settings.object_store, &metrics).await?;
        let cache = Arc::new(CacheService::start(&settings.cache, &metrics)?);
        let (warm, inbox) = warm::Common::new(&settings.warm, &metrics);
        let (triggers, notes) = Triggers::new(&metrics);
        let shared = Arc::new(Shared {
            flights: InFlight::new(settings.limits.requests_max),
            messages: InFlight::new(settings.limits.requests_max),
            observe: Observe::new(&metrics),
            coherence: Coherence::new(&settings.cache, &metrics, settings.limits.requests_max)?,
            scale,
            warm: Arc::new(warm),
            accepted: Accepted::new(settings.auth.mode),
            pipelines: pipelines::Common::new(&settings.pipelines, &metrics)?,
            triggers,
            blobs: blobs::Common::new(&settings.blobs, store, &metrics),
            fetch: fetch::Common::new(&settings.fetch, settings.auth.mode, &metrics),
            read_ahead: Budget::new(settings.write.read_ahead_total_bytes),
            settings,
            auth,
            metrics,
            health: ports.health.clone(),
            lifecycle: lifecycle.clone(),
            traces,
        });
        let core = Core::new(Arc::clone(&shared), Arc::clone(&origin), cache.handle());
        let warming = tokio::spawn(warm::run(core, inbox, lifecycle.clone()));
        let telling = tokio::spawn(triggers::run(Arc::clone(&shared), notes, lifecycle.clone()));
        let make = MakeFront { shared, origin: Arc::clone(&origin), cache: Arc::clone(&cache), common };
        let serving = ports.serve(make);
        refuse_itself(&origin).await?;
        lifecycle.advance(Stage::Serving);
        serving.drained().await;
        // It ends by itself when the stop begins, and soon.
        let _ = (warming.await, telling.await);
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
