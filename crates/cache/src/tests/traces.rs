//! Traces: a replica's span has the call's for its parent, never the one that the caller is in.

use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::Mesh;
use crate::Key;

#[tokio::test(start_paused = true)]
async fn calls_for_people_name_their_own_span_as_the_parent() {
    let mesh = Mesh::of(1).await;
    let provider = SdkTracerProvider::builder().build();
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    // The test's runtime has one thread.
    let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let caller = tracing::info_span!("caller");
    let context = caller.context().span().span_context().clone();
    let (trace, span) = (context.trace_id().to_string(), context.span_id().to_string());
    async {
        mesh.cache.inspect(&mesh.scope, &Key::uint(1), None).await.unwrap();
        mesh.cache.stats(None).await;
    }
    .instrument(caller)
    .await;
    let parents = std::mem::take(&mut mesh.net.backend().parents);
    assert_eq!(parents.len(), 2);
    for parent in parents {
        assert!(parent.contains(&trace) && !parent.contains(&span), "{parent} is the span {span} of the caller");
    }
}
