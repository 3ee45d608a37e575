//! The document cache: `layer.cache.v1` in front of a backend that may lose anything at any time and must never answer
//! what is no longer true.
//!
//! It never asks the origin and never asks a router: whoever calls it reads and writes the origin, and tells it. What it
//! must do, and in which order, is in `docs/adr/0004-cache-coherence.md`.

pub mod backend;
pub mod clock;
mod observe;
mod program;
mod proof;
mod service;
mod settings;

pub use observe::metrics;
pub use program::DocCache;
pub use settings::{BackendKind, DocCacheSettings, EmbeddedSettings, ProofSettings, ValueSettings};
