//! The benchmark of the query-router: a fake origin, a load generator, and the comparison with nginx and with no proxy
//! at all.
//!
//! Why not an existing tool: the issue asks for the CPU time that a proxy spends per request, for writes that must
//! arrive stamped, and for a comparison that alternates between targets within one run, so that a change of the
//! machine's mood hits all of them alike. A figure from here must never come from a run in which an answer was wrong.

pub mod bodies;
pub mod case;
pub mod embed;
pub mod fetch;
pub mod figures;
pub mod flat;
pub mod http;
pub mod load;
pub mod origin;
pub mod page;
pub mod process;
pub mod queue;
pub mod relay;
pub mod run;
pub mod servers;
pub mod table;
pub mod train;
pub mod usage;
pub mod warm;
