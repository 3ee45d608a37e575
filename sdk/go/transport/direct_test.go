package transport_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

// A write that goes direct ends as one that goes through Layer: where it may have been sent and must not be repeated, its
// outcome is unknown, and Turbopuffer has seen it once.
func TestDirectWritesWithoutAnAnswer(t *testing.T) {
	timeouts := map[string]time.Duration{"broken": time.Hour, "silent": 2 * time.Second}
	for way, failing := range map[string]http.HandlerFunc{"broken": reset, "silent": hang} {
		for _, layer := range []http.HandlerFunc{nil, ownError(503, "gateway_draining")} {
			w := newWorld(t, layer, func(o *transport.Options) { o.AnswerTimeout = timeouts[way] })
			if layer == nil {
				w.layer.stop()
			}
			w.direct.become(failing)
			ctx, recorder := transport.WithPerf(context.Background())
			got, err := w.callUnder(ctx, "POST", write, onceBody)
			check(t, way, got, err, unknown)
			if asked := len(w.direct.asked()); asked != 1 || recorder.Perf().Fallback != transport.TurbopufferDirect {
				t.Errorf("%s: Turbopuffer was asked %d times, %+v", way, asked, recorder.Perf())
			}
			if reasons := w.events.reasons(transport.EventOutcomeUnknown); !slices.Equal(reasons, []string{way}) {
				t.Errorf("%s: events for %q", way, reasons)
			}
			got, err = w.call("POST", write, upsertBody)
			if err == nil || errors.Is(err, transport.ErrOutcomeUnknown) {
				t.Errorf("%s: a write that may be repeated: %q, %v", way, got, err)
			}
		}
	}
}

// What was not sent may be repeated, and what the caller has given up is the caller's own.
func TestDirectWritesThatAreNoOutcome(t *testing.T) {
	w := newWorld(t, nil)
	w.layer.stop()
	w.direct.become(hang)
	// Long enough to find out that nobody listens at Layer: that would be the error otherwise.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := w.callUnder(ctx, "POST", write, onceBody); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, transport.ErrOutcomeUnknown) {
		t.Errorf("the caller's own deadline: %v", err)
	}
	w.direct.stop()
	var refused *net.OpError
	if _, err := w.call("POST", write, onceBody); !errors.As(err, &refused) || errors.Is(err, transport.ErrOutcomeUnknown) {
		t.Errorf("nobody listens: %v", err)
	}
}
