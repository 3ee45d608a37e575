//! The query-router as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    layer_service::program::main::<query_router::QueryRouter>()
}
