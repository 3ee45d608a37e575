package hevlayer

import (
	"context"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

// LayerUnavailable says that Layer cannot be reached, and that the call needs it.
type LayerUnavailable = transport.LayerUnavailable

// OutcomeUnknown says that a write was sent and no answer came: it may have been applied, and nothing repeats it.
type OutcomeUnknown = transport.OutcomeUnknown

// Perf says how a call went.
type Perf = transport.Perf

// Recorder takes in how the calls under its context went.
type Recorder = transport.Recorder

// Event is something worth counting.
type Event = transport.Event

var (
	// ErrLayerUnavailable is what every [LayerUnavailable] is, for errors.Is.
	ErrLayerUnavailable = transport.ErrLayerUnavailable
	// ErrOutcomeUnknown is what every [OutcomeUnknown] is, for errors.Is.
	ErrOutcomeUnknown = transport.ErrOutcomeUnknown
)

// TurbopufferDirect is [Perf.Fallback] of calls that went past Layer.
const TurbopufferDirect = transport.TurbopufferDirect

// WithPerf answers a context under which calls are recorded, and the recorder to ask afterwards:
//
//	ctx, perf := hevlayer.WithPerf(ctx)
//	answer, err := client.Namespace("shop").Query(ctx, ...)
//	slog.Info("query", "ms", perf.Perf().LatencyMS, "fallback", perf.Perf().Fallback)
func WithPerf(ctx context.Context) (context.Context, *Recorder) { return transport.WithPerf(ctx) }
