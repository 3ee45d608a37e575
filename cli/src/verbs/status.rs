//! `layer status`

use http::Method;
use layer_proto::cache::v1::StatsResponse;
use serde_json::{Value, json};

use crate::{
    arguments::{Format, Status},
    client::Router,
    failure::Failure,
    output::{say, table},
    replicas,
};

/// Says whether the router takes requests and whether the origin answers through it; fails when either does not. And how
/// the document cache is, which may be away.
pub async fn status(asked: &Status) -> Result<(), Failure> {
    let mesh = &asked.mesh;
    let router = Router::new(mesh)?;
    let live = router.json(Method::GET, "/health", None).await?;
    let (ready, body) = router.ask(Method::GET, "/ready", None).await?;
    let ready_word =
        serde_json::from_slice::<Value>(&body).ok().and_then(|json| Some(json["status"].as_str()?.to_owned()));
    let origin = router.json(Method::GET, "/v1/namespaces?page_size=1", None).await;
    let origin_word = if origin.is_ok() { "answers" } else { "does not answer" };
    let cache = Cache::of(&replicas::stats(&asked.cache).await?);
    let version = live["version"].as_str().unwrap_or("?").to_owned();
    let ready_word = ready_word.unwrap_or_else(|| ready.to_string());
    match mesh.output {
        Format::Json => {
            let page = json!({"url": mesh.url, "version": version, "router": ready_word, "origin": origin_word, "doc_cache": cache.page(&asked.cache.cache_url)});
            say(&format!("{page}\n"));
        }
        Format::Table => {
            let rows = vec![
                vec!["query-router".to_owned(), ready_word, format!("{} version {version}", mesh.url)],
                vec!["origin".to_owned(), origin_word.to_owned(), "asked through the router".to_owned()],
                vec!["doc-cache".to_owned(), cache.state.to_owned(), cache.detail(&asked.cache.cache_url)],
            ];
            table(&["part", "state", "detail"], &rows, "");
        }
    }
    origin?;
    if ready.is_success() { Ok(()) } else { Err(Failure::new("the router is not ready; wait, or look at its log")) }
}

/// The document cache, all replicas together.
struct Cache {
    state: &'static str,
    /// Replicas by name, and those that answer.
    replicas: usize,
    answering: usize,
    backend: String,
    /// The most that a replica tells of: with one backend they all tell of the same.
    entries: Option<u64>,
}

impl Cache {
    fn of(said: &[Option<StatsResponse>]) -> Self {
        let answers: Vec<&StatsResponse> = said.iter().flatten().collect();
        Self {
            state: state(&answers),
            replicas: said.len(),
            answering: answers.len(),
            backend: answers.first().map(|first| first.backend.clone()).unwrap_or_default(),
            entries: answers.iter().filter_map(|one| one.entries).max(),
        }
    }

    fn page(&self, url: &str) -> Value {
        json!({
            "url": url,
            "state": self.state,
            "replicas": self.replicas,
            "answering": self.answering,
            "backend": self.backend,
            "entries": self.entries,
        })
    }

    fn detail(&self, url: &str) -> String {
        if self.answering == 0 {
            return format!("{url}: nobody answers; fetches are served from the origin");
        }
        let entries = self.entries.map_or_else(|| "unknown".to_owned(), |entries| entries.to_string());
        let (replicas, answering, backend) = (self.replicas, self.answering, &self.backend);
        format!("{url} replicas {answering} of {replicas} backend {backend} entries {entries}")
    }
}

/// The worst that any replica tells; who does not answer is left out, as the router leaves it out.
fn state(answers: &[&StatsResponse]) -> &'static str {
    match answers {
        [] => "away",
        _ if answers.iter().any(|one| !one.connected) => "backend away",
        _ if answers.iter().any(|one| !one.proven) => "settles",
        _ if answers.iter().any(|one| one.stop_writes) => "refuses writes",
        _ => "serves",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> StatsResponse {
        let backend = "aerospike".to_owned();
        StatsResponse { backend, connected: true, proven: true, entries: Some(7), ..StatsResponse::default() }
    }

    #[test]
    fn the_worst_replica_tells_how_the_cache_is() {
        let state = |said: &[Option<StatsResponse>]| Cache::of(said).state;
        assert_eq!(state(&[]), "away");
        assert_eq!(state(&[None, None]), "away");
        assert_eq!(state(&[Some(well()), None]), "serves");
        assert_eq!(state(&[Some(well()), Some(StatsResponse { stop_writes: true, ..well() })]), "refuses writes");
        assert_eq!(state(&[Some(well()), Some(StatsResponse { proven: false, ..well() })]), "settles");
        assert_eq!(state(&[Some(well()), Some(StatsResponse { connected: false, ..well() })]), "backend away");
        let one_away = Cache::of(&[Some(well()), None]);
        assert_eq!(one_away.detail("u"), "u replicas 1 of 2 backend aerospike entries 7");
    }
}
