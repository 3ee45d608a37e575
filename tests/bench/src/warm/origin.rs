//! The namespaces that are warmed, as the fake origin has them: `bench-warm-N` has N documents, by the integers below N.

use serde::Deserialize;

use crate::fetch::documents;

const PREFIX: &str = "bench-warm-";

/// The namespace with so many documents.
pub fn namespace(count: u64) -> String {
    format!("{PREFIX}{count}")
}

/// How many documents a namespace has; nothing where it is none of these.
pub fn count(namespace: &str) -> Option<u64> {
    namespace.strip_prefix(PREFIX)?.parse().ok()
}

/// The origin's word on a namespace.
pub fn metadata(count: u64) -> String {
    format!(r#"{{"approx_row_count":{count},"schema":{{}}}}"#)
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    filters: Option<(String, String, u64)>,
    limit: u64,
}

/// The query for the `limit` ids behind `after`.
pub fn page(after: Option<u64>, limit: u64) -> String {
    let filters = after.map(|after| format!(r#""filters":["id","Gt",{after}],"#)).unwrap_or_default();
    format!(r#"{{{filters}"rank_by":["id","asc"],"limit":{limit}}}"#)
}

/// The ids behind `after`.
pub fn page_ids(after: Option<u64>, limit: u64, count: u64) -> std::ops::Range<u64> {
    let first = after.map_or(0, |after| after + 1).min(count);
    first..count.min(first + limit)
}

/// The answer to a query for documents by their ids, or for a page of ids.
pub fn answer(query: &[u8], count: u64) -> Option<String> {
    let rows: Vec<String> = match documents::asked(query) {
        Some(ids) => ids.into_iter().filter(|id| *id < count).map(documents::row).collect(),
        None => {
            let Page { filters, limit } = serde_json::from_slice(query).ok()?;
            let after = match filters {
                None => None,
                Some((attribute, operator, after)) if attribute == "id" && operator == "Gt" => Some(after),
                Some(_) => return None,
            };
            page_ids(after, limit, count).map(|id| format!(r#"{{"id":{id}}}"#)).collect()
        }
    };
    Some(format!(r#"{{"rows":[{}]}}"#, rows.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_name_every_id_once_and_end() {
        let (mut after, mut pages) = (None, Vec::new());
        while let Some(answer) = answer(page(after, 4).as_bytes(), 10) {
            let ids = page_ids(after, 4, 10);
            after = ids.clone().last();
            pages.push(answer);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(pages[0], r#"{"rows":[{"id":0},{"id":1},{"id":2},{"id":3}]}"#);
        assert_eq!(pages[2..], [r#"{"rows":[{"id":8},{"id":9}]}"#, r#"{"rows":[]}"#]);
    }

    #[test]
    fn rows_are_the_documents_that_there_are() {
        let query = documents::query([3, 10, 1].into_iter());
        let expected = format!(r#"{{"rows":[{},{}]}}"#, documents::row(3), documents::row(1));
        assert_eq!(answer(query.as_bytes(), 10), Some(expected));
        assert_eq!(answer(b"{}", 10), None);
        assert_eq!(answer(br#"{"filters":["v","Gt",1],"limit":3}"#, 10), None);
    }

    #[test]
    fn a_namespace_says_how_many_it_has() {
        assert_eq!(count(&namespace(200_000)), Some(200_000));
        assert_eq!(count("bench-documents"), None);
        assert_eq!(count("bench-warm-x"), None);
    }
}
