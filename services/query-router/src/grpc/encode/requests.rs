//! The requests that have a body about documents: query, multi-query, write, explain, recall.

use std::collections::BTreeMap;

use http::Method;
use layer_proto::router::v1::multi_query_request::RerankBy;
use layer_proto::router::v1::{ExplainRequest, MultiQueryRequest, QueryRequest, RecallRequest, WriteRequest};
use layer_proto::types::v1::{Query, ReciprocalRankFusion};
use prost::Message as _;

use super::super::attribute_type::AttributeType;
use super::encoder::Encoder;
use super::{Encoded, filter, names, query_body, rank, value, with_body, write_body};

/// Most queries in a multi-query.
const MAX_QUERIES: usize = 16;

/// One query.
pub(in crate::grpc) fn query(request: &QueryRequest) -> Encoded {
    with_body(Method::POST, "v2", &request.namespace, "/query", request.encoded_len(), |e| {
        e.field("query", |e| required_query(e, request.query.as_ref()));
        query_body::consistency(e, request.consistency.as_ref());
        query_body::vector_encoding(e, request.vector_encoding);
        if let Some(rerank) = &request.rerank_by {
            e.member("rerank_by", |e| query_body::model_rerank(e, rerank));
        }
        if let Some(disable) = request.disable_cache {
            e.member("disable_cache", |e| e.json.scalar(&disable));
        }
        attribute_types(e, &request.attribute_types);
    })
}

fn required_query<'a>(e: &mut Encoder<'a>, query: Option<&'a Query>) {
    match query {
        Some(query) => query_body::members(e, query),
        None => e.violation("is required"),
    }
}

/// Several queries.
pub(in crate::grpc) fn multi_query(request: &MultiQueryRequest) -> Encoded {
    with_body(Method::POST, "v2", &request.namespace, "/query", request.encoded_len(), |e| {
        e.member("queries", |e| {
            e.check((1..=MAX_QUERIES).contains(&request.queries.len()), "must hold 1 to 16 queries");
            e.list(&request.queries, |e, query| e.object(|e| query_body::members(e, query)));
        });
        query_body::consistency(e, request.consistency.as_ref());
        query_body::vector_encoding(e, request.vector_encoding);
        rerank(e, request);
        attribute_types(e, &request.attribute_types);
        names::additional(e, &request.additional_fields, &query_body::KNOWN_FIELDS);
    })
}

/// Nothing of this is sent: it says how the answer is read.
pub(super) fn attribute_types<'a>(e: &mut Encoder<'a>, types: &'a BTreeMap<String, String>) {
    e.field("attribute_types", |e| {
        for (name, type_name) in types {
            e.entry(name, |e| e.check(AttributeType::parse(type_name).is_some(), "must be a type of the schema"));
        }
    });
}

fn rerank<'a>(e: &mut Encoder<'a>, request: &'a MultiQueryRequest) {
    match &request.rerank_by {
        Some(RerankBy::Rrf(fusion)) => {
            e.json.key("rerank_by");
            e.field("rrf", |e| rrf(e, fusion, request.queries.len()));
        }
        Some(RerankBy::Model(model)) => {
            e.json.key("rerank_by");
            e.field("model", |e| query_body::model_rerank(e, model));
        }
        None => (),
    }
    let fused = request.rerank_by.is_some();
    e.field("limit", |e| e.check(request.limit.is_some() == fused, "goes together with rrf or model"));
    if let Some(limit) = request.limit {
        e.member("limit", |e| e.json.scalar(&limit));
    }
    if let Some(offset) = request.offset {
        e.member("offset", |e| {
            e.check(fused, "must be unset without rrf or model");
            e.json.scalar(&offset);
        });
    }
}

fn rrf<'a>(e: &mut Encoder<'a>, fusion: &'a ReciprocalRankFusion, queries: usize) {
    e.array(|e| {
        e.json.scalar("RRF");
        if fusion.rank_constant.is_none() && fusion.weights.is_empty() {
            return;
        }
        e.object(|e| {
            if let Some(constant) = fusion.rank_constant {
                e.member("rank_constant", |e| {
                    e.check(constant > 0, "must be above zero");
                    e.json.scalar(&constant);
                });
            }
            if !fusion.weights.is_empty() {
                e.member("weights", |e| weights(e, &fusion.weights, queries));
            }
        });
    });
}

fn weights<'a>(e: &mut Encoder<'a>, weights: &'a [f64], queries: usize) {
    e.check(weights.len() == queries, "must have one weight for each query");
    e.list(weights, |e, weight| {
        e.check(*weight > 0.0, "must be above zero");
        value::float(e, *weight);
    });
}

/// One write.
pub(in crate::grpc) fn write(request: &WriteRequest) -> Encoded {
    with_body(Method::POST, "v2", &request.namespace, "", request.encoded_len(), |e| write_body::members(e, request))
}

/// A query whose plan is wanted.
pub(in crate::grpc) fn explain(request: &ExplainRequest) -> Encoded {
    with_body(Method::POST, "v2", &request.namespace, "/explain_query", request.encoded_len(), |e| {
        e.field("query", |e| required_query(e, request.query.as_ref()));
        query_body::consistency(e, request.consistency.as_ref());
    })
}

/// A measurement of recall.
pub(in crate::grpc) fn recall(request: &RecallRequest) -> Encoded {
    with_body(Method::POST, "v1", &request.namespace, "/_debug/recall", request.encoded_len(), |e| {
        if let Some(num) = request.num {
            e.member("num", |e| e.json.scalar(&num));
        }
        if let Some(top_k) = request.top_k {
            e.member("top_k", |e| e.json.scalar(&top_k));
        }
        if let Some(filters) = &request.filters {
            e.member("filters", |e| filter::filter(e, filters));
        }
        if let Some(include) = request.include_ground_truth {
            e.member("include_ground_truth", |e| e.json.scalar(&include));
        }
        if let Some(rank) = &request.rank_by {
            e.member("rank_by", |e| rank::rank_by(e, rank));
        }
    })
}
