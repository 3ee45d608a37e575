//! The function service in process: over a real state store, and a router over rows in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; helpers of tests too")]

mod bench;
mod claims;
mod fake;
mod registry;
mod results;
mod searches;
mod vectors;
mod writes;
