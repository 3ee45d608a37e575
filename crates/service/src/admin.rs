//! The admin port: `/health`, `/ready`, `/metrics`.

use axum::{
    Router,
    http::{HeaderName, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;

use crate::{
    health::Health,
    lifecycle::{Lifecycle, Stage},
    metrics::Metrics,
};

const JSON: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];

/// Serves the admin port until the service is cut: an operator wants to look at a service that drains.
pub async fn serve(listener: TcpListener, health: Health, metrics: Metrics, lifecycle: Lifecycle) {
    let (live, ready) = (health.clone(), health);
    let routes = Router::new()
        .route("/health", get(async move || (JSON, live.live().1).into_response()))
        .route(
            "/ready",
            get(async move || {
                let (status, body) = ready.ready();
                (status, JSON, body).into_response()
            }),
        )
        .route(
            "/metrics",
            get(async move || ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], metrics.text()).into_response()),
        );
    let end = async move { lifecycle.reached(Stage::Cut).await };
    if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(end).await {
        tracing::error!(%error, "the admin port stopped");
    }
}
