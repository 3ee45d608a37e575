//! pipeline-worker with points at which tests end it: never shipped, built with the feature `failpoints` alone, and under
//! a name of its own so that it cannot be taken for the other.

use std::process::ExitCode;

fn main() -> ExitCode {
    layer_service::program::main::<pipeline_worker::PipelineWorker>()
}
