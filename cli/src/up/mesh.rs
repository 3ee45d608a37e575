//! The mesh in one process: the same services as elsewhere, over the same loopback connections.

use std::{collections::BTreeSet, ffi::OsString};

use ::doc_cache::DocCache;
use ::pipeline_worker::PipelineWorker;
use layer_service::{
    config::{self, Environment, Loaded, ProcessEnvironment, Sources},
    lifecycle::{Lifecycle, Stage},
    program::{Program, StartError, stop_at_signal},
    telemetry,
};
use query_router::{AuthMode, QueryRouter, RouterSettings};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{
    banner::{Parts, banner},
    doc_cache,
    part::Running,
    pipeline_worker,
    stand_in::StandIn,
    state::Claim,
};
use crate::{arguments::Up, failure::Failure, output::say};

/// How far above a part's port its admin port is.
const ADMIN_OFFSET: u16 = 1000;

/// The admin address that goes with `address`.
pub fn admin_address(address: &str) -> Result<String, Failure> {
    let invalid =
        || Failure::usage(format!("`{address}` is no ADDRESS:PORT with a port from 1 to {}", u16::MAX - ADMIN_OFFSET));
    let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
    let port: u16 = port.parse().map_err(|_| invalid())?;
    let admin = port.checked_add(ADMIN_OFFSET).filter(|_| port > 0).ok_or_else(invalid)?;
    Ok(format!("{host}:{admin}"))
}

/// Runs until told to stop.
pub async fn run(arguments: &Up) -> Result<(), Failure> {
    let (settings, own_origin) = settings(arguments, &ProcessEnvironment)?;
    let directory = arguments.data.data_dir();
    let claim = Claim::take(&directory)?;
    let telemetry = telemetry::start("layer", &settings.log, &settings.telemetry)?;
    let (router_life, origin_life) = (Lifecycle::default(), Lifecycle::default());
    tokio::spawn(stop_at_signal(router_life.clone()));
    let mut stand_in = None;
    if !own_origin {
        let (address, anywhere) = (&arguments.stand_in_address, arguments.open_anywhere);
        let opened = StandIn::open(&directory.join("origin"), address, "--stand-in-address", anywhere)?;
        stand_in = Some(tokio::spawn(opened.serve(origin_life.clone())));
        origin_life.reached(Stage::Serving).await;
    }
    let mut beside = Vec::new();
    if starts_cache(arguments, &settings) {
        let cache = doc_cache::settings(arguments, &ProcessEnvironment)?;
        beside.push(Running::start::<DocCache>("--doc-cache-address", cache, telemetry.traces()).await?);
    }
    if starts_pipelines(arguments, &settings) {
        let worker = pipeline_worker::settings(arguments, &settings, &ProcessEnvironment)?;
        let flag = "--pipeline-worker-address";
        beside.push(Running::start::<PipelineWorker>(flag, worker, telemetry.traces()).await?);
    }
    let parts = parts(arguments, &settings, !own_origin)?;
    let router = tokio::spawn(QueryRouter::run(settings, router_life.clone(), telemetry.traces()));
    let text = banner(&parts);
    let mut routed = Box::pin(announce_then_wait(&claim, &text, &router_life, router));
    let mut ended = tokio::select! {
        ended = &mut routed => ended,
        early = early(&mut stand_in) => {
            router_life.advance(Stage::Noticing);
            routed.await.and(Err(early))
        }
    };
    // The router drains first: what it has in flight still needs the other parts and its origin. The last one that was
    // started uses the others.
    while let Some(part) = beside.pop() {
        ended = ended.and(part.stop().await);
    }
    origin_life.advance(Stage::Noticing);
    if let Some(stand_in) = stand_in {
        ended = ended.and(how_it_ended(stand_in.await));
    }
    // Sending the last spans blocks.
    let _ = tokio::task::spawn_blocking(|| telemetry.flush()).await;
    ended
}

/// Whether the router's cache is the one that `layer up` starts: so it is where nobody named another, or none.
fn starts_cache(arguments: &Up, settings: &RouterSettings) -> bool {
    settings.cache.addresses == [arguments.doc_cache_address.as_str()]
}

/// Whether the router's pipelines are those that `layer up` starts.
fn starts_pipelines(arguments: &Up, settings: &RouterSettings) -> bool {
    settings.pipelines.addresses == [arguments.pipeline_worker_address.as_str()]
}

/// The stand-in's end before it is told to end; never, where there is none.
async fn early(stand_in: &mut Option<JoinHandle<Result<(), Failure>>>) -> Failure {
    let Some(task) = stand_in else { return std::future::pending().await };
    let ended = how_it_ended(task.await);
    // What has ended cannot be waited for again.
    *stand_in = None;
    ended.err().unwrap_or_else(|| Failure::new("the stand-in stopped, though nobody told it to"))
}

fn how_it_ended(ended: Result<Result<(), Failure>, tokio::task::JoinError>) -> Result<(), Failure> {
    ended.unwrap_or_else(|error| Err(Failure::new(format!("the stand-in failed: {error}"))))
}

async fn announce_then_wait(
    claim: &Claim,
    text: &str,
    lifecycle: &Lifecycle,
    mut router: JoinHandle<Result<(), StartError>>,
) -> Result<(), Failure> {
    let ended = tokio::select! {
        ended = &mut router => ended,
        () = lifecycle.reached(Stage::Serving) => {
            // It may have been told to stop while it started.
            if lifecycle.is_ready() {
                say(text);
                claim.announce(text).map_err(|error| Failure::new(format!("the data directory: {error}")))?;
            }
            router.await
        }
    };
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(StartError::Bind(error))) => Err(Failure::new(format!("{error}; choose another with --router-address"))),
        Ok(Err(StartError::Config(error))) => Err(error.into()),
        Ok(Err(error)) => Err(Failure::new(error.to_string())),
        Err(error) => Err(Failure::new(format!("the router failed: {error}"))),
    }
}

/// The router's settings, and whether they name an origin of the caller's own: what `layer up` presets, under the
/// caller's file and environment, under its flags.
fn settings(arguments: &Up, environment: &dyn Environment) -> Result<(RouterSettings, bool), Failure> {
    let flags = [
        ("--listen-address", arguments.router_address.clone()),
        ("--origin-url", arguments.origin.clone()),
        ("--config", arguments.config.as_ref().map(|file| file.display().to_string())),
    ];
    let flags = flags.into_iter().filter_map(|(name, value)| Some([OsString::from(name), OsString::from(value?)]));
    let mut sources = Sources {
        program: "layer up",
        about: "",
        environment,
        arguments: std::iter::once(OsString::from("layer")).chain(flags.flatten()).collect(),
        presets: vec![
            ("log.filter", json!("warn")),
            ("cache.addresses", json!([arguments.doc_cache_address])),
            ("pipelines.addresses", json!([arguments.pipeline_worker_address])),
            // Nobody needs to know it but the parts that this process starts.
            ("auth.internal_key", json!(format!("{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..)))),
        ],
    };
    let given = config::given::<RouterSettings>(&sources)?;
    let own_origin = given.contains("origin.url") || given.contains("origin.region");
    if !given.iter().any(|name| name.starts_with("object_store.")) {
        let objects = arguments.data.data_dir().join("objects");
        sources.presets.push(("object_store.backend", json!("directory")));
        sources.presets.push(("object_store.directory", json!(objects)));
    }
    if let Some(address) = &arguments.router_address {
        sources.presets.push(("admin.address", json!(admin_address(address)?)));
    }
    if !own_origin {
        sources.presets.extend(in_front_of_the_stand_in(arguments, &given));
    }
    let Loaded { settings, .. } = config::load::<RouterSettings>(sources)?;
    Ok((settings, own_origin))
}

/// What is preset where nobody named an origin: never in front of one that was named, whose key would be lent to anyone.
fn in_front_of_the_stand_in(arguments: &Up, given: &BTreeSet<String>) -> Vec<(&'static str, Value)> {
    let mut presets = vec![("origin.url", json!(format!("http://{}", arguments.stand_in_address)))];
    if !given.contains("auth.mode") {
        presets.push(("auth.mode", json!("open")));
        presets.push(("auth.open_anywhere", json!(arguments.open_anywhere)));
    }
    if !["auth.mode", "origin.api_key", "origin.api_key_file"].iter().any(|name| given.contains(*name)) {
        // The stand-in takes any key, but wants one: callers of an open router need not bring it.
        presets.push(("origin.api_key", json!("any")));
    }
    presets
}

fn parts(arguments: &Up, settings: &RouterSettings, embedded: bool) -> Result<Parts, Failure> {
    let url = |address: &str| format!("http://{address}");
    let stand_in = &arguments.stand_in_address;
    let stand_in = embedded.then(|| admin_address(stand_in).map(|admin| (url(stand_in), url(&admin)))).transpose()?;
    let scheme = if settings.tls.enabled() { "https" } else { "http" };
    Ok(Parts {
        router: format!("{scheme}://{}", settings.listen.address),
        router_admin: url(&settings.admin.address),
        stand_in,
        doc_cache: starts_cache(arguments, settings)
            .then(|| {
                admin_address(&arguments.doc_cache_address)
                    .map(|admin| (url(&arguments.doc_cache_address), url(&admin)))
            })
            .transpose()?,
        pipeline_worker: starts_pipelines(arguments, settings)
            .then(|| {
                let address = &arguments.pipeline_worker_address;
                admin_address(address).map(|admin| (url(address), url(&admin)))
            })
            .transpose()?,
        origin: settings.origin.target()?.address(),
        // The stand-in takes any key, where the router does not want a certain one.
        key: if embedded && settings.auth.mode != AuthMode::StoreKey { "demo" } else { "$LAYER_ORIGIN_API_KEY" },
        data_dir: arguments.data.data_dir().display().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Verb};

    fn of(flags: &[&str], environment: &[(&str, &str)]) -> Result<(RouterSettings, bool), Failure> {
        let line = ["layer", "up"].iter().chain(flags);
        let Verb::Up(up) = Arguments::try_parse_from(line).unwrap().verb else { panic!("not `up`") };
        let named = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        settings(&up, &environment.iter().map(named).collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn without_an_origin_the_router_is_open_in_front_of_the_stand_in() {
        let (settings, own) = of(&["--stand-in-address", "127.0.0.1:9"], &[]).unwrap();
        assert!(!own && settings.auth.mode == AuthMode::Open);
        assert_eq!(settings.origin.url.as_deref(), Some("http://127.0.0.1:9"));
        assert!(of(&[], &[("LAYER_LISTEN_ADDRESS", "0.0.0.0:1")]).is_err());
        assert!(of(&["--open-anywhere"], &[("LAYER_LISTEN_ADDRESS", "0.0.0.0:1")]).is_ok());
        // A mode that wants a certain key wants the caller's own, not one that everybody knows.
        assert!(of(&[], &[("LAYER_AUTH_MODE", "store-key")]).is_err());
    }

    #[test]
    fn an_origin_is_never_served_open_unasked_wherever_it_was_named() {
        let file = std::env::temp_dir().join(format!("layer-up-{}.toml", std::process::id()));
        std::fs::write(&file, "[origin]\nurl = \"http://o:1\"\napi_key = \"k\"\n").unwrap();
        let name = file.to_str().unwrap();
        let key = ("LAYER_ORIGIN_API_KEY", "k");
        for named in [
            of(&["--config", name, "--open-anywhere"], &[]),
            of(&[], &[("LAYER_CONFIG_FILE", name)]),
            of(&[], &[("LAYER_ORIGIN_URL", "http://o:1"), key]),
            of(&[], &[("LAYER_ORIGIN_REGION", "aws-us-east-1"), key]),
            of(&["--origin", "http://o:1"], &[key]),
        ] {
            let (settings, own) = named.unwrap();
            assert!(own && settings.auth.mode == AuthMode::StoreKey && !settings.auth.open_anywhere);
            assert_eq!(settings.origin.api_key.unwrap().reveal(), "k");
        }
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn addresses_come_from_the_flag_or_else_from_the_settings() {
        let listen = ("LAYER_LISTEN_ADDRESS", "127.0.0.1:5");
        let at = |flags: &[&str], environment: &[(&str, &str)]| {
            let (settings, _) = of(flags, environment).unwrap();
            (settings.listen.address, settings.admin.address)
        };
        let pair = |listen: &str, admin: &str| (listen.to_owned(), admin.to_owned());
        assert_eq!(at(&[], &[]), pair("127.0.0.1:8080", "127.0.0.1:9080"));
        assert_eq!(at(&[], &[listen]), pair("127.0.0.1:5", "127.0.0.1:9080"));
        assert_eq!(at(&["--router-address", "127.0.0.1:7"], &[listen]), pair("127.0.0.1:7", "127.0.0.1:1007"));
        let admin = ("LAYER_ADMIN_ADDRESS", "127.0.0.1:6");
        assert_eq!(at(&["--router-address", "127.0.0.1:7"], &[admin]), pair("127.0.0.1:7", "127.0.0.1:6"));
    }

    #[test]
    fn objects_are_kept_in_the_data_directory_unless_told_otherwise() {
        let (settings, _) = of(&["--data-dir", "/d"], &[]).unwrap();
        assert_eq!(settings.object_store.directory, Some("/d/objects".into()));
        let (settings, _) = of(&[], &[("LAYER_OBJECT_STORE_BACKEND", "none")]).unwrap();
        assert_eq!(settings.object_store.directory, None);
    }

    #[test]
    fn a_cache_is_started_unless_another_or_none_was_named() {
        let starts = |flags: &[&str], environment: &[(&str, &str)]| {
            let line = ["layer", "up"].iter().chain(flags);
            let Verb::Up(up) = Arguments::try_parse_from(line).unwrap().verb else { panic!("not `up`") };
            starts_cache(&up, &of(flags, environment).unwrap().0)
        };
        assert!(starts(&[], &[]) && starts(&["--doc-cache-address", "127.0.0.1:7"], &[]));
        assert!(!starts(&[], &[("LAYER_CACHE_ADDRESSES", "")]));
        assert!(!starts(&[], &[("LAYER_CACHE_ADDRESSES", "cache:8081")]));
    }

    #[test]
    fn admin_ports_are_a_thousand_above() {
        assert_eq!(admin_address("127.0.0.1:8080").unwrap(), "127.0.0.1:9080");
        assert_eq!(admin_address("[::1]:1").unwrap(), "[::1]:1001");
        for bad in ["8080", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65000", "127.0.0.1:x"] {
            assert!(admin_address(bad).is_err(), "{bad}");
        }
    }
}
