//! The pages of the documentation that are made from the code.

use doc_cache::DocCacheSettings;
use layer_service::{config::reference as settings, metrics::inventory};
use pipeline_worker::{PipelineWorkerSettings, WorkSettings};
use query_router::RouterSettings;

use crate::arguments::ReferencePage;

const CONFIGURATION: &str = "# Configuration\n\n\
Made by `make docs` from the code; the tests fail when it differs.\n\n\
A setting has one name, for example `limits.body_bytes`. It can be given, the later before the earlier, in a TOML file\n\
(`--config FILE` or `LAYER_CONFIG_FILE`: section `[limits]`, key `body_bytes`), as an environment variable\n\
(`LAYER_LIMITS_BODY_BYTES`) and as a flag (`--limits-body-bytes`). `--print-config` prints what is in force, secrets\n\
redacted. An unknown name or a wrong value is refused by name, and the process exits with 64.\n\n";

const METRICS: &str = "# Metrics\n\n\
Made by `make docs` from the code; the tests fail when it differs.\n\n\
Prometheus reads them at `/metrics` of the admin port. Durations are in seconds. `namespace` keeps up to 5,000 values\n\
apart and counts the rest as `other`. `status` is `ok`, `tpuf_error` (the origin refused), `layer_error` (Layer refused,\n\
or the origin could not be reached) or `timeout`. Process metrics (`process_*`) come with every service.\n\n";

/// The text of a page.
pub fn reference(page: ReferencePage) -> String {
    match page {
        ReferencePage::Configuration => format!(
            "{CONFIGURATION}{}\n{}\n{}\n{}",
            settings::<RouterSettings>("query-router"),
            settings::<DocCacheSettings>("doc-cache"),
            settings::<PipelineWorkerSettings>("pipeline-worker"),
            settings::<WorkSettings>("pipeline-worker work"),
        ),
        ReferencePage::Metrics => {
            format!(
                "{METRICS}{}\n{}\n{}\n{}",
                inventory("query-router", &query_router::metrics()),
                inventory("doc-cache", &doc_cache::metrics()),
                inventory("pipeline-worker", &pipeline_worker::metrics()),
                inventory("pipeline-worker work", &pipeline_worker::work_metrics())
            )
        }
    }
}
