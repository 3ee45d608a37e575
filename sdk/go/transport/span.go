package transport

import (
	"context"
	"net/http"
	"reflect"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const tracerName = "github.com/layer-mesh/layer/sdk/go"

// idle is the type of the tracer provider of an application that has set none; nil where it cannot be told.
var idle = func() reflect.Type {
	if known := reflect.TypeOf(otel.GetTracerProvider()); known.String() == "*global.tracerProvider" {
		return known
	}
	return nil
}()

// startSpan answers no span where the application has set no tracer provider.
func startSpan(ctx context.Context, operation string) (context.Context, trace.Span) {
	provider := otel.GetTracerProvider()
	if reflect.TypeOf(provider) == idle {
		return ctx, nil
	}
	return provider.Tracer(tracerName).Start(ctx, "layer."+spanName(operation), trace.WithSpanKind(trace.SpanKindClient))
}

func spanName(operation string) string {
	if operation == "" {
		return "call"
	}
	return operation
}

func endSpan(span trace.Span, resp *http.Response, fallback string, err error) {
	if span == nil {
		return
	}
	defer span.End()
	if !span.IsRecording() {
		return
	}
	if fallback != "" {
		span.SetAttributes(attribute.String("layer.fallback", fallback))
	}
	if resp != nil {
		span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
	}
	if err != nil {
		span.SetStatus(codes.Error, "no answer")
	}
}

// inject hands the trace on, as the application's propagator does it.
func inject(ctx context.Context, header http.Header) {
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(header))
}
