//! The document cache: serves `layer.cache.v1` over a disposable backend.
//!
//! It keeps what the origin answered and forgets it the moment a writer says so. It is never the only place where
//! anything is kept, and it never serves a value that it cannot prove to be fillable and clearable.

pub mod backend;
