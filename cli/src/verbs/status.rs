//! `layer status`

use http::Method;
use serde_json::{Value, json};

use crate::{
    arguments::{Format, Mesh},
    client::Router,
    failure::Failure,
    output::{say, table},
};

/// Says whether the router takes requests and whether the origin answers through it; fails when either does not.
pub async fn status(mesh: &Mesh) -> Result<(), Failure> {
    let router = Router::new(mesh)?;
    let live = router.json(Method::GET, "/health", None).await?;
    let (ready, body) = router.ask(Method::GET, "/ready", None).await?;
    let ready_word =
        serde_json::from_slice::<Value>(&body).ok().and_then(|json| Some(json["status"].as_str()?.to_owned()));
    let origin = router.json(Method::GET, "/v1/namespaces?page_size=1", None).await;
    let origin_word = if origin.is_ok() { "answers" } else { "does not answer" };
    let version = live["version"].as_str().unwrap_or("?").to_owned();
    let ready_word = ready_word.unwrap_or_else(|| ready.to_string());
    match mesh.output {
        Format::Json => {
            let page = json!({"url": mesh.url, "version": version, "router": ready_word, "origin": origin_word});
            say(&format!("{page}\n"));
        }
        Format::Table => {
            let rows = vec![
                vec!["query-router".to_owned(), ready_word, format!("{} version {version}", mesh.url)],
                vec!["origin".to_owned(), origin_word.to_owned(), "asked through the router".to_owned()],
            ];
            table(&["part", "state", "detail"], &rows, "");
        }
    }
    origin?;
    if ready.is_success() { Ok(()) } else { Err(Failure::new("the router is not ready; wait, or look at its log")) }
}
