//! The query-router as this service uses it: rows are read and written through it, so that the document cache stays
//! coherent and writes are stamped, whoever writes them.
//!
//! Every call has a deadline. While the router is away a breaker refuses at once; nothing is repeated here: whoever calls
//! knows whether a repetition is harmless.

mod error;
mod settings;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use layer_proto::router::v1::{
    BatchFetchRequest, Document, GetSchemaRequest, GetSchemaResponse, QueryRequest, QueryResponse, UpdateSchemaRequest,
    WriteRequest, WriteResponse, query_router_service_client::QueryRouterServiceClient,
};
use layer_service::{
    breaker::{Bounds, Breaker},
    config::{ConfigError, Secret},
    metrics::{Metrics, SECONDS},
    telemetry::{propagate, record_rpc_status, rpc_client_span},
};
use prometheus::HistogramVec;
use tonic::{
    Code, Request, Response, Status,
    metadata::{MetadataMap, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use tracing::Instrument as _;

pub use error::RouterError;
pub use settings::RouterSettings;

layer_service::metrics! {
    /// Every metric of calls to the router.
    pub METRICS:

    /// Calls to the query-router: ok, refused (it answered an error), unavailable, breaker (not tried).
    DURATION = Histogram(SECONDS) "layer_router_call_duration_seconds" by ["method", "status"];
}

/// Credential of Layer's own services: it lets them write reserved attributes.
const INTERNAL_KEY: HeaderName = HeaderName::from_static("x-layer-internal-key");
/// Metadata of writes that functions' results are: the router tells nobody of those.
const OF_FUNCTION: &str = "x-layer-function";
/// Largest answer: a page of rows with their inputs.
const ANSWER_BYTES_MAX: usize = 128 * 1024 * 1024;
/// A router that is silent for this long is asked whether it is still there,
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// and has this long to say so; then the connection is closed and made anew.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// When the router is taken for gone.
const BREAKER: Bounds = Bounds { failures: 5, min: Duration::from_millis(500), max: Duration::from_secs(15) };

/// A client of the query-router; clones share its connection and breaker.
#[derive(Debug, Clone)]
pub struct Router {
    client: QueryRouterServiceClient<Channel>,
    credentials: HeaderMap,
    breaker: Arc<Breaker>,
    duration: HistogramVec,
    timeout: Duration,
}

impl Router {
    /// A client that connects when it is first used; call it in the runtime that its connection is to live in.
    ///
    /// # Errors
    /// [`ConfigError`] where a file of `router` cannot be used.
    pub fn new(settings: &RouterSettings, metrics: &Metrics) -> Result<Self, ConfigError> {
        settings.validate()?;
        let client = QueryRouterServiceClient::new(endpoint(settings)?.connect_lazy())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
            .max_encoding_message_size(usize::MAX);
        Ok(Self {
            client,
            credentials: credentials(settings)?,
            breaker: Arc::new(Breaker::new(BREAKER)),
            duration: metrics.histogram(&DURATION),
            timeout: Duration::from_millis(settings.timeout_ms),
        })
    }

    /// Writes rows.
    ///
    /// # Errors
    /// [`RouterError`]; after [`RouterError::Unavailable`] the write may have happened.
    pub async fn write(&self, request: WriteRequest, until: Instant) -> Result<WriteResponse, RouterError> {
        let mut client = self.client.clone();
        self.call("write", until, request, |request| async move { client.write(request).await }).await
    }

    /// Queries rows.
    ///
    /// # Errors
    /// [`RouterError`].
    pub async fn query(&self, request: QueryRequest, until: Instant) -> Result<QueryResponse, RouterError> {
        let mut client = self.client.clone();
        self.call("query", until, request, |request| async move { client.query(request).await }).await
    }

    /// A namespace's schema.
    ///
    /// # Errors
    /// [`RouterError`].
    pub async fn schema(&self, request: GetSchemaRequest, until: Instant) -> Result<GetSchemaResponse, RouterError> {
        let mut client = self.client.clone();
        self.call("get_schema", until, request, |request| async move { client.get_schema(request).await }).await
    }

    /// Writes rows on behalf of a function: the router tells no function of it.
    ///
    /// # Errors
    /// [`RouterError`]; after [`RouterError::Unavailable`] the write may have happened.
    pub async fn write_of_function(&self, request: WriteRequest, until: Instant) -> Result<WriteResponse, RouterError> {
        let mut client = self.client.clone();
        self.call("write", until, request, |mut request| async move {
            request.metadata_mut().insert(OF_FUNCTION, MetadataValue::from_static("true"));
            client.write(request).await
        })
        .await
    }

    /// Rows by their ids; those that are not there are left out.
    ///
    /// # Errors
    /// [`RouterError`].
    pub async fn batch_fetch(&self, request: BatchFetchRequest, until: Instant) -> Result<Vec<Document>, RouterError> {
        let mut client = self.client.clone();
        self.call("batch_fetch", until, request, |request| async move {
            let (mut pieces, mut documents) = (client.batch_fetch(request).await?.into_inner(), Vec::new());
            while let Some(piece) = pieces.message().await? {
                documents.extend(piece.documents);
            }
            Ok(Response::new(documents))
        })
        .await
    }

    /// Changes a namespace's schema.
    ///
    /// # Errors
    /// [`RouterError`].
    pub async fn update_schema(&self, request: UpdateSchemaRequest, until: Instant) -> Result<(), RouterError> {
        let mut client = self.client.clone();
        let change = |request| async move { client.update_schema(request).await };
        self.call("update_schema", until, request, change).await.map(|_| ())
    }

    /// One call, within `until` and this client's own time.
    async fn call<T, A, F>(
        &self,
        method: &'static str,
        until: Instant,
        message: T,
        send: impl FnOnce(Request<T>) -> F,
    ) -> Result<A, RouterError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let began = Instant::now();
        if let Err(wait) = self.breaker.admit(began) {
            self.observe(method, "breaker", began);
            return Err(RouterError::Unavailable { reason: "it did not answer lately".to_owned(), retry: wait });
        }
        let until = until.min(began + self.timeout);
        let span = rpc_client_span("query-router", method);
        let request = self.request(message, until.saturating_duration_since(began), &span);
        let sent = tokio::time::timeout_at(until.into(), send(request)).instrument(span.clone()).await;
        let answered = sent.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
        record_rpc_status(&span, answered.as_ref().map_or_else(|status| status.code() as i32, |_| 0));
        self.settle(method, began, answered)
    }

    fn settle<A>(
        &self,
        method: &'static str,
        began: Instant,
        answered: Result<Response<A>, Status>,
    ) -> Result<A, RouterError> {
        let outcome = answered.map(Response::into_inner).map_err(|status| RouterError::from_status(&status));
        let status = match &outcome {
            Ok(_) => "ok",
            Err(RouterError::Unavailable { .. }) => "unavailable",
            Err(_) => "refused",
        };
        match status {
            "unavailable" if self.breaker.failed(Instant::now()) => {
                tracing::warn!("the query-router does not answer: rows are neither read nor written until it does");
            }
            "unavailable" => {}
            _ if self.breaker.answered() => tracing::info!("the query-router answers again"),
            _ => {}
        }
        self.observe(method, status, began);
        outcome
    }

    fn request<T>(&self, message: T, left: Duration, span: &tracing::Span) -> Request<T> {
        let mut headers = self.credentials.clone();
        propagate(span, &mut headers);
        let metadata = MetadataMap::from_headers(headers);
        let mut request = Request::from_parts(metadata, tonic::Extensions::default(), message);
        request.set_timeout(left);
        request
    }

    fn observe(&self, method: &str, status: &str, began: Instant) {
        self.duration.with_label_values(&[method, status]).observe(began.elapsed().as_secs_f64());
    }
}

fn endpoint(settings: &RouterSettings) -> Result<Endpoint, ConfigError> {
    let wrong = |error: &dyn std::fmt::Display| ConfigError::invalid("router.url", error.to_string());
    let endpoint = Endpoint::from_shared(settings.url.clone()).map_err(|error| wrong(&error))?;
    let endpoint = endpoint
        .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    match settings.url.starts_with("https://") {
        true => endpoint.tls_config(tls(settings)?).map_err(|error| wrong(&error)),
        false => Ok(endpoint),
    }
}

fn tls(settings: &RouterSettings) -> Result<ClientTlsConfig, ConfigError> {
    let read = |name: &str, file: &Path| {
        std::fs::read(file).map_err(|error| ConfigError::invalid(name, format!("{}: {error}", file.display())))
    };
    let mut tls = ClientTlsConfig::new();
    tls = match &settings.ca_file {
        Some(file) => {
            // The helper refuses a file that holds no certificate, which tonic would take as no authority at all.
            layer_service::tls::client("router.ca_file", Some(file), &[])?;
            tls.ca_certificate(Certificate::from_pem(read("router.ca_file", file)?))
        }
        None => tls.with_native_roots(),
    };
    if let (Some(certificate), Some(key)) = (&settings.certificate_file, &settings.key_file) {
        let certificate = read("router.certificate_file", certificate)?;
        tls = tls.identity(Identity::from_pem(certificate, read("router.key_file", key)?));
    }
    Ok(tls)
}

fn credentials(settings: &RouterSettings) -> Result<HeaderMap, ConfigError> {
    let value = |name: &str, text: &str| {
        let value = HeaderValue::from_str(text);
        let mut value = value.map_err(|_| ConfigError::invalid(name, "has characters that no header can carry"))?;
        value.set_sensitive(true);
        Ok::<_, ConfigError>(value)
    };
    let mut credentials = HeaderMap::new();
    if let Some(key) = settings.api_key.as_ref().map(Secret::reveal) {
        credentials.insert(AUTHORIZATION, value("router.api_key", &format!("Bearer {key}"))?);
    }
    if let Some(key) = settings.internal_key.as_ref().map(Secret::reveal) {
        credentials.insert(INTERNAL_KEY, value("router.internal_key", key)?);
    }
    Ok(credentials)
}

/// Whether a status says that nobody answered, or nobody in time.
fn is_away(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled)
}
