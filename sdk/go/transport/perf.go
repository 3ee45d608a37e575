package transport

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// TurbopufferDirect is [Perf.Fallback] of calls that went past Layer.
const TurbopufferDirect = "turbopuffer_direct"

// Perf says how a call went.
type Perf struct {
	// LatencyMS is the time from the start of the first attempt to the end of the answer, in milliseconds.
	LatencyMS float64 `json:"latency_ms"`
	// CacheStatus is Layer's word on where a fetch came from: `hit`, `miss` or `miss-on-error`; empty where it said none.
	CacheStatus string `json:"cache_status,omitempty"`
	// Fallback is [TurbopufferDirect] where Turbopuffer answered directly; empty where Layer answered.
	Fallback string `json:"fallback,omitempty"`
}

// Recorder takes in how the calls under its context went. It is safe for concurrent use; with several calls under one
// context, one after the other, it tells of the last.
type Recorder struct {
	mu      sync.Mutex
	started time.Time
	perf    Perf
}

type recorderKey struct{}

// WithPerf answers a context under which calls are recorded, and the recorder to ask afterwards.
func WithPerf(ctx context.Context) (context.Context, *Recorder) {
	recorder := &Recorder{}
	return context.WithValue(ctx, recorderKey{}, recorder), recorder
}

// RecorderOf answers the context's recorder; nil where it has none. All methods of a nil recorder do nothing.
func RecorderOf(ctx context.Context) *Recorder {
	recorder, _ := ctx.Value(recorderKey{}).(*Recorder)
	return recorder
}

// Perf answers what is known by now.
func (r *Recorder) Perf() Perf {
	if r == nil {
		return Perf{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.perf
}

// Start notes that a call begins; it is not said of an attempt that follows another of the same call.
func (r *Recorder) Start() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = time.Now()
}

// Finish notes what came of it. A later attempt takes an earlier one's place.
func (r *Recorder) Finish(cacheStatus, fallback string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.perf = Perf{LatencyMS: float64(time.Since(r.started)) / float64(time.Millisecond), CacheStatus: cacheStatus, Fallback: fallback}
}

func (r *Recorder) touch() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.perf.LatencyMS = float64(time.Since(r.started)) / float64(time.Millisecond)
}

func (r *Recorder) finishWith(resp *http.Response, fallback string) {
	cacheStatus := ""
	if resp != nil {
		cacheStatus = resp.Header.Get(headerCache)
	}
	r.Finish(cacheStatus, fallback)
}
