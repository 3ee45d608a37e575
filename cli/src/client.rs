//! The HTTP client of the verbs.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full, Limited};
use layer_origin::{Client, Options, Protocol, Target};
use layer_service::config::printable_url;
use serde_json::Value;

use crate::{arguments::Mesh, failure::Failure};

/// How long a verb waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);
/// Largest answer that a verb prints.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Runs a verb.
pub fn run(verb: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(format!("the runtime cannot start: {error}")))?.block_on(verb)
}

/// A running mesh's router.
pub struct Router {
    client: Client<Full<Bytes>>,
    url: String,
    api_key: Option<String>,
}

impl Router {
    /// The router of `mesh`; nothing is sent yet.
    pub fn new(mesh: &Mesh) -> Result<Self, Failure> {
        let target = Target::parse(&mesh.url)
            .map_err(|error| Failure::usage(format!("--url `{}` {error}", printable_url(&mesh.url))))?;
        let tls = target.is_tls().then(|| layer_service::tls::client("--url", None, &[b"http/1.1"])).transpose()?;
        let options = Options {
            target,
            protocol: Protocol::Http1,
            tls,
            connections_max: 8,
            connect_timeout: Duration::from_secs(5),
            queue_timeout: ANSWER_TIMEOUT,
            idle_timeout: Duration::from_secs(30),
        };
        Ok(Self { client: Client::new(Arc::new(options)), url: mesh.url.clone(), api_key: mesh.api_key.clone() })
    }

    /// The answer's status and body, whatever the status is.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(StatusCode, Bytes), Failure> {
        let mut request = Request::builder().method(method).uri(path);
        // Mode `open` asks for none; any other says so itself when it is missing.
        if let Some(key) = &self.api_key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let body = body.map(|json| Bytes::from(json.to_string())).unwrap_or_default();
        let request = request.header("content-type", "application/json").body(Full::new(body));
        let request = request.map_err(|error| Failure::usage(format!("this cannot be asked for: {error}")))?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.whole(request)).await;
        answer.map_err(|_| Failure::new(format!("{} did not answer within {ANSWER_TIMEOUT:?}", self.url)))?
    }

    async fn whole(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
        let answer = self.client.send(request).await.map_err(|error| {
            Failure::new(format!(
                "no mesh at {}: {error}; start one with `layer up`, or name another with --url",
                self.url
            ))
        })?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Failure::new(format!("the answer of {} broke off: {error}", self.url)))?;
        Ok((status, body.to_bytes()))
    }

    /// The answer as JSON, where it is a good one.
    pub async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, bytes) = self.ask(method, path, body).await?;
        let parsed: Option<Value> = serde_json::from_slice(&bytes).ok();
        match parsed {
            Some(json) if status.is_success() => Ok(json),
            Some(json) => Err(Failure::new(said(status, &json))),
            None => Err(Failure::new(format!("{status}: {}", String::from_utf8_lossy(&bytes).trim()))),
        }
    }
}

/// The origin's or Layer's own words, and what to do about them.
fn said(status: StatusCode, json: &Value) -> String {
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let message = text("message").or_else(|| text("error")).unwrap_or("no reason given");
    let advice = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; give the key with --api-key or LAYER_GATEWAY_API_KEY",
        StatusCode::NOT_FOUND => "; `layer namespaces` lists what there is",
        _ => "",
    };
    format!("{}: {message}{advice}", status.as_u16())
}
