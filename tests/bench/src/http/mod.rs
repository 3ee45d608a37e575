//! Just enough HTTP/1.1 for a load generator and a fake origin that must cost almost nothing.
//!
//! A general HTTP library spends as much CPU per request as the proxies under test, and on two cores that would decide
//! the result. So heads are parsed in place by `httparse`, bodies are walked in place, and nothing is allocated per
//! request. What must never happen here: taking a malformed message for a good one, because the harness then reports a
//! broken proxy as a fast one.

mod body;
mod buffer;
mod head;

pub use body::Body;
pub use buffer::{Filled, ReadBuffer};
pub use head::{Framing, RequestHead, ResponseHead, parse_request, parse_response};
