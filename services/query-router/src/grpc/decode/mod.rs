//! From the wire's answers to typed ones.
//!
//! No digit and no field of an answer is lost: integers keep 64 bits, floats their nearest double (vectors their f32),
//! and a field that the contract does not know is passed on as text. An answer that breaks the wire's promises is an
//! error of its own, never a half-filled message.

mod fetch;
mod filter;
mod highlight;
mod hints;
mod namespace;
mod object;
mod performance;
mod query;
mod schema;
mod value;
mod write;

#[cfg(test)]
mod tests;

pub(super) use fetch::*;
pub(crate) use filter::filter;
pub(super) use hints::Hints;
pub(super) use namespace::*;
pub(super) use object::Unreadable;
pub(super) use query::*;
pub(super) use schema::*;
pub(super) use value::value;
pub(super) use write::*;
