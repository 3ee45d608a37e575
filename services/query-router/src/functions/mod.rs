//! Functions over HTTP, as the published clients know them: `/v2/udfs…`.
//!
//! The same rules as for pipelines, whose module holds what both share. Ids of rows are text for the published clients,
//! whatever they are in the namespace; pipeline-worker takes text that spells an integer for that integer.

mod function;
mod items;
mod route;
mod serve;
mod spec;

pub use route::FunctionRoute;
