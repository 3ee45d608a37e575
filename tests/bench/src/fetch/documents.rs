//! The documents that are fetched: 10,000 of them, made from their ids, each 1 KiB as the router answers it.
//!
//! The fake origin, the cache's answers over both protocols and what Redis is given are all made from here, so that
//! every answer can be compared byte for byte.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use layer_proto::router::v1::{BatchFetchResponse, Document, FetchResponse};
use layer_proto::types::v1::{Id, Value, id, value};

/// The namespace that they live in; the fake origin looks into queries of namespaces whose names begin so.
pub const NAMESPACE: &str = "bench-documents";

/// Documents there are: their ids are the integers below.
pub const COUNT: u64 = 10_000;

/// Documents in a batch.
pub const BATCH: u64 = 100;

/// Bytes of a document as the router answers it.
pub const BYTES: usize = 1_024;

const FILLER: &str = "the quick brown fox jumps over a lazy dog ";

static TEXT: LazyLock<String> = LazyLock::new(|| FILLER.repeat(BYTES / FILLER.len() + 1));

fn title(id: u64) -> String {
    format!("A headline of document {id}")
}

/// The text that fills the document up to its size.
fn text(id: u64) -> &'static str {
    let without = shown_with(id, "").len();
    &TEXT[..BYTES - without]
}

fn shown_with(id: u64, text: &str) -> String {
    format!(r#"{{"id":{id},"attributes":{{"category":"news","text":"{text}","title":"{}"}}}}"#, title(id))
}

/// The document as the router answers it over HTTP.
pub fn shown(id: u64) -> String {
    shown_with(id, text(id))
}

/// The document as a row, as it is written to the origin and answered by it.
pub fn row(id: u64) -> String {
    format!(r#"{{"id":{id},"category":"news","text":"{}","title":"{}"}}"#, text(id), title(id))
}

/// A write of these documents.
pub fn write(ids: impl Iterator<Item = u64>) -> String {
    let rows: Vec<String> = ids.map(row).collect();
    format!(r#"{{"upsert_rows":[{}]}}"#, rows.join(","))
}

/// The ids of a batch: spread over all documents, and together the batches name every document once.
pub fn batch(number: u64) -> impl Iterator<Item = u64> {
    (0..BATCH).map(move |place| place * (COUNT / BATCH) + number)
}

/// The answer to a fetch of many over HTTP.
pub fn shown_batch(ids: impl Iterator<Item = u64>) -> String {
    let documents: Vec<String> = ids.map(shown).collect();
    format!(r#"{{"documents":[{}],"missing":[]}}"#, documents.join(","))
}

/// The answer to a fetch over gRPC.
pub fn message(id: u64) -> FetchResponse {
    FetchResponse { document: Some(document(id)) }
}

/// The answer to a fetch of many over gRPC.
pub fn message_batch(ids: impl Iterator<Item = u64>) -> BatchFetchResponse {
    BatchFetchResponse { documents: ids.map(document).collect(), missing: Vec::new() }
}

/// An id over gRPC.
pub fn message_id(id: u64) -> Id {
    Id { kind: Some(id::Kind::UintValue(id)) }
}

fn document(id: u64) -> Document {
    let attribute = |name: &str, text: String| (name.to_owned(), Value { kind: Some(value::Kind::StringValue(text)) });
    let attributes = [
        attribute("category", "news".to_owned()),
        attribute("text", text(id).to_owned()),
        attribute("title", title(id)),
    ];
    Document { id: Some(message_id(id)), attributes: BTreeMap::from(attributes) }
}

/// The origin's answer to a query for these ids; those that are no document are left out, as an origin does.
pub fn answer(ids: impl Iterator<Item = u64>) -> String {
    let rows: Vec<&str> = ids.filter_map(|id| ROWS.get(usize::try_from(id).ok()?)).map(String::as_str).collect();
    format!(r#"{{"rows":[{}]}}"#, rows.join(","))
}

static ROWS: LazyLock<Vec<String>> = LazyLock::new(|| (0..COUNT).map(row).collect());

/// A query of the origin for these ids.
pub fn query(ids: impl Iterator<Item = u64>) -> String {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    format!(
        r#"{{"filters":["id","In",[{}]],"rank_by":["id","asc"],"limit":{},"include_attributes":true,"consistency":{{"level":"strong"}}}}"#,
        ids.join(","),
        ids.len()
    )
}

/// The ids that a query asks for; none where it is no query by id.
pub fn asked(query: &[u8]) -> Option<Vec<u64>> {
    let text = std::str::from_utf8(query).ok()?;
    let (_, rest) = text.split_once(r#""In",["#)?;
    let (ids, _) = rest.split_once(']')?;
    ids.split(',').map(|id| id.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_one_size_and_are_json() {
        for id in [0, 7, COUNT - 1, 10_000_000] {
            assert_eq!(shown(id).len(), BYTES);
            serde_json::from_str::<serde_json::Value>(&shown(id)).unwrap();
            serde_json::from_str::<serde_json::Value>(&write([id].into_iter())).unwrap();
        }
    }

    #[test]
    fn a_query_is_answered_with_the_documents_that_there_are() {
        let ids = asked(query([3, COUNT, 1].into_iter()).as_bytes()).unwrap();
        assert_eq!(ids, [3, COUNT, 1]);
        assert_eq!(answer(ids.into_iter()), format!(r#"{{"rows":[{},{}]}}"#, row(3), row(1)));
        assert_eq!(asked(b"{}"), None);
    }

    #[test]
    fn the_batches_name_every_document_once() {
        let mut named: Vec<u64> = (0..COUNT / BATCH).flat_map(batch).collect();
        named.sort_unstable();
        assert!(named.into_iter().eq(0..COUNT));
    }
}
