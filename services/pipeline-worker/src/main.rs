//! Pipelines and functions as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    layer_service::program::main::<pipeline_worker::PipelineWorker>()
}
