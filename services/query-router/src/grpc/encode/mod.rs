//! From typed requests to the wire: which route, and the JSON body.
//!
//! Each function checks its request and either answers what to send or every fault it found. Nothing here speaks to
//! anyone, and nothing here knows of authorization or of what Layer adds to a request: that is the core's.

mod aggregate;
mod compute;
mod document;
mod encoder;
mod fetch;
mod filter;
mod json;
mod names;
mod namespace;
mod query_body;
mod rank;
mod requests;
mod schema;
mod score;
mod value;
mod vector;
mod write_body;

#[cfg(test)]
mod tests;

pub(super) use fetch::*;
pub(super) use namespace::*;
pub(super) use requests::*;

use bytes::Bytes;
use http::Method;
use tonic_types::FieldViolation;

use encoder::Encoder;
use layer_proto::types::v1::{Filter, Value};
use vector::VectorForm;

pub(super) use filter::wire_name as comparison_name;

/// The JSON of an attribute's value alone, vectors as numbers.
pub(super) fn value_text(value: &Value) -> Result<Bytes, Vec<FieldViolation>> {
    let mut e = Encoder::new(0);
    value::attribute(&mut e, value, VectorForm::Numbers);
    e.finish()
}

/// The JSON of a filter alone.
pub(super) fn filter_text(filter: &Filter) -> Result<Bytes, Vec<FieldViolation>> {
    let mut e = Encoder::new(0);
    filter::filter(&mut e, filter);
    e.finish()
}

/// A request of the wire.
#[derive(Debug)]
pub(super) struct WireRequest {
    pub(super) method: Method,
    /// Path and query string.
    pub(super) target: String,
    pub(super) body: Bytes,
}

/// What to send, or every fault of the request.
pub(super) type Encoded = Result<WireRequest, Vec<FieldViolation>>;

/// A request to a namespace with a body: one JSON object whose fields `members` writes.
fn with_body<'a>(
    method: Method,
    version: &str,
    namespace: &'a str,
    route: &str,
    message_bytes: usize,
    members: impl FnOnce(&mut Encoder<'a>),
) -> Encoded {
    let mut e = Encoder::new(message_bytes);
    e.field("namespace", |e| names::namespace(e, namespace));
    e.object(members);
    let body = e.finish()?;
    Ok(WireRequest { method, target: format!("/{version}/namespaces/{namespace}{route}"), body })
}

/// A request to a namespace without a body.
fn without_body(method: Method, version: &str, namespace: &str, route: &str) -> Encoded {
    let mut request = with_body(method, version, namespace, route, 0, |_| ())?;
    request.body = Bytes::new();
    Ok(request)
}
