//! Pipelines and functions: what is to be done, who does it, and what became of it.
//!
//! What they must do, and in which order, is in `docs/adr/0005-pipelines.md`.

pub mod functions;
pub mod state;
