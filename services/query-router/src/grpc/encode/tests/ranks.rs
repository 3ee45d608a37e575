use layer_proto::types::v1::rank_by::Kind as Rank;
use layer_proto::types::v1::score::Kind as ScoreKind;
use layer_proto::types::v1::value::Kind;
use layer_proto::types::v1::{
    Bm25, ComparisonOperator as Op, Curve, DistanceFrom, Embed, MultiVector, Score, ScoreList, SortDirection,
    SparseVector, SparseVectorSearch, StringArray, TextOperand, VectorSearch, VectorSearchMethod, WeightedScore, curve,
    text_operand, vector_search,
};
use prost_types::{Duration, Timestamp};
use serde_json::{Value as Json, json};

use super::*;
use crate::grpc::encode;

fn rank_json(rank: Rank) -> Json {
    body(encode::query(&ranked(rank)))["rank_by"].clone()
}

fn vector_search_of(method: VectorSearchMethod, query: vector_search::Query) -> Rank {
    Rank::VectorSearch(VectorSearch { attribute: "vector".to_owned(), method: method as i32, query: Some(query) })
}

fn score(kind: ScoreKind) -> Score {
    Score { kind: Some(kind) }
}

fn bm25(text: &str) -> Score {
    let operand = Some(TextOperand { kind: Some(text_operand::Kind::Text(text.to_owned())) });
    score(ScoreKind::Bm25(Bm25 { attribute: "title".to_owned(), operand, last_as_prefix: None }))
}

#[test]
fn dense_vectors_travel_as_base64_of_f32() {
    use vector_search::Query;
    let search = vector_search_of(VectorSearchMethod::Ann, Query::Vector(floats(&[0.1, 0.6])));
    assert_eq!(rank_json(search), json!(["vector", "ANN", "zczMPZqZGT8="]));
    let bytes: Vec<u8> = [0.1f32, 0.6].iter().flat_map(|float| float.to_le_bytes()).collect();
    let raw = DenseVector { elements: Some(dense_vector::Elements::LittleEndian(bytes.into())) };
    let search = vector_search_of(VectorSearchMethod::Knn, Query::Vector(raw));
    assert_eq!(rank_json(search), json!(["vector", "kNN", "zczMPZqZGT8="]));
}

#[test]
fn several_vectors_travel_as_numbers() {
    let multi = MultiVector { vectors: vec![floats(&[0.1, 1.0]), floats(&[0.7, -2.5])] };
    let search = vector_search_of(VectorSearchMethod::Unspecified, vector_search::Query::MultiVector(multi));
    assert_eq!(rank_json(search), json!(["vector", "ANN", [[0.1, 1.0], [0.7, -2.5]]]));
}

#[test]
fn texts_are_embedded_by_the_origin() {
    let embed = |model: Option<&str>| Embed { text: "whale".to_owned(), model: model.map(str::to_owned) };
    let search = vector_search_of(VectorSearchMethod::Ann, vector_search::Query::Embed(embed(None)));
    assert_eq!(rank_json(search), json!(["vector", "ANN", ["Embed", "whale"]]));
    let search = vector_search_of(VectorSearchMethod::Ann, vector_search::Query::Embed(embed(Some("m"))));
    assert_eq!(rank_json(search), json!(["vector", "ANN", ["Embed", "whale", {"model": "m"}]]));
}

#[test]
fn sparse_vectors_are_maps() {
    let weights = [("a".to_owned(), 0.7f32), ("b".to_owned(), 2.0)].into();
    let search = SparseVectorSearch { attribute: "sparse".to_owned(), vector: Some(SparseVector { weights }) };
    assert_eq!(rank_json(Rank::SparseSearch(search)), json!(["sparse", "SparseKNN", {"a": 0.7, "b": 2.0}]));
}

#[test]
fn orders_have_one_key_or_several() {
    let key =
        |name: &str, direction: SortDirection| OrderKey { attribute: name.to_owned(), direction: direction as i32 };
    let one = OrderBy { keys: vec![key("year", SortDirection::Desc)] };
    assert_eq!(rank_json(Rank::OrderBy(one)), json!(["year", "desc"]));
    let two = OrderBy { keys: vec![key("year", SortDirection::Asc), key("id", SortDirection::Unspecified)] };
    assert_eq!(rank_json(Rank::OrderBy(two)), json!([["year", "asc"], ["id", "asc"]]));
}

#[test]
fn scores_combine() {
    let floor = score(ScoreKind::Constant(0.0));
    let popularity = score(ScoreKind::Attribute("popularity".to_owned()));
    let max = score(ScoreKind::Max(ScoreList { scores: vec![floor, popularity] }));
    let recent = score(ScoreKind::Filter(compare("year", Op::Gte, int(2020))));
    let half = score(ScoreKind::Product(Box::new(WeightedScore { weight: 0.5, score: Some(Box::new(recent)) })));
    let sum = score(ScoreKind::Sum(ScoreList { scores: vec![bm25("whale"), half, max] }));
    let expected = json!([
        "Sum",
        [
            ["title", "BM25", "whale"],
            ["Product", 0.5, ["year", "Gte", 2020]],
            ["Max", [0.0, ["Attribute", "popularity"]]],
        ]
    ]);
    assert_eq!(rank_json(Rank::Score(sum)), expected);
}

#[test]
fn curves_have_a_midpoint_in_numbers_or_time() {
    let updated = || Some(Box::new(score(ScoreKind::Attribute("updated".to_owned()))));
    let origin = value(Kind::DatetimeValue(Timestamp { seconds: 0, nanos: 0 }));
    let dist = score(ScoreKind::Dist(Box::new(DistanceFrom { score: updated(), origin: Some(origin) })));
    let ten_days = Duration { seconds: 864_000, nanos: 1_000_000 };
    let decay = score(ScoreKind::Decay(Box::new(Curve {
        score: Some(Box::new(dist)),
        midpoint: Some(curve::Midpoint::Duration(ten_days)),
        exponent: Some(2.0),
    })));
    let expected = json!(["Decay", ["Dist", ["Attribute", "updated"], "1970-01-01T00:00:00Z"],
        {"midpoint": "864000001ms", "exponent": 2.0}]);
    assert_eq!(rank_json(Rank::Score(decay)), expected);
    let saturate = score(ScoreKind::Saturate(Box::new(Curve {
        score: updated(),
        midpoint: Some(curve::Midpoint::Number(3.5)),
        exponent: None,
    })));
    assert_eq!(rank_json(Rank::Score(saturate)), json!(["Saturate", ["Attribute", "updated"], {"midpoint": 3.5}]));
}

#[test]
fn bm25_takes_lists_and_prefixes() {
    let texts = text_operand::Kind::Texts(StringArray { values: vec!["a".to_owned()] });
    let clause = Bm25 {
        attribute: "tokens".to_owned(),
        operand: Some(TextOperand { kind: Some(texts) }),
        last_as_prefix: Some(true),
    };
    let expected = json!(["tokens", "BM25", ["a"], {"last_as_prefix": true}]);
    assert_eq!(rank_json(Rank::Score(score(ScoreKind::Bm25(clause)))), expected);
}
