//! `{"$ref_new": "attr"}` in the condition of a write: the value that the written row itself brings.
//!
//! minifugu knows only constants there. So such a write is carried out as several: rows that bring the same values go
//! together, under the condition with these values put in. Writes of this kind exclude each other; a write of another kind
//! may come in between, which the live service would not let happen.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Map, Value, json};

use crate::engine::Engine;

/// What marks an operand.
const REF_NEW: &str = "$ref_new";
/// Condition, rows, and the same rows as columns.
const KINDS: [(&str, &str, &str); 3] = [
    ("upsert_condition", "upsert_rows", "upsert_columns"),
    ("patch_condition", "patch_rows", "patch_columns"),
    ("delete_condition", "deletes", ""),
];
/// What parts of one write have in common.
const COMMON: [&str; 3] = ["schema", "distance_metric", "return_affected_ids"];

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Calls the engine; a write with such a condition in parts.
pub(super) fn call(engine: &Engine, request: Request<Bytes>) -> Response<Bytes> {
    let mentions =
        request.method() == Method::POST && memchr::memmem::find(request.body(), REF_NEW.as_bytes()).is_some();
    let Some(parts) = mentions.then(|| parts(request.body())).flatten() else { return engine.call(request) };
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut whole: Option<Response<Bytes>> = None;
    for part in parts {
        let answer = engine.call(copied(&request, &part));
        if !answer.status().is_success() {
            return answer;
        }
        whole = Some(match whole {
            None => answer,
            Some(before) => joined(before, &answer),
        });
    }
    whole.unwrap_or_else(|| engine.call(request))
}

fn copied(request: &Request<Bytes>, body: &Value) -> Request<Bytes> {
    let mut part = Request::new(Bytes::from(body.to_string()));
    *part.method_mut() = request.method().clone();
    *part.uri_mut() = request.uri().clone();
    *part.headers_mut() = request.headers().clone();
    part.headers_mut().remove(http::header::CONTENT_LENGTH);
    part
}

/// The writes that make up `body`, in order; `None` where it has no such condition or cannot be read.
fn parts(body: &[u8]) -> Option<Vec<Value>> {
    let mut body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    if !KINDS.iter().any(|(condition, ..)| body.get(*condition).is_some_and(has_reference)) {
        return None;
    }
    let mut parts = Vec::new();
    for (condition, rows, columns) in KINDS {
        if !body.get(condition).is_some_and(has_reference) {
            continue;
        }
        let filter = body.remove(condition)?;
        let rows_of = match body.remove(rows) {
            Some(Value::Array(rows)) => rows,
            Some(_) => return None,
            None => body.remove(columns).and_then(|columns| as_rows(&columns)).unwrap_or_default(),
        };
        let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut filters = BTreeMap::new();
        for row in rows_of {
            let own = resolved(&filter, &row);
            let key = own.to_string();
            groups.entry(key.clone()).or_default().push(row);
            filters.insert(key, own);
        }
        for (key, group) in groups {
            let mut part: Map<String, Value> =
                COMMON.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone()))).collect();
            part.insert(rows.to_owned(), Value::Array(group));
            part.insert(condition.to_owned(), filters.remove(&key)?);
            parts.push(Value::Object(part));
        }
    }
    if body.keys().any(|name| !COMMON.contains(&name.as_str())) {
        // What else the write does comes first, as deletes by filter do.
        parts.insert(0, Value::Object(body));
    }
    Some(parts)
}

fn has_reference(filter: &Value) -> bool {
    match filter {
        Value::Array(parts) => parts.iter().any(has_reference),
        Value::Object(operand) => operand.contains_key(REF_NEW),
        _ => false,
    }
}

/// The condition with the row's values put in; of a row that is deleted they are null.
fn resolved(filter: &Value, row: &Value) -> Value {
    match filter {
        Value::Array(parts) => parts.iter().map(|part| resolved(part, row)).collect(),
        Value::Object(operand) => match operand.get(REF_NEW).and_then(Value::as_str) {
            Some(attribute) => row.get(attribute).cloned().unwrap_or(Value::Null),
            None => filter.clone(),
        },
        _ => filter.clone(),
    }
}

/// `{"id": [1, 2], "a": [3, 4]}` as rows.
fn as_rows(columns: &Value) -> Option<Vec<Value>> {
    let columns = columns.as_object()?;
    let count = columns.get("id")?.as_array()?.len();
    let row = |at: usize| -> Option<Value> {
        let values = columns.iter().map(|(name, values)| Some((name.clone(), values.get(at)?.clone())));
        Some(Value::Object(values.collect::<Option<Map<_, _>>>()?))
    };
    (0..count).map(row).collect()
}

/// Two answers as one: numbers of rows are added, ids listed one behind the other; the rest is the last one's.
fn joined(before: Response<Bytes>, after: &Response<Bytes>) -> Response<Bytes> {
    let read = |body: &Bytes| serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
    let (first, mut both) = (read(before.body()), read(after.body()));
    for (name, value) in first {
        let merged = match (&value, both.get(&name)) {
            (Value::Number(a), Some(Value::Number(b))) if name.starts_with("rows_") => {
                json!(a.as_u64().unwrap_or(0) + b.as_u64().unwrap_or(0))
            }
            (Value::Array(a), Some(Value::Array(b))) => a.iter().chain(b).cloned().collect(),
            (_, Some(_)) => continue,
            (_, None) => value,
        };
        both.insert(name, merged);
    }
    let mut response = before;
    super::asked::set_json(&mut response, Value::Object(both).to_string().into_bytes());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_bring_the_same_value_are_written_together() {
        let body = json!({
            "upsert_rows": [{"id": 1, "v": 5}, {"id": 2, "v": 5}, {"id": 3, "v": 6}],
            "upsert_condition": ["And", [["v", "Lte", {"$ref_new": "v"}], ["a", "Eq", 1]]],
            "schema": {"v": "uint"},
            "deletes": [9],
        });
        let parts = parts(body.to_string().as_bytes()).unwrap();
        assert_eq!(parts[0], json!({"deletes": [9], "schema": {"v": "uint"}}));
        assert_eq!(parts[1]["upsert_rows"], json!([{"id": 1, "v": 5}, {"id": 2, "v": 5}]));
        assert_eq!(parts[1]["upsert_condition"], json!(["And", [["v", "Lte", 5], ["a", "Eq", 1]]]));
        assert_eq!(parts[2]["upsert_condition"][1][0], json!(["v", "Lte", 6]));
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn columns_are_rows_too_and_deletes_bring_null() {
        let body = json!({
            "patch_columns": {"id": [1, 2], "v": [5, 6]},
            "patch_condition": ["v", "Lt", {"$ref_new": "v"}],
            "deletes": [1],
            "delete_condition": ["v", "Eq", {"$ref_new": "v"}],
        });
        let parts = parts(body.to_string().as_bytes()).unwrap();
        assert_eq!(parts[0]["patch_rows"], json!([{"id": 1, "v": 5}]));
        assert_eq!(parts[2], json!({"deletes": [1], "delete_condition": ["v", "Eq", null]}));
    }

    #[test]
    fn other_writes_are_left_alone() {
        assert_eq!(parts(br#"{"upsert_rows":[{"id":1,"t":"$ref_new"}],"upsert_condition":["a","Eq",1]}"#), None);
        assert_eq!(parts(br#"["$ref_new"]"#), None);
    }
}
