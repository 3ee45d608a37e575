//! The mesh in one process: the same services as elsewhere, over the same loopback connections.

use std::ffi::OsString;

use layer_service::{
    config::{self, Loaded, ProcessEnvironment, Sources},
    lifecycle::{Lifecycle, Stage},
    program::{Program, stop_at_signal},
    telemetry,
};
use query_router::{QueryRouter, RouterSettings, StartError};
use serde_json::json;

use super::{
    banner::{Parts, banner},
    stand_in::StandIn,
    state::Claim,
};
use crate::{arguments::Up, failure::Failure};

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
    let own_origin = names_origin(arguments);
    let settings = settings(arguments, own_origin)?;
    let directory = arguments.data.data_dir();
    let claim = Claim::take(&directory)?;
    let telemetry = telemetry::start("layer", &settings.log, &settings.telemetry)?;
    let (router_life, origin_life) = (Lifecycle::default(), Lifecycle::default());
    tokio::spawn(stop_at_signal(router_life.clone()));
    let mut stand_in = None;
    if !own_origin {
        let opened = StandIn::open(&directory.join("origin"), &arguments.stand_in_address, "--stand-in-address")?;
        stand_in = Some(tokio::spawn(opened.serve(origin_life.clone())));
        origin_life.reached(Stage::Serving).await;
    }
    let parts = parts(arguments, &settings, !own_origin)?;
    let router = tokio::spawn(QueryRouter::run(settings, router_life.clone(), telemetry.traces()));
    let ended = announce_then_wait(&claim, &banner(&parts), &router_life, router).await;
    // The router drains first: what it has in flight still needs its origin.
    origin_life.advance(Stage::Noticing);
    if let Some(stand_in) = stand_in {
        // It fails only when it panicked, which was logged then.
        let _ = stand_in.await;
    }
    // Sending the last spans blocks.
    let _ = tokio::task::spawn_blocking(|| telemetry.flush()).await;
    ended
}

async fn announce_then_wait(
    claim: &Claim,
    text: &str,
    lifecycle: &Lifecycle,
    mut router: tokio::task::JoinHandle<Result<(), StartError>>,
) -> Result<(), Failure> {
    let ended = tokio::select! {
        ended = &mut router => ended,
        () = lifecycle.reached(Stage::Serving) => {
            print!("{text}");
            claim.announce(text).map_err(|error| Failure::new(format!("the data directory: {error}")))?;
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

/// Whether the caller named an origin of their own.
fn names_origin(arguments: &Up) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    arguments.origin.is_some() || set("LAYER_ORIGIN_URL") || set("LAYER_ORIGIN_REGION")
}

/// The router's settings: what `layer up` presets, under the caller's file and environment, under its flags.
fn settings(arguments: &Up, own_origin: bool) -> Result<RouterSettings, Failure> {
    let mut presets = vec![("log.filter", json!("warn"))];
    if !own_origin {
        presets.push(("origin.url", json!(format!("http://{}", arguments.stand_in_address))));
        presets.push(("auth.mode", json!("open")));
        // The stand-in takes any key, but wants one: callers of an open router need not bring it.
        presets.push(("origin.api_key", json!("any")));
    }
    let mut flags = vec![
        ("--listen-address", arguments.router_address.clone()),
        ("--admin-address", admin_address(&arguments.router_address)?),
    ];
    if let Some(url) = &arguments.origin {
        flags.push(("--origin-url", url.clone()));
    }
    if let Some(file) = &arguments.config {
        flags.push(("--config", file.display().to_string()));
    }
    let flags = flags.into_iter().flat_map(|(name, value)| [OsString::from(name), OsString::from(value)]);
    let sources = Sources {
        program: "layer up",
        about: "",
        environment: &ProcessEnvironment,
        arguments: std::iter::once(OsString::from("layer")).chain(flags).collect(),
        presets,
    };
    let Loaded { settings, .. } = config::load::<RouterSettings>(sources)?;
    Ok(settings)
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
        origin: settings.origin.target()?.address(),
        data_dir: arguments.data.data_dir().display().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_ports_are_a_thousand_above() {
        assert_eq!(admin_address("127.0.0.1:8080").unwrap(), "127.0.0.1:9080");
        assert_eq!(admin_address("[::1]:1").unwrap(), "[::1]:1001");
        for bad in ["8080", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65000", "127.0.0.1:x"] {
            assert!(admin_address(bad).is_err(), "{bad}");
        }
    }
}
