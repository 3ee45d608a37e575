//! `layer function`: what an operator asks of functions.

use http::Method;
use serde_json::{Value, json};

use super::{
    encoded,
    pipeline::{failed, printed, remove, told},
};
use crate::{
    arguments::{Format, FunctionVerb, Mesh},
    client::Router,
    failure::Failure,
    output::{say, short, table},
};

/// `layer function …`
pub async fn function(verb: &FunctionVerb) -> Result<(), Failure> {
    match verb {
        FunctionVerb::Ls(mesh) => list(mesh).await,
        FunctionVerb::Status { mesh, id } => status(mesh, id).await,
        FunctionVerb::Failed(letters) => failed("udfs", letters).await,
        FunctionVerb::Retry { mesh, id } => {
            let answer = ask(mesh, id, "reset-failed").await?;
            told(mesh, &answer, &format!("{} put back to work", short(&answer["updated"])))
        }
        FunctionVerb::Pause { mesh, id } => {
            told(mesh, &ask(mesh, id, "pause").await?, &format!("{id} stands still; leases run on"))
        }
        FunctionVerb::Resume { mesh, id } => told(mesh, &ask(mesh, id, "resume").await?, &format!("{id} goes on")),
        FunctionVerb::Discover { mesh, id } => {
            let answer = ask(mesh, id, "discover").await?;
            told(mesh, &answer, &format!("{} rows found", short(&answer["enqueued"])))
        }
        FunctionVerb::Rm { mesh, id } => remove("udfs", mesh, id).await,
    }
}

async fn ask(mesh: &Mesh, id: &str, action: &str) -> Result<Value, Failure> {
    let path = format!("/v2/udfs/{}/{action}", encoded(id));
    Router::new(mesh)?.json(Method::POST, &path, Some(&json!({}))).await
}

async fn list(mesh: &Mesh) -> Result<(), Failure> {
    let page = Router::new(mesh)?.json(Method::GET, "/v2/udfs", None).await?;
    if mesh.output == Format::Json {
        return printed(&page);
    }
    let rows = page["udfs"].as_array().into_iter().flatten().map(|function| {
        let namespaces = function["spec"]["target_namespaces"].as_array().into_iter().flatten();
        let namespaces: Vec<_> = namespaces.filter_map(Value::as_str).collect();
        let state = if function["paused"] == true { "paused" } else { "active" };
        let version = short(&function["spec"]["version"]);
        vec![short(&function["id"]), version, state.to_owned(), namespaces.join(" ")]
    });
    table(&["function", "version", "state", "namespaces"], &rows.collect::<Vec<_>>(), "no functions yet");
    Ok(())
}

async fn status(mesh: &Mesh, id: &str) -> Result<(), Failure> {
    let path = format!("/v2/udfs/{}/status", encoded(id));
    let status = Router::new(mesh)?.json(Method::GET, &path, None).await?;
    if mesh.output == Format::Json {
        return printed(&status);
    }
    let rows = status["counts"].as_object().into_iter().flatten();
    let rows = rows.map(|(stage, count)| vec![stage.clone(), count.to_string()]);
    table(&["stage", "rows"], &rows.collect::<Vec<_>>(), "no stages");
    let paused = if status["paused"] == true { "paused; " } else { "" };
    let rate = status["indexed_rate_per_min"].as_f64().unwrap_or_default();
    let sweeps = &status["discovery"]["sweeps_completed"];
    say(&format!("{paused}{rate:.0} done a minute; looked through all namespaces {sweeps} times\n"));
    Ok(())
}
