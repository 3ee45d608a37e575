//! The query object, alone or as one of several.

use layer_proto::types::v1::query::Include;
use layer_proto::types::v1::{Consistency, ConsistencyLevel, Limit, ModelRerank, PerLimit, Query, VectorEncoding};

use super::aggregate;
use super::compute;
use super::encoder::Encoder;
use super::filter;
use super::names;
use super::rank;
use super::schema;

/// Every field that a query or multi-query has on the wire: none may come by `additional_fields`.
pub(super) const KNOWN_FIELDS: [&str; 16] = [
    "rank_by",
    "top_k",
    "limit",
    "offset",
    "filters",
    "include_attributes",
    "exclude_attributes",
    "aggregate_by",
    "group_by",
    "compute_attributes",
    "distance_metric",
    "vector_encoding",
    "consistency",
    "rerank_by",
    "disable_cache",
    "queries",
];

/// Writes the fields of a query into the current object.
pub(super) fn members<'a>(e: &mut Encoder<'a>, query: &'a Query) {
    if let Some(rank) = &query.rank_by {
        e.member("rank_by", |e| rank::rank_by(e, rank));
    }
    if let Some(limit) = &query.limit {
        e.field("limit", |e| limit_member(e, limit, query));
    }
    if let Some(offset) = query.offset {
        e.member("offset", |e| e.json.scalar(&offset));
    }
    if let Some(filters) = &query.filters {
        e.member("filters", |e| filter::filter(e, filters));
    }
    projection(e, query);
    aggregate::members(e, query);
    compute::members(e, query);
    schema::optional_metric(e, query.distance_metric);
    names::additional(e, &query.additional_fields, &KNOWN_FIELDS);
    e.check(query.rank_by.is_some() || !query.aggregate_by.is_empty(), "must have rank_by or aggregate_by");
}

/// The wire bounds groups by `top_k` only, and knows no `limit` beside an aggregation.
fn limit_member<'a>(e: &mut Encoder<'a>, limit: &'a Limit, query: &'a Query) {
    e.json.key(if query.rank_by.is_none() { "top_k" } else { "limit" });
    match &limit.per {
        None => e.json.scalar(&limit.total),
        Some(per) => e.object(|e| {
            e.member("total", |e| e.json.scalar(&limit.total));
            e.member("per", |e| per_limit(e, per, limit.total));
        }),
    }
}

fn per_limit<'a>(e: &mut Encoder<'a>, per: &'a PerLimit, total: u32) {
    e.object(|e| {
        e.member("attributes", |e| {
            e.check(!per.attributes.is_empty(), "must not be empty");
            names::references(e, &per.attributes);
        });
        e.member("limit", |e| {
            e.check(per.limit <= total, "must be at most the total");
            e.json.scalar(&per.limit);
        });
    });
}

fn projection<'a>(e: &mut Encoder<'a>, query: &'a Query) {
    match &query.include {
        Some(Include::IncludeAllAttributes(all)) => {
            e.json.key("include_attributes");
            e.json.scalar(all);
        }
        Some(Include::IncludeAttributes(list)) => {
            e.member("include_attributes", |e| e.field("names", |e| names::references(e, &list.names)));
        }
        None => (),
    }
    if !query.exclude_attributes.is_empty() {
        e.member("exclude_attributes", |e| {
            e.check(query.include.is_none(), "must be empty where attributes are included");
            names::references(e, &query.exclude_attributes);
        });
    }
}

/// Writes the freshness that is asked for, if any is.
pub(super) fn consistency(e: &mut Encoder<'_>, consistency: Option<&Consistency>) {
    let Some(consistency) = consistency else { return };
    e.member("consistency", |e| {
        e.object(|e| {
            e.member("level", |e| match ConsistencyLevel::try_from(consistency.level) {
                Ok(ConsistencyLevel::Strong) => e.json.scalar("strong"),
                Ok(ConsistencyLevel::Eventual) => e.json.scalar("eventual"),
                _ => e.violation("must be a level of ConsistencyLevel"),
            });
            if let Some(seconds) = consistency.max_staleness_seconds {
                e.member("max_staleness_seconds", |e| e.json.scalar(&seconds));
            }
        });
    });
}

/// Writes the encoding of vectors that is asked for, if any is.
pub(super) fn vector_encoding(e: &mut Encoder<'_>, encoding: i32) {
    match VectorEncoding::try_from(encoding) {
        Ok(VectorEncoding::Unspecified) => (),
        Ok(VectorEncoding::Float) => e.member("vector_encoding", |e| e.json.scalar("float")),
        Ok(VectorEncoding::Bytes) => e.member("vector_encoding", |e| e.json.scalar("base64")),
        Err(_) => e.field("vector_encoding", |e| e.violation("must be an encoding of VectorEncoding")),
    }
}

/// Writes a model that ranks again.
pub(super) fn model_rerank(e: &mut Encoder<'_>, rerank: &ModelRerank) {
    e.object(|e| {
        e.member("model", |e| names::required_text(e, &rerank.model));
        e.member("query", |e| names::required_text(e, &rerank.query));
        e.member("attribute", |e| names::required_text(e, &rerank.attribute));
    });
}
