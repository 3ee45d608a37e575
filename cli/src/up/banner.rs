//! What `layer up` prints when it is ready.

use crate::output::{own_name, render};

/// What listens where.
pub struct Parts {
    /// The router's base URL.
    pub router: String,
    /// The router's admin URL.
    pub router_admin: String,
    /// The stand-in's base URL and admin URL, where it is the origin.
    pub stand_in: Option<(String, String)>,
    /// The document cache's address and admin URL, where this mesh has its own.
    pub doc_cache: Option<(String, String)>,
    /// The pipeline-worker's address and admin URL, where this mesh has its own.
    pub pipeline_worker: Option<(String, String)>,
    /// The origin's host and port.
    pub origin: String,
    /// The key that the lines show.
    pub key: &'static str,
    /// The data directory.
    pub data_dir: String,
}

/// The table and the three lines that a newcomer types next.
pub fn banner(parts: &Parts) -> String {
    let mut rows = vec![vec![
        "query-router".to_owned(),
        parts.router.clone(),
        parts.router_admin.clone(),
        "HTTP and gRPC; keeps nothing".to_owned(),
    ]];
    if let Some((url, admin)) = &parts.doc_cache {
        let what = "gRPC; documents in memory and in the data directory, disposable".to_owned();
        rows.push(vec!["doc-cache".to_owned(), url.clone(), admin.clone(), what]);
    }
    if let Some((url, admin)) = &parts.pipeline_worker {
        let what = "gRPC; pipelines and functions, their state in the data directory".to_owned();
        rows.push(vec!["pipeline-worker".to_owned(), url.clone(), admin.clone(), what]);
    }
    let origin = match &parts.stand_in {
        Some((url, admin)) => {
            let what = "embedded stand-in for Turbopuffer (minifugu)".to_owned();
            rows.push(vec!["stand-in".to_owned(), url.clone(), admin.clone(), what]);
            "the embedded stand-in: for development and tests, it is not Turbopuffer".to_owned()
        }
        None => format!("Turbopuffer at {}", parts.origin),
    };
    format!(
        "Layer {version} is up.\n\n{table}\norigin: {origin}\ndata:   {data}\n\nType next:\n\n{next}",
        version = env!("CARGO_PKG_VERSION"),
        table = render(&["part", "address", "admin", "what it is"], &rows),
        data = parts.data_dir,
        next = next(&parts.router, parts.key),
    )
}

fn next(router: &str, key: &str) -> String {
    let write = r#"{"upsert_rows":[{"id":1,"title":"blue whale"}],"schema":{"title":{"type":"string","full_text_search":true}}}"#;
    let layer = own_name();
    let bearer = format!("\"authorization: Bearer {key}\"");
    format!(
        "  export TURBOPUFFER_BASE_URL={router} TURBOPUFFER_API_KEY={key}\n  \
         curl -s {router}/v2/namespaces/hello -H {bearer} -d '{write}'\n  \
         {layer} query hello --text title whale --url {router} --api-key {key}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_carry_a_key_that_works_and_say_what_the_origin_is() {
        let mut parts = Parts {
            router: "http://127.0.0.1:8080".to_owned(),
            router_admin: "http://127.0.0.1:9080".to_owned(),
            stand_in: Some(("http://127.0.0.1:8090".to_owned(), "http://127.0.0.1:9090".to_owned())),
            doc_cache: Some(("http://127.0.0.1:8081".to_owned(), "http://127.0.0.1:9081".to_owned())),
            pipeline_worker: Some(("http://127.0.0.1:8082".to_owned(), "http://127.0.0.1:9082".to_owned())),
            origin: "127.0.0.1:8090".to_owned(),
            key: "demo",
            data_dir: "d".to_owned(),
        };
        let text = banner(&parts);
        assert!(text.contains("Bearer demo") && text.contains("not Turbopuffer"), "{text}");
        assert!(text.contains("http://127.0.0.1:8081") && text.contains("http://127.0.0.1:9081"), "{text}");
        assert!(text.contains("http://127.0.0.1:8082") && text.contains("http://127.0.0.1:9082"), "{text}");
        (parts.stand_in, parts.key) = (None, "$LAYER_ORIGIN_API_KEY");
        let text = banner(&parts);
        assert!(text.contains("$LAYER_ORIGIN_API_KEY") && !text.contains("stand-in"), "{text}");
    }
}
