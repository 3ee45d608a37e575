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
use tracing::{Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    EnvFilter, Layer, filter::Targets, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::config::{ConfigError, LogFormat, LogSettings, TelemetrySettings, printable_url};

/// Whose spans are traced: Layer's own crates, by the beginning of their names. The exporter's HTTP client would trace
/// itself otherwise.
const TRACED: [&str; 2] = ["layer", "query_router"];
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
    // A process that hosts several services (`layer up`) starts telemetry once; tests may start it more often.
    let _ = subscriber(filter, log.format, provider.as_ref(), std::io::stderr).try_init();
    Ok(Telemetry { provider })
}

/// Log lines and spans, each with a filter of its own: a quiet log is no reason to trace nothing.
fn subscriber<W>(
    filter: EnvFilter,
    format: LogFormat,
    provider: Option<&SdkTracerProvider>,
    writer: W,
) -> impl Subscriber + Send + Sync + 'static
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let traced = Targets::new().with_targets(TRACED.map(|target| (target, LevelFilter::INFO)));
    let spans = provider.map(|provider| {
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("layer"));
        layer.with_location(false).with_threads(false).with_filter(traced)
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(spans).with(lines.with_filter(filter))
}

fn provider(
    service: &'static str,
    endpoint: &str,
    settings: &TelemetrySettings,
) -> Result<SdkTracerProvider, ConfigError> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(FLUSH_TIMEOUT).build();
    let exporter = exporter.map_err(|error| {
        ConfigError::invalid("telemetry.otlp_endpoint", format!("{}: {error}", printable_url(endpoint)))
    })?;
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
        otel.status_code = tracing::field::Empty,
        trace_id = tracing::field::Empty,
    );
    adopt(&span, headers);
    span
}

/// Makes `span` a child of the caller's, and names their trace in it.
fn adopt(span: &Span, headers: &HeaderMap) {
    let parent = opentelemetry::global::get_text_map_propagator(|from| from.extract(&HeaderExtractor(headers)));
    // The subscriber may have no OpenTelemetry layer: then there is nothing to be a child of.
    let _ = span.set_parent(parent);
    span.record("trace_id", tracing::field::display(span.context().span().span_context().trace_id()));
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

/// The span of a gRPC call that came from another part: a child of its `traceparent`, if it sent a valid one.
///
/// `name` is `package.Service/Method`.
pub fn rpc_server_span(name: &str, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.name = name,
        otel.kind = "server",
        rpc.system = "grpc",
        rpc.grpc.status_code = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
        trace_id = tracing::field::Empty,
    );
    adopt(&span, headers);
    span
}

/// The span of a gRPC call to `part`, where the present work is traced; else none, for the price of a look.
/// [`propagate`] tells that part about it.
pub fn rpc_client_span(part: &'static str, method: &'static str) -> Span {
    if Span::current().is_none() {
        return Span::none();
    }
    tracing::info_span!(
        "call",
        otel.name = part,
        otel.kind = "client",
        rpc.system = "grpc",
        rpc.method = method,
        rpc.grpc.status_code = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    )
}

/// Puts a gRPC status into a call's span.
pub fn record_rpc_status(span: &Span, code: i32) {
    span.record("rpc.grpc.status_code", code);
    if code != 0 {
        span.record("otel.status_code", "ERROR");
    }
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

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Whether a request's span and one of the exporter's own are traced under `filter`, and the log meanwhile.
    fn traced(filter: &str) -> (bool, bool, String) {
        let provider = SdkTracerProvider::builder().build();
        let (written, filter) = (Written::default(), EnvFilter::new(filter));
        let into = written.clone();
        let subscriber = subscriber(filter, LogFormat::Text, Some(&provider), move || into.clone());
        let valid = |span: &Span| span.context().span().span_context().is_valid();
        let seen = tracing::subscriber::with_default(subscriber, || {
            let span = server_span("GET", "/", &HeaderMap::new());
            span.in_scope(|| tracing::info!("told"));
            (valid(&span), valid(&tracing::info_span!(target: "h2", "frame")))
        });
        let log = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        (seen.0, seen.1, log)
    }

    #[test]
    fn a_quiet_log_does_not_stop_traces_and_only_layers_own_spans_are_traced() {
        assert_eq!(traced("warn"), (true, false, String::new()));
    }

    #[test]
    fn log_lines_in_a_request_carry_its_trace_id() {
        let (own, foreign, log) = traced("info");
        assert!(own && !foreign);
        let (_, id) = log.split_once("trace_id=").expect(&log);
        let id: String = id.chars().take_while(char::is_ascii_hexdigit).collect();
        assert!(id.len() == 32 && id.bytes().any(|digit| digit != b'0') && log.contains("told"), "{log}");
    }
}
