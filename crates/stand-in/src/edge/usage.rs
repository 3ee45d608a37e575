//! The `billing` and `performance` blocks of a query's answer.
//!
//! minifugu fills them with zeros and its own byte counts. Times are measured here. Bytes follow the formula that the
//! SDKs' tests check (docs/stand-in.md): per row 8 bytes of integer id or the length of a string one, 4 bytes of
//! `$dist`, and each attribute at its logical size. The rows themselves are relayed as text, never written anew, so
//! their numbers keep every digit.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Map, Value, json, value::RawValue};

use super::asked::{Asked, set_json};

/// The least a query is billed for, as the SDKs' tests expect it.
const MIN_QUERIED_BYTES: u64 = 256_000_000;
/// The live service never answers faster, and the TypeScript SDK's tests take less for a broken clock.
const MIN_MS: u64 = 3;

/// An answer's top level, its values left as text. minifugu's own maps are sorted too, so the order stays.
type Fields = BTreeMap<String, Box<RawValue>>;

pub(super) fn report(asked: &Asked, response: &mut Response<Bytes>) {
    if response.status() != StatusCode::OK || !asked.is(&Method::POST, "v2", "query") {
        return;
    }
    if let Some(body) = with_usage(asked, response.body()) {
        set_json(response, body);
    }
}

fn with_usage(asked: &Asked, answer: &[u8]) -> Option<Vec<u8>> {
    let mut fields: Fields = serde_json::from_slice(answer).ok()?;
    let performance = performance(&fields, asked.received.elapsed(), asked.began.elapsed())?;
    let billing = billing(&fields)?;
    fields.insert("performance".to_owned(), performance);
    fields.insert("billing".to_owned(), billing);
    serde_json::to_vec(&fields).ok()
}

fn performance(fields: &Fields, total: Duration, running: Duration) -> Option<Box<RawValue>> {
    let mut performance: Map<String, Value> = serde_json::from_str(fields.get("performance")?.get()).ok()?;
    performance.insert("server_total_ms".to_owned(), json!(whole_ms(total)));
    performance.insert("query_execution_ms".to_owned(), json!(whole_ms(running)));
    serde_json::value::to_raw_value(&performance).ok()
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(MIN_MS)
}

fn billing(fields: &Fields) -> Option<Box<RawValue>> {
    let counted: Value = serde_json::from_str(fields.get("billing")?.get()).ok()?;
    let queried = counted["billable_logical_bytes_queried"].as_u64()?.max(MIN_QUERIED_BYTES);
    let returned: u64 = row_lists(fields).iter().flatten().map(row_bytes).sum();
    let billing = json!({"billable_logical_bytes_queried": queried, "billable_logical_bytes_returned": returned});
    serde_json::value::to_raw_value(&billing).ok()
}

/// The rows of the one answer, or of each answer of a multi-query.
fn row_lists(fields: &Fields) -> Vec<Vec<Map<String, Value>>> {
    #[derive(serde::Deserialize)]
    struct Answer {
        #[serde(default)]
        rows: Vec<Map<String, Value>>,
    }
    let single = fields.get("rows").and_then(|rows| serde_json::from_str(rows.get()).ok());
    let several: Option<Vec<Answer>> = fields.get("results").and_then(|all| serde_json::from_str(all.get()).ok());
    single.into_iter().chain(several.into_iter().flatten().map(|answer| answer.rows)).collect()
}

fn row_bytes(row: &Map<String, Value>) -> u64 {
    row.iter().map(|(name, value)| if name == "$dist" { 4 } else { logical_bytes(value) }).sum()
}

/// A list of numbers with a fraction or a vector of them counts as f32; the schema, which would tell, is not at hand.
fn logical_bytes(value: &Value) -> u64 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 8,
        Value::String(text) => text.len() as u64,
        Value::Array(items) => items.iter().map(element_bytes).sum(),
        Value::Object(fields) => fields.values().map(element_bytes).sum(),
    }
}

fn element_bytes(item: &Value) -> u64 {
    match item {
        Value::Number(number) if number.is_f64() => 4,
        other => logical_bytes(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::asked::asked;

    fn reported(answer: &str) -> (String, Value) {
        let mut response = Response::new(Bytes::from(answer.to_owned()));
        report(&asked(Method::POST, "/v2/namespaces/a/query", "{}"), &mut response);
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        let value = serde_json::from_str(&text).unwrap();
        (text, value)
    }

    const USAGE: &str =
        r#""billing":{"billable_logical_bytes_queried":7},"performance":{"cache_hit_ratio":1.0,"server_total_ms":0}"#;

    #[test]
    fn rows_are_billed_by_the_formula_of_the_sdk_tests_and_kept_as_text() {
        let rows = r#""rows":[{"$dist":0.10,"id":18446744073709551615,"v":[0.1,0.2],"hello":"world"}]"#;
        let (text, answer) = reported(&format!("{{{USAGE},{rows}}}"));
        assert!(text.contains(rows), "{text}");
        assert_eq!(answer["billing"]["billable_logical_bytes_returned"], 8 + 4 + 8 + 5);
        assert_eq!(answer["billing"]["billable_logical_bytes_queried"], MIN_QUERIED_BYTES);
        let (total, running) =
            (&answer["performance"]["server_total_ms"], &answer["performance"]["query_execution_ms"]);
        assert!(total.as_u64() >= Some(MIN_MS) && running.as_u64() >= Some(MIN_MS), "{answer}");
        assert_eq!(
            answer["performance"],
            json!({"cache_hit_ratio": 1.0, "server_total_ms": total, "query_execution_ms": running})
        );
    }

    #[test]
    fn every_answer_of_a_multi_query_counts() {
        let (_, answer) = reported(&format!(
            r#"{{{USAGE},"results":[{{"rows":[{{"id":"abc"}}]}},{{"aggregations":{{"n":1}}}},{{"rows":[{{"id":1}}]}}]}}"#
        ));
        assert_eq!(answer["billing"]["billable_logical_bytes_returned"], 3 + 8);
    }
}
