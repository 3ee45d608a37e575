use http::Method;
use layer_proto::router::v1::{ExplainRequest, MultiQueryRequest, RecallRequest, multi_query_request::RerankBy};
use layer_proto::types::v1::aggregation::Kind as AggregationKind;
use layer_proto::types::v1::computed_attribute::Kind as ComputedKind;
use layer_proto::types::v1::{
    Aggregation, AttributeNames, ComparisonOperator as Op, ComputedAttribute, Consistency, ConsistencyLevel, Count,
    DistanceMetric, ForEachUnique, GroupKey, Highlight, HighlightFragmentBy, HighlightOffsetUnit, ModelRerank,
    PerLimit, ReciprocalRankFusion, Sum, VectorDistance, VectorEncoding, group_key, query,
};
use serde_json::json;

use super::*;
use crate::grpc::encode;

#[test]
fn a_query_says_all_it_can() {
    let mut request = query_of(|query| {
        query.limit = Some(Limit { total: 20, per: Some(PerLimit { attributes: vec!["id".to_owned()], limit: 2 }) });
        query.offset = Some(0);
        query.filters = Some(compare("a", Op::Eq, int(1)));
        let names = vec!["id".to_owned(), "title".to_owned()];
        query.include = Some(query::Include::IncludeAttributes(AttributeNames { names }));
        query.distance_metric = DistanceMetric::CosineDistance as i32;
        query.additional_fields = [("future".to_owned(), " {\"n\": 18446744073709551615} ".to_owned())].into();
    });
    request.consistency =
        Some(Consistency { level: ConsistencyLevel::Eventual as i32, max_staleness_seconds: Some(5) });
    request.vector_encoding = VectorEncoding::Bytes as i32;
    request.rerank_by =
        Some(ModelRerank { model: "m".to_owned(), query: "q".to_owned(), attribute: "title".to_owned() });
    request.disable_cache = Some(true);
    let expected = json!({
        "rank_by": ["id", "asc"], "limit": {"total": 20, "per": {"attributes": ["id"], "limit": 2}}, "offset": 0,
        "filters": ["a", "Eq", 1], "include_attributes": ["id", "title"], "distance_metric": "cosine_distance",
        "future": {"n": u64::MAX}, "consistency": {"level": "eventual", "max_staleness_seconds": 5},
        "vector_encoding": "base64", "rerank_by": {"model": "m", "query": "q", "attribute": "title"},
        "disable_cache": true,
    });
    let sent = sent(encode::query(&request));
    assert_eq!((sent.method, sent.target.as_str()), (Method::POST, "/v2/namespaces/docs/query"));
    assert_eq!(serde_json::from_slice::<Json>(&sent.body).unwrap(), expected);
}

#[test]
fn a_query_says_no_more_than_it_was_told() {
    assert_eq!(body(encode::query(&query_of(|_| ()))), json!({"rank_by": ["id", "asc"], "limit": 10}));
    let all = query_of(|query| query.include = Some(query::Include::IncludeAllAttributes(true)));
    assert_eq!(body(encode::query(&all))["include_attributes"], json!(true));
    let but = query_of(|query| query.exclude_attributes = vec!["vector".to_owned()]);
    assert_eq!(body(encode::query(&but))["exclude_attributes"], json!(["vector"]));
}

#[test]
fn attribute_types_are_not_sent() {
    let mut request = query_of(|_| ());
    request.attribute_types = [("created".to_owned(), "datetime".to_owned())].into();
    assert_eq!(body(encode::query(&request)), json!({"rank_by": ["id", "asc"], "limit": 10}));
}

#[test]
fn aggregations_are_grouped_and_bounded_by_top_k() {
    let request = query_of(|query| {
        query.rank_by = None;
        let sum = Sum { attribute: "size".to_owned() };
        query.aggregate_by = [
            ("n".to_owned(), Aggregation { kind: Some(AggregationKind::Count(Count {})) }),
            ("bytes".to_owned(), Aggregation { kind: Some(AggregationKind::Sum(sum)) }),
        ]
        .into();
        let each = ForEachUnique { label: "tag".to_owned(), attribute: "tags".to_owned() };
        query.group_by = vec![
            GroupKey { kind: Some(group_key::Kind::Attribute("section".to_owned())) },
            GroupKey { kind: Some(group_key::Kind::ForEachUnique(each)) },
        ];
    });
    let expected = json!({
        "top_k": 10, "aggregate_by": {"n": ["Count"], "bytes": ["Sum", "size"]},
        "group_by": ["section", {"tag": ["ForEachUnique", "tags"]}],
    });
    assert_eq!(body(encode::query(&request)), expected);
}

#[test]
fn attributes_are_computed() {
    let computed = |kind| ComputedAttribute { kind: Some(kind) };
    let request = query_of(|query| {
        let distance = VectorDistance { attribute: "vector".to_owned(), vector: Some(floats(&[0.1, 0.6])) };
        let plain = Highlight { attribute: "title".to_owned(), ..Highlight::default() };
        let full = Highlight {
            attribute: "title".to_owned(),
            fragment_by: HighlightFragmentBy::Word as i32,
            fragment_limit: Some(5),
            include_offsets: HighlightOffsetUnit::Utf16 as i32,
            rank_fragments_by: Some(by_attribute("$fragment")),
        };
        query.compute_attributes = [
            ("distance".to_owned(), computed(ComputedKind::VectorDist(distance))),
            ("plain".to_owned(), computed(ComputedKind::Highlight(plain))),
            ("full".to_owned(), computed(ComputedKind::Highlight(full))),
            ("rank".to_owned(), computed(ComputedKind::Rank(by_attribute("year")))),
        ]
        .into();
    });
    let expected = json!({
        "distance": ["vector", "VectorDist", [0.1, 0.6]],
        "plain": ["Highlight", "title"],
        "full": ["Highlight", "title", {"fragment_by": "word", "fragment_limit": 5, "include_offsets": "utf-16",
            "rank_fragments_by": ["$fragment", "asc"]}],
        "rank": ["year", "asc"],
    });
    assert_eq!(body(encode::query(&request))["compute_attributes"], expected);
}

fn two_queries(rerank_by: Option<RerankBy>) -> MultiQueryRequest {
    let query = || query_of(|_| ()).query.unwrap();
    let limit = rerank_by.as_ref().map(|_| 3);
    let queries = vec![query(), query()];
    MultiQueryRequest { namespace: "docs".to_owned(), queries, rerank_by, limit, ..MultiQueryRequest::default() }
}

#[test]
fn several_queries_are_answered_one_by_one_or_fused() {
    let one = json!({"rank_by": ["id", "asc"], "limit": 10});
    assert_eq!(body(encode::multi_query(&two_queries(None))), json!({"queries": [one, one]}));
    let plain = two_queries(Some(RerankBy::Rrf(ReciprocalRankFusion::default())));
    assert_eq!(body(encode::multi_query(&plain)), json!({"queries": [one, one], "rerank_by": ["RRF"], "limit": 3}));
    let fusion = ReciprocalRankFusion { rank_constant: Some(10), weights: vec![1.0, 0.5] };
    let mut full = two_queries(Some(RerankBy::Rrf(fusion)));
    full.offset = Some(1);
    full.vector_encoding = VectorEncoding::Float as i32;
    let expected = json!({
        "queries": [one, one], "rerank_by": ["RRF", {"rank_constant": 10, "weights": [1.0, 0.5]}], "limit": 3,
        "offset": 1, "vector_encoding": "float",
    });
    assert_eq!(body(encode::multi_query(&full)), expected);
}

#[test]
fn explain_and_recall_have_their_own_routes() {
    let request = query_of(|_| ());
    let explain = ExplainRequest { namespace: request.namespace, query: request.query, ..ExplainRequest::default() };
    assert_eq!(sent(encode::explain(&explain)).target, "/v2/namespaces/docs/explain_query");
    assert_eq!(body(encode::explain(&explain)), json!({"rank_by": ["id", "asc"], "limit": 10}));
    let recall = RecallRequest {
        namespace: "docs".to_owned(),
        num: Some(1),
        top_k: Some(2),
        filters: Some(compare("a", Op::Eq, int(1))),
        include_ground_truth: Some(true),
        rank_by: Some(by_attribute("id")),
    };
    assert_eq!(sent(encode::recall(&recall)).target, "/v1/namespaces/docs/_debug/recall");
    let expected = json!({"num": 1, "top_k": 2, "filters": ["a", "Eq", 1], "include_ground_truth": true,
        "rank_by": ["id", "asc"]});
    assert_eq!(body(encode::recall(&recall)), expected);
    let bare = RecallRequest { namespace: "docs".to_owned(), ..RecallRequest::default() };
    assert_eq!(body(encode::recall(&bare)), json!({}));
}
