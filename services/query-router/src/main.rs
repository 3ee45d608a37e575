//! The query-router as a process of its own.

use std::process::ExitCode;

/// A request allocates some thirty times; this allocator takes a third of the instructions of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    layer_service::program::main::<query_router::QueryRouter>()
}
