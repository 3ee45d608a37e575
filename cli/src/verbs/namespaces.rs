//! `layer namespaces`

use http::Method;
use serde_json::Value;

use super::encoded;
use crate::{
    arguments::{Format, Namespaces},
    client::Router,
    failure::Failure,
    output::{say, table},
};

/// Lists namespaces with what their metadata says.
pub async fn namespaces(arguments: &Namespaces) -> Result<(), Failure> {
    let router = Router::new(&arguments.mesh)?;
    let mut path = format!("/v1/namespaces?page_size={}", arguments.limit);
    if let Some(prefix) = &arguments.prefix {
        path.push_str(&format!("&prefix={}", encoded(prefix)));
    }
    let page = router.json(Method::GET, &path, None).await?;
    if arguments.mesh.output == Format::Json {
        say(&format!("{page}\n"));
        return Ok(());
    }
    let mut rows = Vec::new();
    for namespace in page["namespaces"].as_array().into_iter().flatten() {
        rows.push(row(&router, namespace["id"].as_str().unwrap_or_default()).await);
    }
    table(&["namespace", "rows (about)", "attributes", "last write"], &rows, "no namespaces yet; write to one");
    if page["next_cursor"].is_string() {
        say("… and more; see further with --limit or --prefix\n");
    }
    Ok(())
}

/// One line; metadata that cannot be read leaves its cells empty rather than the list unprinted.
async fn row(router: &Router, name: &str) -> Vec<String> {
    let path = format!("/v2/namespaces/{}/metadata", encoded(name));
    let metadata = router.json(Method::GET, &path, None).await.unwrap_or(Value::Null);
    let count = metadata["approx_row_count"].as_u64().map(|count| count.to_string());
    let attributes = metadata["schema"].as_object().map(|schema| schema.len().to_string());
    let written = metadata["last_write_at"].as_str().map(str::to_owned);
    vec![name.to_owned(), count.unwrap_or_default(), attributes.unwrap_or_default(), written.unwrap_or_default()]
}
