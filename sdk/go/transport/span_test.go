package transport_test

import (
	"context"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// provider is an application's OpenTelemetry.
type provider struct {
	noop.TracerProvider
	all *spans
}

func (p provider) Tracer(string, ...trace.TracerOption) trace.Tracer { return p.all }

// spans keeps what it is told.
type spans struct {
	noop.Tracer
	mu    sync.Mutex
	names []string
	attrs []attribute.KeyValue
}

func (s *spans) Start(ctx context.Context, name string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = append(s.names, name)
	of := trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled}
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(of)), recording{all: s}
}

type recording struct {
	noop.Span
	all *spans
}

func (recording) IsRecording() bool { return true }

func (r recording) SetAttributes(attrs ...attribute.KeyValue) {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	r.all.attrs = append(r.all.attrs, attrs...)
}

func TestSpansWhereTheApplicationHasThem(t *testing.T) {
	before, propagator := otel.GetTracerProvider(), otel.GetTextMapPropagator()
	defer func() { otel.SetTracerProvider(before); otel.SetTextMapPropagator(propagator) }()
	all := &spans{}
	otel.SetTracerProvider(provider{all: all})
	otel.SetTextMapPropagator(propagation.TraceContext{})
	w := newWorld(t, reset)
	got, err := w.call("POST", query, queryBody)
	w.want(got, err, "200 direct")
	if len(all.names) != 1 || all.names[0] != "layer.query" {
		t.Errorf("spans %v", all.names)
	}
	if all.attrs[0] != attribute.String("layer.fallback", "turbopuffer_direct") {
		t.Errorf("attributes %v", all.attrs)
	}
	for _, side := range []*server{w.layer, w.direct} {
		if got := side.asked()[0].header.Get("traceparent"); got != "00-01000000000000000000000000000000-0200000000000000-01" {
			t.Errorf("traceparent %q", got)
		}
	}
}
