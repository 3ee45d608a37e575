//! Answers to queries.

use std::collections::BTreeMap;

use layer_proto::router::v1::{ExplainResponse, GroundTruth, MultiQueryResponse, QueryResponse, RecallResponse};
use layer_proto::types::v1::{AggregationGroup, QueryResult, ResultRow, Value};

use super::hints::Hints;
use super::object::{self, Object, Raw, Unreadable, list};
use super::performance;
use super::value;

/// The answer to one query.
pub(in crate::grpc) fn query(body: &[u8], hints: &Hints) -> Result<QueryResponse, Unreadable> {
    let mut object = Object::parse(body)?;
    let billing = object.take("billing", performance::query_billing);
    let performance = object.take("performance", performance::query_performance);
    let result = result(object, hints)?;
    Ok(QueryResponse { result: Some(result), billing, performance })
}

/// The answers to several queries.
pub(in crate::grpc) fn multi_query(body: &[u8], hints: &[Hints]) -> Result<MultiQueryResponse, Unreadable> {
    let mut object = Object::parse(body)?;
    let raw = object.require("results", |raw| list(raw, Object::of))?.ok_or(Unreadable { field: "results" })?;
    let none = Hints::default();
    let each = raw.into_iter().enumerate().map(|(index, one)| result(one, hints.get(index).unwrap_or(&none)));
    Ok(MultiQueryResponse {
        results: each.collect::<Result<_, _>>()?,
        billing: object.take("billing", performance::query_billing),
        performance: object.take("performance", performance::query_performance),
        additional_fields: object.rest(),
    })
}

/// The plan of a query.
pub(in crate::grpc) fn explain(body: &[u8]) -> Result<ExplainResponse, Unreadable> {
    let mut object = Object::parse(body)?;
    let plan_text = object.require("plan_text", object::plain)?.unwrap_or_default();
    Ok(ExplainResponse { plan_text, additional_fields: object.rest() })
}

/// The measured recall.
pub(in crate::grpc) fn recall(body: &[u8], hints: &Hints) -> Result<RecallResponse, Unreadable> {
    let mut object = Object::parse(body)?;
    let avg_recall = object.require("avg_recall", object::plain)?.ok_or(Unreadable { field: "avg_recall" })?;
    let ground_truth = object.require("ground_truth", |raw| list(raw, |raw| ground_truth(raw, hints)))?;
    Ok(RecallResponse {
        avg_recall,
        avg_exhaustive_count: object.plain("avg_exhaustive_count").unwrap_or_default(),
        avg_ann_count: object.plain("avg_ann_count").unwrap_or_default(),
        ground_truth: ground_truth.unwrap_or_default(),
        additional_fields: object.rest(),
    })
}

fn ground_truth(raw: Raw<'_>, hints: &Hints) -> Option<GroundTruth> {
    let mut object = Object::of(raw)?;
    Some(GroundTruth {
        query_vector: object.take("query_vector", value::dense),
        nearest_neighbors: object.take("nearest_neighbors", |raw| list(raw, |raw| row(raw, hints)))?,
    })
}

fn result(mut object: Object<'_>, hints: &Hints) -> Result<QueryResult, Unreadable> {
    let rows = object.require("rows", |raw| list(raw, |raw| row(raw, hints)))?;
    let aggregations = object.require("aggregations", |raw| Some(values(Object::of(raw)?, hints)))?;
    let groups = object.require("aggregation_groups", |raw| list(raw, |raw| group(raw, hints)))?;
    Ok(QueryResult {
        rows: rows.unwrap_or_default(),
        aggregations: aggregations.unwrap_or_default(),
        aggregation_groups: groups.unwrap_or_default(),
        additional_fields: object.rest(),
    })
}

fn row(raw: Raw<'_>, hints: &Hints) -> Option<ResultRow> {
    let mut object = Object::of(raw)?;
    let id = object.take("id", object::id)?;
    let dist = object.plain("$dist");
    Some(ResultRow { id: Some(id), dist, attributes: values(object, hints) })
}

fn values(object: Object<'_>, hints: &Hints) -> BTreeMap<String, Value> {
    let each = object.entries().map(|(name, raw)| {
        let value = value::value(raw, hints.type_of(&name));
        (name, value)
    });
    each.collect()
}

fn group(raw: Raw<'_>, hints: &Hints) -> Option<AggregationGroup> {
    let (aggregations, key) =
        values(Object::of(raw)?, hints).into_iter().partition(|(name, _)| hints.is_aggregation(name));
    Some(AggregationGroup { key, aggregations })
}
