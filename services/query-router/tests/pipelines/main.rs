//! Pipelines and functions through the router: a real router and a pipeline-worker that answers what it is told.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; helpers of tests too")]

mod away;
mod fake;
mod functions;
mod handover;
mod mesh;
mod pass_through;
mod pipelines;
mod refusals;
