//! The stand-in for Turbopuffer as a part of the mesh, or alone.

use std::{path::Path, time::Duration};

use layer_service::{
    admin,
    config::{LogSettings, TelemetrySettings, is_loopback},
    health::Health,
    lifecycle::{Lifecycle, Stage},
    metrics::Metrics,
    server::bind,
    telemetry,
};
use tokio::net::TcpListener;

use super::mesh::admin_address;
use crate::failure::Failure;

/// What it calls itself.
pub const NAME: &str = "layer-stand-in";
/// How long it waits for requests in flight when it is told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// An opened stand-in, with its ports.
pub struct StandIn {
    app: axum::Router,
    listener: TcpListener,
    admin: TcpListener,
}

/// Logs of the stand-in alone.
pub fn log() -> Result<(), Failure> {
    telemetry::start(NAME, &LogSettings::default(), &TelemetrySettings::default())?;
    Ok(())
}

impl StandIn {
    /// Opens its data and its ports; `option` names the address in an error. It takes any key, so that it listens where
    /// others can reach it only when it is `open_anywhere`.
    pub fn open(data_dir: &Path, address: &str, option: &'static str, open_anywhere: bool) -> Result<Self, Failure> {
        if !open_anywhere && !is_loopback(address) {
            let reason = "is not loopback, and the stand-in takes any key; --open-anywhere allows it";
            return Err(Failure::usage(format!("{option} `{address}` {reason}")));
        }
        let advise =
            |error: layer_service::server::BindError| Failure::new(format!("{error}; choose another with {option}"));
        let listener = bind(address, option, false).map_err(advise)?;
        let admin = bind(&admin_address(address)?, option, false).map_err(advise)?;
        let options = layer_stand_in::Options { data_dir: data_dir.to_owned() };
        let app = layer_stand_in::open(options).map_err(|error| Failure::new(error.to_string()))?;
        Ok(Self { app, listener, admin })
    }

    /// Serves until told to stop, and then what is in flight, bounded; an error where it ends untold.
    pub async fn serve(self, lifecycle: Lifecycle) -> Result<(), Failure> {
        let health = Health::new(NAME, lifecycle.clone());
        tokio::spawn(admin::serve(self.admin, health, Metrics::default(), lifecycle.clone()));
        lifecycle.advance(Stage::Serving);
        let told = lifecycle.clone();
        let served = axum::serve(self.listener, self.app)
            .with_graceful_shutdown(async move { told.reached(Stage::Noticing).await });
        let late = async {
            lifecycle.reached(Stage::Noticing).await;
            tokio::time::sleep(STOP_TIMEOUT).await;
        };
        let ended = tokio::select! {
            ended = served.into_future() => ended.map_err(|error| Failure::new(format!("the stand-in stopped: {error}"))),
            () = late => {
                tracing::warn!("requests were still in flight when the stand-in stopped");
                Ok(())
            }
        };
        let told = lifecycle.is_stopping();
        lifecycle.advance(Stage::Cut);
        if told { ended } else { ended.and(Err(Failure::new("the stand-in stopped, though nobody told it to"))) }
    }
}
