//! The warm hint: Turbopuffer's own call, which Layer relays as it is, or leads over its own caches too.

use http::{Request, Response, StatusCode, Uri};
use serde_json::{Value, json};

use super::{
    PAGE_SIZE,
    serve::{NotWarmed, answer, parsed_page_size},
};
use crate::{
    answer::read_whole,
    body::Source,
    core::{Call, Core, Relayable},
    refusal::Refusal,
};

/// Largest answer of the origin to a hint.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Layer's options of a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Options {
    turbopuffer: bool,
    /// As the caller said, if it did.
    documents: Option<bool>,
    snapshots: bool,
    blobs: bool,
    blob_budget_bytes: u64,
    page_size: usize,
    /// The rest of the query, which is the origin's.
    rest: String,
}

impl Options {
    /// Reads them; nothing where there are none.
    fn parse(query: Option<&str>) -> Result<Option<Self>, Refusal> {
        let mut options = Self {
            turbopuffer: true,
            documents: None,
            snapshots: true,
            blobs: false,
            blob_budget_bytes: 0,
            page_size: PAGE_SIZE,
            rest: String::new(),
        };
        let mut any = false;
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let own = options.set(pair)?;
            any |= own;
            if !own {
                let and = if options.rest.is_empty() { "" } else { "&" };
                options.rest = format!("{}{and}{pair}", options.rest);
            }
        }
        if options.blobs && options.blob_budget_bytes == 0 {
            return Err(Refusal::Invalid("blob_budget_bytes: must be 1 or more with blobs=true".to_owned()));
        }
        Ok(any.then_some(options))
    }

    /// Sets one; false where it is none of Layer's.
    fn set(&mut self, pair: &str) -> Result<bool, Refusal> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "turbopuffer" => self.turbopuffer = truth("turbopuffer", value)?,
            "documents" => self.documents = Some(truth("documents", value)?),
            "snapshots" => self.snapshots = truth("snapshots", value)?,
            "blobs" => self.blobs = truth("blobs", value)?,
            "blob_budget_bytes" => {
                let wrong = || Refusal::Invalid("blob_budget_bytes: must be a number of bytes".to_owned());
                self.blob_budget_bytes = value.parse().map_err(|_| wrong())?;
            }
            "page_size" => self.page_size = parsed_page_size(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn truth(name: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Refusal::Invalid(format!("{name}: must be true or false"))),
    }
}

impl Core {
    /// GET /v1/namespaces/{namespace}/hint_cache_warm
    pub(crate) async fn warm_hint(
        &self,
        namespace: &str,
        call: &mut Call<'_>,
        mut request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let Some(options) = Options::parse(request.uri().query())? else {
            return self.passed(call, request).await;
        };
        let wanted = options.documents.unwrap_or(true);
        // Where nobody asked for documents by name, a mesh without a cache has none to warm.
        let warms = wanted && (options.documents.is_some() || self.shared.settings.cache.enabled());
        let place = if warms { Some(self.warm_place(namespace, request.headers())?) } else { None };
        if warms && self.cache.state().warmth() == layer_cache::Warmth::Cold {
            return Err(Refusal::CacheCold);
        }
        let mut turbopuffer = "skipped";
        if options.turbopuffer {
            *request.uri_mut() = without_options(request.uri(), &options.rest);
            let hinted = self.whole_answer(call, request).await?.map(Relayable::Origin);
            if !hinted.status().is_success() {
                return Ok(hinted);
            }
            turbopuffer = if hinted.status() == StatusCode::ACCEPTED { "started" } else { "completed" };
            read_whole(hinted, ANSWER_BYTES_MAX, |body| body).await?;
        }
        let documents = match place {
            None => json!({"enabled": wanted, "status": "skipped"}),
            Some(place) => match self.start_warm(&place, options.page_size, call.deadline).await {
                Ok(job) => json!({"enabled": true, "status": "started", "job": job}),
                Err(not) => return NotWarmed::into_answer(not, call),
            },
        };
        let status = if warms { StatusCode::ACCEPTED } else { StatusCode::OK };
        Ok(answer(status, call, &page(namespace, &options, turbopuffer, &documents)))
    }
}

fn page(namespace: &str, options: &Options, turbopuffer: &str, documents: &Value) -> Value {
    let snapshots = if options.snapshots { "no_snapshot" } else { "skipped" };
    json!({
        "namespace": namespace,
        "turbopuffer": {"enabled": options.turbopuffer, "status": turbopuffer},
        "documents": documents,
        "snapshots": {"enabled": options.snapshots, "status": snapshots},
        // Nothing says yet which attributes refer to blobs.
        "blobs": {
            "enabled": options.blobs, "status": "skipped", "attributes": [], "documents_scanned": 0, "refs_seen": 0,
            "budget_bytes": options.blobs.then_some(options.blob_budget_bytes), "objects": 0, "bytes": 0, "missing": 0,
            "invalid_refs": 0, "budget_exhausted": false,
        },
    })
}

fn without_options(uri: &Uri, rest: &str) -> Uri {
    let mark = if rest.is_empty() { "" } else { "?" };
    format!("{}{mark}{rest}", uri.path()).parse().unwrap_or_else(|_| uri.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_option_makes_it_layers_call() {
        for query in [None, Some(""), Some("a=b"), Some("document=true")] {
            assert_eq!(Options::parse(query).unwrap(), None, "{query:?}");
        }
        let options = Options::parse(Some("a=b&documents=false&c")).unwrap().unwrap();
        assert_eq!((options.documents, options.turbopuffer, options.snapshots), (Some(false), true, true));
        assert_eq!(options.rest, "a=b&c");
        let uri = without_options(&Uri::from_static("/v1/x?a=b&documents=false"), "a=b");
        assert_eq!(uri, "/v1/x?a=b");
    }

    #[test]
    fn wrong_options_are_named() {
        for (query, name) in [
            ("turbopuffer=x", "turbopuffer"),
            ("documents", "documents"),
            ("snapshots=", "snapshots"),
            ("blobs=2", "blobs"),
            ("blobs=true", "blob_budget_bytes"),
            ("blob_budget_bytes=-1", "blob_budget_bytes"),
            ("page_size=0", "page_size"),
        ] {
            assert!(Options::parse(Some(query)).unwrap_err().to_string().starts_with(name), "{query}");
        }
    }
}
