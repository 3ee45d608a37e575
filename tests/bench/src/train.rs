//! Running a router and a document cache that count what they do, so that the compiler can lay out their code by the counts
//! (`scripts/dist`).
//!
//! Every case is sent as often as any other: the profile is to fit the whole wire, not one figure of the benchmark. The
//! counts are written when a program ends by itself, which it does when it is told to stop.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::case::Case;
use crate::fetch;
use crate::load::{Generator, Limit, Plan};
use crate::servers;

/// Requests of each case at each number of connections. Counts are shares, so more of them say nothing more.
const REQUESTS: u64 = 2_000;

/// One at a time, and more at once than there are workers.
const CONNECTIONS: [usize; 2] = [1, 16];

/// Options of `layer-bench train`.
#[derive(Debug, Args)]
pub struct Options {
    /// The query-router's binary, built with `-Cprofile-generate`.
    #[arg(long, value_name = "PATH")]
    pub router_bin: PathBuf,
    /// doc-cache's binary, built in the same way.
    #[arg(long, value_name = "PATH")]
    pub cache_bin: PathBuf,
}

/// Carries out `layer-bench train`.
///
/// # Errors
/// When a server does not start or an answer is wrong.
pub fn run(options: &Options) -> Result<()> {
    let directory = tempfile::tempdir().context("a temporary folder")?;
    let origin = servers::origin(directory.path())?;
    let cache = servers::doc_cache(&options.cache_bin, directory.path(), &[])?;
    let cached = [format!("--cache-addresses={}", cache.address)];
    // Dropped first: who calls ends before who is called.
    let router = servers::router_with("router", &options.router_bin, directory.path(), origin.address, &cached)?;
    for case in Case::ALL {
        for connections in CONNECTIONS {
            let plan = Plan::of(case, &router.address.to_string(), false);
            let mut load = Generator::connect(router.address, connections, plan)?;
            load.run(Limit::Requests(REQUESTS))?.checked().with_context(|| case.name())?;
        }
    }
    fetch::train(&router, &CONNECTIONS, REQUESTS)
}
