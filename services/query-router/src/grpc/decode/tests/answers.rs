use layer_proto::router::v1::{MultiQueryRequest, QueryRequest, RecallRequest, multi_query_request::RerankBy};
use layer_proto::types::v1::computed_attribute::Kind as ComputedKind;
use layer_proto::types::v1::dense_vector::Elements;
use layer_proto::types::v1::rank_by::Kind as RankKind;
use layer_proto::types::v1::vector_search::Query as SearchFor;
use layer_proto::types::v1::{
    Aggregation, ComputedAttribute, DenseVector, Embed, Floats, Highlight, HighlightFragment, Highlights, OffsetRange,
    Query, RankBy, ReciprocalRankFusion, Value, VectorSearch,
};
use prost_types::Timestamp;

use super::*;

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

fn dense(values: &[f32]) -> Kind {
    Kind::DenseVector(DenseVector { elements: Some(Elements::Floats(Floats { values: values.to_vec() })) })
}

fn searching(attribute: &str, query: SearchFor) -> Query {
    let search = VectorSearch { attribute: attribute.to_owned(), method: 0, query: Some(query) };
    Query { rank_by: Some(RankBy { kind: Some(RankKind::VectorSearch(search)) }), ..Query::default() }
}

fn hints(query: Query) -> Hints {
    Hints::of_query(&QueryRequest { query: Some(query), ..QueryRequest::default() })
}

#[test]
fn rows_keep_ids_distances_and_attributes() {
    let body = br#"{"rows":[{"$dist":0.00027030706,"id":18446744073709551615,"title":"blue whale","vector":[0.1,0.7]},
        {"id":"b","year":1999}],
        "billing":{"billable_logical_bytes_queried":256000000,"billable_logical_bytes_returned":56},
        "performance":{"approx_namespace_size":2,"cache_hit_ratio":1.0,"cache_temperature":"hot",
        "exhaustive_search_count":2,"query_execution_ms":3,"server_total_ms":4,"embedding_ms":5,"embedding_tokens":6,
        "last_included_write_at":"2024-03-02T00:00:00Z"}}"#;
    let answer = query(body, &Hints::default()).unwrap();
    let result = answer.result.unwrap();
    assert_eq!(result.rows[0].id, uint_id(u64::MAX));
    assert_eq!(result.rows[0].dist, Some(0.00027030706));
    assert_eq!(result.rows[0].attributes["vector"], value(dense(&[0.1, 0.7])));
    assert_eq!(result.rows[0].attributes.len(), 2);
    assert_eq!(result.rows[1].id, text_id("b"));
    assert_eq!(result.rows[1].dist, None);
    assert_eq!(result.rows[1].attributes["year"], value(Kind::IntValue(1999)));
    assert!(result.additional_fields.is_empty());
    let billing = answer.billing.unwrap();
    assert_eq!(billing.billable_logical_bytes_queried, 256_000_000);
    assert_eq!(billing.billable_logical_bytes_returned, 56);
    let performance = answer.performance.unwrap();
    assert_eq!((performance.query_execution_ms, performance.server_total_ms), (3, 4));
    assert_eq!((performance.embedding_ms, performance.embedding_tokens), (Some(5), Some(6)));
    assert_eq!((performance.cache_hit_ratio, performance.cache_temperature.as_str()), (1.0, "hot"));
    assert_eq!(performance.last_included_write_at, Some(Timestamp { seconds: 1_709_337_600, nanos: 0 }));
    assert!(performance.additional_fields.is_empty());
}

#[test]
fn unknown_fields_are_passed_on_as_text() {
    let body = br#"{"rows":[],"next":{"cursor": 18446744073709551615.0},"none":null,
        "performance":{"server_total_ms":"slow","shards":[1, 2]},"billing":{"server":2.0}}"#;
    let answer = query(body, &Hints::default()).unwrap();
    let fields = answer.result.unwrap().additional_fields;
    assert_eq!(fields, [("next".to_owned(), "{\"cursor\": 18446744073709551615.0}".to_owned())].into());
    let performance = answer.performance.unwrap();
    assert_eq!(performance.server_total_ms, 0);
    assert_eq!(performance.additional_fields["server_total_ms"], "\"slow\"");
    assert_eq!(performance.additional_fields["shards"], "[1, 2]");
}

#[test]
fn attributes_that_are_ranked_by_are_vectors() {
    let body = br#"{"rows":[{"id":1,"e":[1,0]}]}"#;
    let first = |hints: &Hints| query(body, hints).unwrap().result.unwrap().rows[0].attributes["e"].clone();
    assert_eq!(first(&hints(searching("e", SearchFor::Vector(DenseVector::default())))), value(dense(&[1.0, 0.0])));
    let embedded = first(&hints(searching("e", SearchFor::Embed(Embed::default()))));
    assert!(matches!(embedded.kind, Some(Kind::IntArray(_))), "{embedded:?}");
}

#[test]
fn aggregations_are_told_from_keys() {
    let count = |label: &str| (label.to_owned(), Aggregation::default());
    let hints = hints(Query { aggregate_by: [count("n"), count("total")].into(), ..Query::default() });
    let groups = br#"{"aggregation_groups":[{"n":1,"total":0.0,"title":null},{"n":2,"total":1.5,"title":"walrus"}]}"#;
    let result = query(groups, &hints).unwrap().result.unwrap();
    let group = &result.aggregation_groups[1];
    assert_eq!(group.key, [("title".to_owned(), value(Kind::StringValue("walrus".to_owned())))].into());
    assert_eq!(group.aggregations["n"], value(Kind::IntValue(2)));
    assert_eq!(group.aggregations["total"], value(Kind::FloatValue(1.5)));
    assert_eq!(result.aggregation_groups[0].key["title"], value(Kind::NullValue(0)));
    let result = query(br#"{"aggregations":{"n":18446744073709551615}}"#, &hints).unwrap().result.unwrap();
    assert_eq!(result.aggregations["n"], value(Kind::UintValue(u64::MAX)));
}

#[test]
fn highlights_are_typed_unless_that_would_lose_something() {
    let highlight = ComputedAttribute { kind: Some(ComputedKind::Highlight(Highlight::default())) };
    let hints = hints(Query { compute_attributes: [("h".to_owned(), highlight)].into(), ..Query::default() });
    let read = |json: &str| {
        let body = format!(r#"{{"rows":[{{"id":1,"h":{json}}}]}}"#);
        query(body.as_bytes(), &hints).unwrap().result.unwrap().rows[0].attributes["h"].clone()
    };
    let range = |start, end| OffsetRange { start, end };
    let full = HighlightFragment {
        text: "cache".to_owned(),
        fragment_range: Some(range(3, 8)),
        match_ranges: vec![range(3, 4), range(5, 8)],
        array_index: Some(2),
    };
    let plain = HighlightFragment { text: "cold".to_owned(), ..HighlightFragment::default() };
    let json =
        r#"[{"text":"cache","fragment_range":[3,8],"match_ranges":[[3,4],[5,8]],"array_index":2},{"text":"cold"}]"#;
    assert_eq!(read(json), value(Kind::Highlights(Highlights { fragments: vec![full, plain] })));
    let later = r#"[{"text":"cache","score":0.5}]"#;
    assert_eq!(read(later), value(Kind::JsonValue(later.to_owned())));
}

#[test]
fn several_results_are_read_each_with_its_own_query() {
    let searches = ["e", "f"].map(|name| searching(name, SearchFor::Vector(DenseVector::default())));
    let mut request = MultiQueryRequest { queries: searches.to_vec(), ..MultiQueryRequest::default() };
    let body = br#"{"results":[{"rows":[{"id":1,"e":[1],"f":[1]}]},{"rows":[{"id":1,"e":[1],"f":[1]}]}],"billing":{}}"#;
    let is_vector =
        |row: &layer_proto::types::v1::ResultRow, name| matches!(row.attributes[name].kind, Some(Kind::DenseVector(_)));
    let answer = multi_query(body, &Hints::of_multi_query(&request)).unwrap();
    let rows: Vec<_> = answer.results.iter().map(|result| &result.rows[0]).collect();
    assert!(is_vector(rows[0], "e") && !is_vector(rows[0], "f"));
    assert!(!is_vector(rows[1], "e") && is_vector(rows[1], "f"));
    request.rerank_by = Some(RerankBy::Rrf(ReciprocalRankFusion::default()));
    let fused = br#"{"results":[{"rows":[{"id":1,"$dist":0.03278688,"e":[1],"f":[1]}]}]}"#;
    let answer = multi_query(fused, &Hints::of_multi_query(&request)).unwrap();
    assert!(is_vector(&answer.results[0].rows[0], "e") && is_vector(&answer.results[0].rows[0], "f"));
}

#[test]
fn writes_tell_what_they_did() {
    let body = br#"{"status":"OK","message":"documents committed successfully","rows_affected":3,"rows_upserted":2,
        "rows_patched":0,"rows_deleted":1.0,"rows_remaining":true,"upserted_ids":[18446744073709551615,"a"],
        "deleted_ids":[7],"billing":{"billable_logical_bytes_written":10,"query":{"billable_logical_bytes_queried":1}},
        "performance":{"server_total_ms":12},"new":[1]}"#;
    let answer = write(body).unwrap();
    assert_eq!(answer.message, "documents committed successfully");
    assert_eq!((answer.rows_affected, answer.rows_upserted, answer.rows_deleted), (3, 2, 1));
    assert_eq!(answer.rows_remaining, Some(true));
    assert_eq!(answer.upserted_ids, [uint_id(u64::MAX).unwrap(), text_id("a").unwrap()]);
    assert_eq!(answer.deleted_ids, [uint_id(7).unwrap()]);
    assert_eq!(answer.billing.unwrap().query.unwrap().billable_logical_bytes_queried, 1);
    assert_eq!(answer.performance.unwrap().server_total_ms, 12);
    assert_eq!(answer.additional_fields, [("new".to_owned(), "[1]".to_owned())].into());
}

#[test]
fn recall_and_plans_are_read() {
    let body = br#"{"avg_recall":0.95,"avg_exhaustive_count":2.0,"avg_ann_count":2,
        "ground_truth":[{"query_vector":[1,0],"nearest_neighbors":[{"id":1,"$dist":0.0,"vector":[1,0]}]}]}"#;
    let answer = recall(body, &Hints::of_recall(&RecallRequest::default())).unwrap();
    assert_eq!((answer.avg_recall, answer.avg_exhaustive_count, answer.avg_ann_count), (0.95, 2.0, 2.0));
    let truth = &answer.ground_truth[0];
    assert_eq!(truth.query_vector.clone().map(Kind::DenseVector), Some(dense(&[1.0, 0.0])));
    assert_eq!(truth.nearest_neighbors[0].attributes["vector"], value(dense(&[1.0, 0.0])));
    assert_eq!(explain(br#"{"plan_text":"scan"}"#).unwrap().plan_text, "scan");
}

#[test]
fn answers_that_break_promises_are_errors() {
    let unreadable = |field| Err(Unreadable { field });
    let none = Hints::default();
    for (body, field) in [
        (&b"not json"[..], ""),
        (b"[]", ""),
        (b"", ""),
        (br#"{"rows":{}}"#, "rows"),
        (br#"{"rows":[{"$dist":1}]}"#, "rows"),
        (br#"{"rows":[{"id":1.5}]}"#, "rows"),
        (br#"{"aggregations":[]}"#, "aggregations"),
        (br#"{"aggregation_groups":[1]}"#, "aggregation_groups"),
        (b"{\"rows\":[{\"id\":\"\xff\"}]}", ""),
    ] {
        assert_eq!(query(body, &none).map(|_| ()), unreadable(field), "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(multi_query(b"{}", &[]).map(|_| ()), unreadable("results"));
    assert_eq!(write(br#"{"upserted_ids":[true]}"#).map(|_| ()), unreadable("upserted_ids"));
    assert_eq!(recall(b"{}", &none).map(|_| ()), unreadable("avg_recall"));
    assert_eq!(list_namespaces(b"{}").map(|_| ()), unreadable("namespaces"));
    assert_eq!(get_schema(br#"{"a":{}}"#).map(|_| ()), unreadable("schema"));
}
