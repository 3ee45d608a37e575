//! A stand-in for Turbopuffer, for development, tests and demos on one machine.
//!
//! The engine is the crate `minifugu`, mounted as it is: it parses, stores, scans and ranks. This crate exists for
//! what minifugu leaves out at the edge of the wire (compression, a region in the path, a few fields and texts that
//! the official SDKs' own tests look at) and for what a long-lived process needs (one owner of a data directory, no
//! scan on the threads that serve connections, a panic answered instead of a connection cut).
//!
//! What it must never do: rank, filter or store anything itself, answer for a document, or pretend to be the real
//! service. Every answer carries `Server: layer-stand-in/…`. What still differs from the live service is listed in
//! `docs/stand-in.md`.

mod data_dir;
mod edge;
mod engine;

use std::path::PathBuf;

use axum::Router;

pub use data_dir::Error;

/// What the stand-in needs to know to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where namespaces are kept. Made when it does not exist; its mode becomes 0700. Owned by one process at a time.
    pub data_dir: PathBuf,
}

/// Opens the data directory and returns the service that answers Turbopuffer's wire from it.
///
/// A write that was answered with 200 is on disk: it survives the loss of the process. The directory stays locked
/// until the last clone of the returned router is dropped, or the process ends in whatever way. Call the router
/// from within a tokio runtime: requests run on its blocking pool.
///
/// # Errors
///
/// [`Error::InUse`] when another process owns the directory, [`Error::Unusable`] when it cannot be made, read or
/// locked, [`Error::Unreadable`] when what is in it cannot be loaded. Each names the directory and what to do.
pub fn open(options: Options) -> Result<Router, Error> {
    let directory = data_dir::DataDir::lock(&options.data_dir)?;
    let engine = engine::Engine::open(directory)?;
    Ok(edge::wrap(engine))
}
