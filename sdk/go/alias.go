package hevlayer

import (
	"context"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

// LayerUnavailable says that Layer cannot be reached, and that the call needs it; see [transport.LayerUnavailable].
type LayerUnavailable = transport.LayerUnavailable

// OutcomeUnknown says that a write was sent and no answer came: it may have been applied, and nothing repeats it;
// see [transport.OutcomeUnknown].
type OutcomeUnknown = transport.OutcomeUnknown

// Perf says how a call went: how long it took, in milliseconds, and whether it went past Layer; see [transport.Perf].
type Perf = transport.Perf

// Recorder takes in how the calls under its context went; see [transport.Recorder].
type Recorder = transport.Recorder

// Event is something worth counting; see [transport.Event].
type Event = transport.Event

var (
	// ErrLayerUnavailable is what every [LayerUnavailable] is, for errors.Is.
	ErrLayerUnavailable = transport.ErrLayerUnavailable
	// ErrOutcomeUnknown is what every [OutcomeUnknown] is, for errors.Is.
	ErrOutcomeUnknown = transport.ErrOutcomeUnknown
)

// TurbopufferDirect is what a [transport.Perf] has as its Fallback where a call went past Layer.
const TurbopufferDirect = transport.TurbopufferDirect

// WithPerf answers a context under which calls are recorded, and the recorder to ask afterwards:
//
//	ctx, perf := hevlayer.WithPerf(ctx)
//	answer, err := client.Namespace("shop").Query(ctx, ...)
//	slog.Info("query", "ms", perf.Perf().LatencyMS, "fallback", perf.Perf().Fallback)
func WithPerf(ctx context.Context) (context.Context, *Recorder) { return transport.WithPerf(ctx) }
