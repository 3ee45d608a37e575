//! `layer pipeline`: what a producer or an operator asks of pipelines.

use http::Method;
use serde_json::{Value, json};

use super::encoded;
use crate::{
    arguments::{Format, Letters, Mesh, PipelineVerb, Retry},
    client::Router,
    failure::Failure,
    output::{clean, say, short, table},
};

/// `layer pipeline …`
pub async fn pipeline(verb: &PipelineVerb) -> Result<(), Failure> {
    match verb {
        PipelineVerb::Run(run) => super::run::run(run).await,
        PipelineVerb::Ls(mesh) => list(mesh).await,
        PipelineVerb::Status { mesh, id } => status(mesh, id).await,
        PipelineVerb::Failed(letters) => failed("pipelines", letters).await,
        PipelineVerb::Retry(retry) => again(retry).await,
        PipelineVerb::Rm { mesh, id } => remove("pipelines", mesh, id).await,
    }
}

async fn list(mesh: &Mesh) -> Result<(), Failure> {
    let page = Router::new(mesh)?.json(Method::GET, "/v2/pipelines", None).await?;
    if mesh.output == Format::Json {
        return printed(&page);
    }
    let rows = page["pipelines"].as_array().into_iter().flatten().map(|pipeline| {
        ["id", "target_namespace", "distance_metric", "created_at"].map(|name| short(&pipeline[name])).to_vec()
    });
    let head = ["pipeline", "namespace", "distance", "made"];
    table(&head, &rows.collect::<Vec<_>>(), "no pipelines yet; `layer pipeline run` makes one");
    Ok(())
}

async fn status(mesh: &Mesh, id: &str) -> Result<(), Failure> {
    let router = Router::new(mesh)?;
    let path = format!("/v2/pipelines/{}/status", encoded(id));
    let status = router.json(Method::GET, &path, None).await?;
    if mesh.output == Format::Json {
        return printed(&status);
    }
    let rows = status["counts"].as_object().into_iter().flatten();
    let rows = rows.map(|(stage, count)| vec![stage.clone(), count.to_string()]);
    table(&["stage", "documents"], &rows.collect::<Vec<_>>(), "no stages");
    say(&format!("{}\n", summary(&status)));
    Ok(())
}

/// What a status says beside its counts, in a line.
fn summary(status: &Value) -> String {
    let number = |name: &str| status[name].as_f64().unwrap_or_default();
    let reasons = status["failed_reasons"].as_object().into_iter().flatten();
    let reasons: Vec<_> = reasons.map(|(reason, count)| format!("{count} {reason}")).collect();
    let failed = if reasons.is_empty() { String::new() } else { format!("; failed: {}", reasons.join(", ")) };
    format!("{}; {:.0} done a minute{failed}", status["status"].as_str().unwrap_or("?"), number("indexed_rate_per_min"))
}

/// Lists dead letters of a pipeline or a function.
pub(super) async fn failed(kind: &str, letters: &Letters) -> Result<(), Failure> {
    let path = format!("/v2/{kind}/{}/dead-letters?page_size={}", encoded(&letters.id), letters.limit);
    let page = Router::new(&letters.mesh)?.json(Method::GET, &path, None).await?;
    if letters.mesh.output == Format::Json {
        return printed(&page);
    }
    let rows = page["dead_letters"].as_array().into_iter().flatten().map(|letter| {
        let id = letter["document_id"].as_str().map_or_else(|| short(&letter["id"]), clean);
        let shown = ["reason", "attempts", "failed_at", "message"].map(|name| short(&letter[name]));
        std::iter::once(id).chain(shown).collect()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    table(&["id", "reason", "attempts", "failed at", "what was said"], &rows, "nothing has failed");
    if page["next_page_token"].as_str().is_some_and(|token| !token.is_empty()) {
        say("… and more; see further with --limit\n");
    }
    Ok(())
}

/// Puts dead letters of a pipeline back to work: those that are named, or all.
async fn again(retry: &Retry) -> Result<(), Failure> {
    let router = Router::new(&retry.mesh)?;
    let path = format!("/v2/pipelines/{}/dead-letters/requeue", encoded(&retry.id));
    let mut requeued = 0;
    loop {
        let body = match retry.documents.is_empty() {
            true => json!({"limit": REQUEUED_AT_ONCE}),
            false => json!({"document_ids": retry.documents}),
        };
        let answer = router.json(Method::POST, &path, Some(&body)).await?;
        let some = answer["requeued"].as_u64().unwrap_or_default();
        requeued += some;
        if !retry.documents.is_empty() || some < REQUEUED_AT_ONCE {
            break;
        }
    }
    told(&retry.mesh, &json!({"requeued": requeued}), &format!("{requeued} put back to work"))
}

/// Dead letters of one call.
const REQUEUED_AT_ONCE: u64 = 1000;

/// Deletes a pipeline or a function.
pub(super) async fn remove(kind: &str, mesh: &Mesh, id: &str) -> Result<(), Failure> {
    let answer = Router::new(mesh)?.json(Method::DELETE, &format!("/v2/{kind}/{}", encoded(id)), None).await?;
    told(mesh, &answer, &format!("{id} is gone; rows that it has written stay"))
}

/// Says `line`, or `answer` to programs.
pub(super) fn told(mesh: &Mesh, answer: &Value, line: &str) -> Result<(), Failure> {
    match mesh.output {
        Format::Json => printed(answer),
        Format::Table => {
            say(&format!("{line}\n"));
            Ok(())
        }
    }
}

pub(super) fn printed(answer: &Value) -> Result<(), Failure> {
    say(&format!("{answer}\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_summed_up_in_a_line() {
        let status = json!({"status": "pending", "indexed_rate_per_min": 12.4, "failed_reasons": {"permanent": 2}});
        assert_eq!(summary(&status), "pending; 12 done a minute; failed: 2 permanent");
        let quiet = json!({"status": "idle", "indexed_rate_per_min": 0, "failed_reasons": {}});
        assert_eq!(summary(&quiet), "idle; 0 done a minute");
    }
}
