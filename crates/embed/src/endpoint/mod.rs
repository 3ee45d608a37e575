//! An endpoint that speaks OpenAI's `POST /v1/embeddings`: OpenAI itself, vLLM, text-embeddings-inference, Ollama and others.
//!
//! Texts are sent in batches, several at a time. What the endpoint says of its limits holds for all of them: while it asks for
//! patience nobody sends. Failures are tried again within a budget, so that an endpoint in trouble gets a fifth more requests and not
//! a multiple. A batch that is refused is sent in halves, until the text that is to blame stands alone.

mod answer;
mod batches;
mod limits;
mod options;
mod request;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use layer_origin::Client;
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tower::retry::budget::TpsBudget;

use self::limits::Patience;
pub use self::options::{Encoding, Options, OptionsError};
use crate::{EmbedError, Vector};

/// The share of requests that may be tried again.
const RETRY_SHARE: f32 = 0.2;
/// Retries per second that are always allowed.
const RETRIES_MIN_PER_SECOND: u32 = 1;
/// The span that the share is taken over.
const RETRY_SPAN: Duration = Duration::from_secs(10);

/// An endpoint.
pub struct Endpoint {
    client: Client<Full<Bytes>>,
    options: Options,
    path: http::Uri,
    places: Semaphore,
    patience: Patience,
    budget: TpsBudget,
    /// How many numbers a vector has, once it is known.
    dimension: OnceLock<usize>,
}

impl Endpoint {
    /// An endpoint. `tls` is for `https` URLs. Call it inside the runtime that will send.
    ///
    /// # Errors
    /// [`OptionsError`] naming the option that cannot be meant.
    pub fn new(options: Options, tls: Option<Arc<ClientConfig>>) -> Result<Self, OptionsError> {
        let target = options.validate()?;
        let client = Client::new(Arc::new(layer_origin::Options {
            target,
            protocol: layer_origin::Protocol::Http1,
            tls,
            connections_max: options.in_flight_max,
            connect_timeout: options.connect_timeout,
            queue_timeout: options.request_timeout,
            idle_timeout: Duration::from_secs(20),
        }));
        Ok(Self {
            client,
            path: http::Uri::from_static("/embeddings"),
            places: Semaphore::new(options.in_flight_max),
            patience: Patience::default(),
            budget: TpsBudget::new(RETRY_SPAN, RETRIES_MIN_PER_SECOND, RETRY_SHARE),
            dimension: options.dimensions.map(|count| OnceLock::from(count as usize)).unwrap_or_default(),
            options,
        })
    }

    /// How many numbers a vector has; nothing before the first answer, unless the options say it.
    pub fn dimension(&self) -> Option<usize> {
        self.dimension.get().copied()
    }

    /// The vectors of `texts`, each or why there is none, in their order. It ends by `deadline`.
    pub async fn embed(&self, texts: &[String], deadline: Instant) -> Vec<Result<Vector, EmbedError>> {
        batches::embed(self, texts, deadline).await
    }
}
