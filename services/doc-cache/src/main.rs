//! The document cache as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    layer_service::program::main::<doc_cache::DocCache>()
}
