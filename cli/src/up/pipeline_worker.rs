//! The pipeline-worker as a part of the mesh: the same service as elsewhere, its state in SQLite.
//!
//! Its settings are its own: the environment's are the router's, but for the sections that only it has. What both need, the
//! object store, the cache and the key of Layer's own services, it has from the router.

use std::ffi::OsString;

use layer_service::config::{self, Environment, Sources};
use pipeline_worker::PipelineWorkerSettings;
use query_router::{AuthMode, RouterSettings};
use serde_json::json;

use super::{mesh::admin_address, part::own_variables};
use crate::{arguments::Up, failure::Failure};

/// Variables that can only be meant for the pipeline-worker.
const OWN_VARIABLES: [&str; 4] = ["LAYER_STATE_", "LAYER_UPKEEP_", "LAYER_ROUTER_", "LAYER_FUNCTIONS_"];
/// Once the router is gone, nobody calls: what is left in flight is an operator's.
const DRAIN_TIMEOUT_MS: u64 = 5000;

/// The settings of the pipeline-worker of `layer up`, beside a router of `router`.
pub fn settings(
    arguments: &Up,
    router: &RouterSettings,
    environment: &dyn Environment,
) -> Result<PipelineWorkerSettings, Failure> {
    let own = own_variables(environment, &OWN_VARIABLES);
    let address = &arguments.pipeline_worker_address;
    let state = arguments.data.data_dir().join("pipelines.db");
    let scheme = if router.tls.enabled() { "https" } else { "http" };
    let mut presets = vec![
        ("listen.address", json!(address)),
        ("admin.address", json!(admin_address(address)?)),
        ("access.open_anywhere", json!(arguments.open_anywhere)),
        ("state.url", json!(format!("sqlite://{}", state.display()))),
        ("router.url", json!(format!("{scheme}://{}", router.listen.address))),
        ("drain.linger_ms", json!(0)),
        ("drain.timeout_ms", json!(DRAIN_TIMEOUT_MS)),
        ("object_store.backend", json!("directory")),
        ("object_store.directory", json!(arguments.data.data_dir().join("objects"))),
    ];
    if let Some(key) = &router.auth.internal_key {
        presets.push(("router.internal_key", json!(key.reveal())));
    }
    if let (Some(key), false) = (router.origin.key()?, router.auth.mode == AuthMode::Open) {
        presets.push(("router.api_key", json!(key.reveal())));
    }
    let sources = Sources {
        program: "layer up",
        about: "",
        environment: &own,
        arguments: vec![OsString::from("layer")],
        presets,
    };
    let mut settings = config::load::<PipelineWorkerSettings>(sources)?.settings;
    settings.object_store = router.object_store.clone();
    settings.cache = router.cache.clone();
    Ok(settings)
}
