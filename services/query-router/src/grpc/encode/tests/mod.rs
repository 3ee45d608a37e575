//! Typed requests against the JSON that the wire documents.

mod bad;
mod documents;
mod filters;
mod property;
mod queries;
mod ranks;
mod settings;

use layer_proto::router::v1::{QueryRequest, WriteRequest};
use layer_proto::types::v1::value::Kind;
use layer_proto::types::v1::{
    Comparison, ComparisonOperator, DenseVector, Filter, Floats, Id, Limit, OrderBy, OrderKey, Query, RankBy, Value,
    comparison, dense_vector, filter, id, rank_by,
};
use serde_json::Value as Json;

use super::{Encoded, WireRequest};

/// The body of a request that must be right.
pub(super) fn body(encoded: Encoded) -> Json {
    serde_json::from_slice(&sent(encoded).body).expect("valid JSON")
}

pub(super) fn sent(encoded: Encoded) -> WireRequest {
    encoded.unwrap_or_else(|violations| panic!("refused: {violations:?}"))
}

/// The faults of a request that must be wrong, as `path: description`.
pub(super) fn faults(encoded: Encoded) -> Vec<String> {
    let violations = encoded.expect_err("must be refused");
    violations.into_iter().map(|violation| format!("{}: {}", violation.field, violation.description)).collect()
}

pub(super) fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

pub(super) fn text(text: &str) -> Value {
    value(Kind::StringValue(text.to_owned()))
}

pub(super) fn int(number: i64) -> Value {
    value(Kind::IntValue(number))
}

pub(super) fn uint_id(number: u64) -> Id {
    Id { kind: Some(id::Kind::UintValue(number)) }
}

pub(super) fn text_id(text: &str) -> Id {
    Id { kind: Some(id::Kind::StringValue(text.to_owned())) }
}

pub(super) fn floats(values: &[f32]) -> DenseVector {
    DenseVector { elements: Some(dense_vector::Elements::Floats(Floats { values: values.to_vec() })) }
}

pub(super) fn filter_of(kind: filter::Kind) -> Filter {
    Filter { kind: Some(kind) }
}

pub(super) fn compare(attribute: &str, op: ComparisonOperator, with: Value) -> Filter {
    filter_of(filter::Kind::Comparison(Comparison {
        attribute: attribute.to_owned(),
        op: op as i32,
        operand: Some(comparison::Operand::Value(with)),
    }))
}

pub(super) fn by_attribute(attribute: &str) -> RankBy {
    let key = OrderKey { attribute: attribute.to_owned(), direction: 0 };
    RankBy { kind: Some(rank_by::Kind::OrderBy(OrderBy { keys: vec![key] })) }
}

/// A query that is right, to change one thing of.
pub(super) fn query_of(change: impl FnOnce(&mut Query)) -> QueryRequest {
    let limit = Limit { total: 10, per: None };
    let mut query = Query { rank_by: Some(by_attribute("id")), limit: Some(limit), ..Query::default() };
    change(&mut query);
    QueryRequest { namespace: "docs".to_owned(), query: Some(query), ..QueryRequest::default() }
}

pub(super) fn filtered(filter: Filter) -> QueryRequest {
    query_of(|query| query.filters = Some(filter))
}

pub(super) fn ranked(rank: rank_by::Kind) -> QueryRequest {
    query_of(|query| query.rank_by = Some(RankBy { kind: Some(rank) }))
}

pub(super) fn write_of(change: impl FnOnce(&mut WriteRequest)) -> WriteRequest {
    let mut request = WriteRequest { namespace: "docs".to_owned(), ..WriteRequest::default() };
    change(&mut request);
    request
}
