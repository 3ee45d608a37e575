//! Rankings: `[attr,"ANN",vector]`, order by attributes, and scores (in `score.rs`).

use layer_proto::types::v1::rank_by::Kind;
use layer_proto::types::v1::vector_search::Query;
use layer_proto::types::v1::{
    Embed, OrderBy, OrderKey, RankBy, SortDirection, SparseVectorSearch, VectorSearch, VectorSearchMethod,
};

use super::encoder::Encoder;
use super::names;
use super::score;
use super::vector::{self, VectorForm};

/// Most attributes that the origin orders by.
const MAX_ORDER_KEYS: usize = 8;

/// Writes a ranking.
pub(super) fn rank_by<'a>(e: &mut Encoder<'a>, rank: &'a RankBy) {
    match &rank.kind {
        Some(Kind::VectorSearch(search)) => e.field("vector_search", |e| vector_search(e, search)),
        Some(Kind::SparseSearch(search)) => e.field("sparse_search", |e| sparse_search(e, search)),
        Some(Kind::Score(inner)) => e.field("score", |e| score::score(e, inner)),
        Some(Kind::OrderBy(order)) => e.field("order_by", |e| order_by(e, order)),
        None => e.violation("must have one of vector_search, sparse_search, score, order_by"),
    }
}

fn vector_search<'a>(e: &mut Encoder<'a>, search: &'a VectorSearch) {
    e.array(|e| {
        e.field("attribute", |e| names::reference(e, &search.attribute));
        match VectorSearchMethod::try_from(search.method) {
            Ok(VectorSearchMethod::Unspecified | VectorSearchMethod::Ann) => e.json.scalar("ANN"),
            Ok(VectorSearchMethod::Knn) => e.json.scalar("kNN"),
            Err(_) => e.field("method", |e| e.violation("must be a method of VectorSearchMethod")),
        }
        match &search.query {
            Some(Query::Vector(dense)) => e.field("vector", |e| vector::dense(e, dense, VectorForm::Base64)),
            Some(Query::MultiVector(multi)) => e.field("multi_vector", |e| vector::multi(e, multi)),
            Some(Query::Embed(text)) => e.field("embed", |e| embed(e, text)),
            None => e.violation("must have one of vector, multi_vector, embed"),
        }
    });
}

fn embed(e: &mut Encoder<'_>, embed: &Embed) {
    e.array(|e| {
        e.json.scalar("Embed");
        e.json.scalar(&embed.text);
        if let Some(model) = &embed.model {
            e.object(|e| e.member("model", |e| names::required_text(e, model)));
        }
    });
}

fn sparse_search<'a>(e: &mut Encoder<'a>, search: &'a SparseVectorSearch) {
    e.array(|e| {
        e.field("attribute", |e| names::reference(e, &search.attribute));
        e.json.scalar("SparseKNN");
        e.field("vector", |e| match &search.vector {
            Some(weights) => vector::sparse(e, weights),
            None => e.violation("is required"),
        });
    });
}

fn order_by<'a>(e: &mut Encoder<'a>, order: &'a OrderBy) {
    e.field("keys", |e| match order.keys.as_slice() {
        // The wire writes a single key without the list around it.
        [key] => e.index(0, |e| order_key(e, key)),
        keys => {
            e.check((1..=MAX_ORDER_KEYS).contains(&keys.len()), "must have 1 to 8 keys");
            e.list(keys, order_key);
        }
    });
}

fn order_key(e: &mut Encoder<'_>, key: &OrderKey) {
    e.array(|e| {
        e.field("attribute", |e| names::reference(e, &key.attribute));
        match SortDirection::try_from(key.direction) {
            Ok(SortDirection::Unspecified | SortDirection::Asc) => e.json.scalar("asc"),
            Ok(SortDirection::Desc) => e.json.scalar("desc"),
            Err(_) => e.field("direction", |e| e.violation("must be a direction of SortDirection")),
        }
    });
}
