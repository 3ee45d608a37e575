//! Logs and traces.
//!
//! Logs go to standard error, one line an event, as text or JSON; inside a request's span they carry its `trace_id`.
//! Traces go by OTLP/gRPC to a collector when one is configured; without one no span is made at all, so that an operator
//! who does not trace does not pay.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    KeyValue,
    propagation::{Extractor, Injector},
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{ConfigError, LogFormat, LogSettings, TelemetrySettings};

/// How long the last spans may take to be sent when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps telemetry alive; [`Telemetry::flush`] sends what is left.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Starts logs and traces for this process; call it once, inside a tokio runtime that outlives it.
///
/// # Errors
/// [`ConfigError`] naming `log.filter` or `telemetry.otlp_endpoint` where they cannot be used.
pub fn start(
    service: &'static str,
    log: &LogSettings,
    telemetry: &TelemetrySettings,
) -> Result<Telemetry, ConfigError> {
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|error| ConfigError::invalid("log.filter", format!("is no filter: {error}")))?;
    let provider = telemetry.otlp_endpoint.as_deref().map(|url| provider(service, url, telemetry)).transpose()?;
    let spans = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer().with_tracer(provider.tracer("layer")).with_location(false).with_threads(false)
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // A process that hosts several services (`layer up`) starts telemetry once; tests may start it more often.
    let _ = tracing_subscriber::registry().with(filter).with(spans).with(lines).try_init();
    Ok(Telemetry { provider })
}

fn provider(
    service: &'static str,
    endpoint: &str,
    settings: &TelemetrySettings,
) -> Result<SdkTracerProvider, ConfigError> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(FLUSH_TIMEOUT).build();
    let exporter =
        exporter.map_err(|error| ConfigError::invalid("telemetry.otlp_endpoint", format!("{endpoint}: {error}")))?;
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio)));
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_sampler(sampler).with_resource(resource).build())
}

impl Telemetry {
    /// Whether spans are made.
    pub fn traces(&self) -> bool {
        self.provider.is_some()
    }

    /// Sends what is left, bounded in time. Blocks: call it from a blocking context.
    pub fn flush(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_TIMEOUT)
        {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

/// The span of a request that came from outside: a child of the caller's `traceparent`, if it sent a valid one.
///
/// Its `trace_id` field puts the id on every log line inside it. `route` is a template, never a path with ids.
pub fn server_span(method: &str, route: &'static str, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.name = route,
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        trace_id = tracing::field::Empty,
    );
    let parent = opentelemetry::global::get_text_map_propagator(|from| from.extract(&HeaderExtractor(headers)));
    // The subscriber may have no OpenTelemetry layer: then there is nothing to be a child of.
    let _ = span.set_parent(parent);
    span.record("trace_id", tracing::field::display(span.context().span().span_context().trace_id()));
    span
}

/// The span of a call to another part; [`propagate`] tells that part about it.
pub fn client_span(name: &'static str) -> Span {
    tracing::info_span!(
        "call",
        otel.name = name,
        otel.kind = "client",
        http.response.status_code = tracing::field::Empty
    )
}

/// Puts `span` into the headers of a call as `traceparent` and `tracestate`.
pub fn propagate(span: &Span, headers: &mut HeaderMap) {
    let context = span.context();
    opentelemetry::global::get_text_map_propagator(|into| into.inject_context(&context, &mut HeaderInjector(headers)));
}

struct HeaderExtractor<'a>(&'a HeaderMap);

impl Extractor for HeaderExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeaderInjector<'a>(&'a mut HeaderMap);

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            // The propagator writes an empty `tracestate` where there is none; a caller's own belongs to another trace.
            self.0.remove(key);
            return;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
