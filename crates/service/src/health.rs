//! Is it alive, is it ready: the same answer over HTTP and over grpc.health.v1.

use http::StatusCode;
use serde_json::json;
use tonic_health::{
    ServingStatus,
    pb::health_server::{Health as HealthRpc, HealthServer},
    server::{HealthReporter, health_reporter},
};

use crate::lifecycle::{Lifecycle, Stage};

/// A service's health; clones share it.
#[derive(Debug, Clone)]
pub struct Health {
    program: &'static str,
    lifecycle: Lifecycle,
}

impl Health {
    /// The health of `program`, which follows its lifecycle.
    pub fn new(program: &'static str, lifecycle: Lifecycle) -> Self {
        Self { program, lifecycle }
    }

    /// `/health`: 200 while the process lives, whatever its dependencies do.
    pub fn live(&self) -> (StatusCode, String) {
        let body = json!({"status": "ok", "service": self.program, "version": env!("CARGO_PKG_VERSION")});
        (StatusCode::OK, body.to_string())
    }

    /// `/ready`: 200 while it takes requests, 503 before and after.
    pub fn ready(&self) -> (StatusCode, String) {
        let (status, word) = match self.lifecycle.stage() {
            Stage::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
            Stage::Serving => (StatusCode::OK, "ready"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        };
        (status, json!({"status": word, "service": self.program}).to_string())
    }

    /// The grpc.health.v1 service for the whole process (the empty name) and each of `services`: NOT_SERVING from the
    /// first answer on, until the lifecycle says otherwise. (tonic-health itself begins as SERVING.)
    pub async fn grpc(&self, services: &'static [&'static str]) -> HealthServer<impl HealthRpc> {
        let (reporter, server) = health_reporter();
        report(&reporter, services, ServingStatus::NotServing).await;
        let lifecycle = self.lifecycle.clone();
        tokio::spawn(async move {
            lifecycle.reached(Stage::Serving).await;
            report(&reporter, services, ServingStatus::Serving).await;
            lifecycle.reached(Stage::Noticing).await;
            report(&reporter, services, ServingStatus::NotServing).await;
            lifecycle.reached(Stage::Closing).await;
            // Ends every Watch: the drain would wait for them as for requests.
            let mut reporter = reporter;
            for service in std::iter::once(&"").chain(services) {
                reporter.clear_service_status(service).await;
            }
        });
        server
    }
}

async fn report(reporter: &HealthReporter, services: &[&str], status: ServingStatus) {
    reporter.set_service_status("", status).await;
    for service in services {
        reporter.set_service_status(service, status).await;
    }
}
