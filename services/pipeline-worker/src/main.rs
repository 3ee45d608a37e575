//! Pipelines and functions as a process of its own; `pipeline-worker work` is a worker instead.

use std::{ffi::OsString, process::ExitCode};

use layer_service::program;
use pipeline_worker::{PipelineWorker, Work};

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|verb| verb == "work") {
        arguments.remove(1);
        return program::main_with::<Work>(arguments);
    }
    program::main_with::<PipelineWorker>(arguments)
}
