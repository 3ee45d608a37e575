package transport

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/layer-mesh/layer/sdk/go/internal/breaker"
)

// errOvertaken ends an attempt at Layer when Turbopuffer has answered.
var errOvertaken = errors.New("the answer of Turbopuffer came first")

// race asks Layer for a read, and Turbopuffer too where Layer does not begin its answer in the usual time. The attempt at
// Layer runs on the caller's goroutine: as long as Layer answers in time, a read costs a timer and nothing more.
type race struct {
	t         *Transport
	c         *call
	ctx       context.Context
	stopLayer context.CancelCauseFunc

	mu         sync.Mutex
	timer      *time.Timer
	delay      time.Duration
	over       bool // Layer's attempt has ended.
	hedged     bool
	won        bool // Turbopuffer's answer came while Layer gave none.
	direct     outcome
	directEnd  chan struct{} // Closed when direct is there.
	stopDirect context.CancelFunc
}

func (t *Transport) race(ctx context.Context, c *call, pass breaker.Pass) (*http.Response, string, error) {
	layerCtx, stopLayer := context.WithCancelCause(ctx)
	r := &race{t: t, c: c, ctx: ctx, stopLayer: stopLayer, delay: t.hedge.Delay()}
	t.hedge.Call()
	r.mu.Lock()
	r.timer = time.AfterFunc(r.delay, r.fired)
	r.mu.Unlock()
	out := t.askLayer(layerCtx, c)
	hedged, won := r.layerEnded()
	switch {
	case won:
		out.discard()
		t.breaker.Failed(pass, &failure{ReasonHung, errSuspended})
		return r.takeDirect()
	case hedged && out.reason != "":
		t.report(ctx, pass, out)
		out.discard()
		return r.takeDirect()
	case hedged:
		r.dropDirect()
	}
	if out.reason == "" && out.err == nil {
		t.hedge.Observe(out.took)
		out.resp.Body = &answer{ReadCloser: out.resp.Body, done: func() { stopLayer(nil) }}
	} else {
		defer stopLayer(nil)
	}
	return t.settle(ctx, c, pass, out)
}

// layerEnded stops the timer, and answers whether Turbopuffer was asked, and whether it has won.
func (r *race) layerEnded() (hedged, won bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.timer.Stop()
	return r.hedged, r.won
}

// fired asks Turbopuffer too, or looks again later.
func (r *race) fired() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.hedged {
		return
	}
	if !r.mayHedge() {
		r.timer.Reset(r.delay)
		return
	}
	if r.c.inspect(); r.c.op.NeedsLayer {
		return
	}
	ctx, stop := context.WithCancel(r.ctx)
	r.directEnd = make(chan struct{})
	if r.hedged = r.t.beside(func() { r.askDirect(ctx) }); !r.hedged {
		stop()
		return
	}
	r.stopDirect = stop
	r.t.emit(Event{Kind: EventHedge, Operation: r.c.op.Name, Reason: ReasonHung})
}

// mayHedge asks the budget, unless there is reason to believe that Layer stands still: then all reads must get away.
func (r *race) mayHedge() bool { return r.t.breaker.Doubtful() || r.t.hedge.Take() }

// askDirect wins the race where Layer's attempt is still under way, unless Turbopuffer refuses: then there is hope that
// Layer's answer will be better.
func (r *race) askDirect(ctx context.Context) {
	resp, err := r.t.askDirect(ctx, r.c)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.direct = outcome{resp: resp, err: err}
	r.won = !r.over && err == nil && !isRefusal(resp.StatusCode)
	close(r.directEnd)
	if r.won {
		r.stopLayer(errOvertaken)
	}
}

// isRefusal says whether an answer of Turbopuffer leaves hope that Layer's will be better.
func isRefusal(status int) bool { return status == http.StatusTooManyRequests || status >= 500 }

// takeDirect answers what Turbopuffer says.
func (r *race) takeDirect() (*http.Response, string, error) {
	<-r.directEnd
	r.stopLayer(nil)
	if r.direct.err != nil {
		r.stopDirect()
		return nil, TurbopufferDirect, r.direct.err
	}
	r.t.emit(Event{Kind: EventFallback, Operation: r.c.op.Name, Reason: ReasonHung})
	r.direct.resp.Body = &answer{ReadCloser: r.direct.resp.Body, done: r.stopDirect}
	return r.direct.resp, TurbopufferDirect, nil
}

// dropDirect ends the attempt at Turbopuffer and waits for its end, which is at hand: its context is over.
func (r *race) dropDirect() {
	r.stopDirect()
	<-r.directEnd
	r.direct.discard()
}
