//! `layer query`

use http::Method;
use serde_json::{Map, Value, json};

use super::encoded;
use crate::{
    arguments::{Format, Query},
    client::Router,
    failure::Failure,
    output::{say, short, table},
};

/// Asks a namespace and prints its rows.
pub async fn query(arguments: &Query) -> Result<(), Failure> {
    let body = body(arguments)?;
    let path = format!("/v2/namespaces/{}/query", encoded(&arguments.namespace));
    let answer = Router::new(&arguments.mesh)?.json(Method::POST, &path, Some(&body)).await?;
    match arguments.mesh.output {
        Format::Json => say(&format!("{answer}\n")),
        Format::Table => print(answer["rows"].as_array().map_or(&[], Vec::as_slice)),
    }
    Ok(())
}

fn body(arguments: &Query) -> Result<Value, Failure> {
    let mut body = json!({"rank_by": rank_by(arguments)?, "top_k": arguments.top_k, "include_attributes": true});
    if let Some(names) = &arguments.include {
        body["include_attributes"] = json!(names);
    }
    if let Some(filters) = &arguments.filters {
        body["filters"] = parse("--filters", filters)?;
    }
    Ok(body)
}

fn rank_by(arguments: &Query) -> Result<Value, Failure> {
    if let Some([attribute, text]) = arguments.text.as_deref() {
        return Ok(json!([attribute, "BM25", text]));
    }
    if let Some(vector) = &arguments.vector {
        return Ok(json!(["vector", "ANN", parse("--vector", vector)?]));
    }
    arguments.rank_by.as_deref().map_or_else(|| Ok(json!(["id", "asc"])), |rank| parse("--rank-by", rank))
}

fn parse(option: &str, text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::usage(format!("{option} is not JSON: {error}")))
}

fn print(rows: &[Value]) {
    let objects: Vec<&Map<String, Value>> = rows.iter().filter_map(Value::as_object).collect();
    let mut head = vec!["id"];
    for name in objects.iter().flat_map(|row| row.keys()) {
        if !head.contains(&name.as_str()) {
            head.push(name);
        }
    }
    let cells =
        |row: &&Map<String, Value>| head.iter().map(|name| row.get(*name).map(short).unwrap_or_default()).collect();
    let lines: Vec<Vec<String>> = objects.iter().map(cells).collect();
    table(&head, &lines, "no rows");
}
