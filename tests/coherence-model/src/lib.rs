//! The coherence protocol of the document cache as a model that is explored exhaustively.
//!
//! docs/adr/0004-cache-coherence.md argues the protocol; here every interleaving of small configurations is tried, and
//! taking any part of the protocol away ([`config::Part`]) must make the exploration fail. The model is written for
//! the eye first: it must stay short enough to be compared with the ADR and with the code line by line. It must never
//! know more than a router, a replica or a backend could know at that moment.

mod canonical;
mod clock;
pub mod config;
pub mod configurations;
pub mod faults;
pub mod invariants;
mod lookup;
pub mod model;
pub mod reader;
pub mod records;
pub mod run;
pub mod state;
pub mod walk;
mod writer;
