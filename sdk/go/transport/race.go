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
// Layer runs on the caller's goroutine: as long as Layer answers in time, a read costs an alarm and nothing more. That alarm is
// the attempt's own: it first says that Layer is slow, and in the end that it is silent.
type race struct {
	t   *Transport
	c   *call
	ctx context.Context

	layer attempt
	begun time.Time

	mu         sync.Mutex
	delay      time.Duration
	over       bool // Layer's attempt has ended.
	settled    bool // Whether to hedge is decided.
	hedged     bool
	won        bool // Turbopuffer's answer came while Layer gave none.
	direct     outcome
	directEnd  chan struct{} // Closed when direct is there.
	stopDirect context.CancelFunc
}

func (t *Transport) race(ctx context.Context, c *call, pass breaker.Pass) (*http.Response, string, error) {
	r := &race{t: t, c: c, ctx: ctx, delay: t.hedge.Call(), begun: time.Now()}
	r.layer.begin(ctx, t.options.AnswerTimeout)
	r.mu.Lock()
	r.layer.alarm = t.alarms.After(min(r.delay, r.layer.wait), r.fired)
	r.mu.Unlock()
	out := t.askLayer(ctx, c, &r.layer)
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
	if out.marked && out.reason == "" {
		t.hedge.Observe(out.took)
	}
	return t.settle(ctx, c, pass, out)
}

// layerEnded stops the alarm, and answers whether Turbopuffer was asked, and whether it has won.
func (r *race) layerEnded() (hedged, won bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.layer.alarm.Stop()
	return r.hedged, r.won
}

// fired asks Turbopuffer too, or looks again later, until Layer's time is over.
func (r *race) fired() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	left := r.layer.wait - time.Since(r.begun)
	if left <= 0 {
		r.layer.silence()
		return
	}
	if !r.settled && !r.decide() {
		left = min(left, r.delay)
	}
	r.layer.alarm.Reset(left)
}

// decide asks Turbopuffer too where that is allowed; false: it is not allowed for now.
func (r *race) decide() bool {
	if !r.mayHedge() {
		return false
	}
	r.settled = true
	if r.c.inspect(); r.c.op.NeedsLayer {
		return true
	}
	ctx, stop := context.WithCancel(r.ctx)
	r.directEnd, r.stopDirect = make(chan struct{}), stop
	if r.hedged = r.t.beside(func() { r.askDirect(ctx, stop) }); !r.hedged {
		stop()
		return true
	}
	r.t.emit(Event{Kind: EventHedge, Operation: r.c.op.Name, Reason: ReasonHung})
	return true
}

// mayHedge asks the budget, unless there is reason to believe that Layer stands still: then all reads must get away.
func (r *race) mayHedge() bool { return r.t.breaker.Doubtful() || r.t.hedge.Take() }

// askDirect wins the race where Layer's attempt is still under way, unless Turbopuffer refuses: then there is hope that
// Layer's answer will be better.
func (r *race) askDirect(ctx context.Context, stop context.CancelFunc) {
	out := r.t.askUntilClosed(ctx, stop, r.c)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.direct = out
	r.won = !r.over && out.err == nil && !isRefusal(out.resp.StatusCode)
	close(r.directEnd)
	if r.won {
		r.layer.cancel(errOvertaken)
	}
}

// askUntilClosed makes an attempt at Turbopuffer that ends when the transport is closed. An answer that is there by then stays:
// its caller may be reading it.
func (t *Transport) askUntilClosed(ctx context.Context, stop context.CancelFunc, c *call) outcome {
	inTime := context.AfterFunc(t.open, stop)
	out := t.askDirect(ctx, c)
	if inTime() {
		return out
	}
	stop()
	out.discard()
	return outcome{err: ErrClosed}
}

// isRefusal says whether an answer of Turbopuffer leaves hope that Layer's will be better: it is overloaded, or does not take
// the key for the direct way.
func isRefusal(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// takeDirect answers what Turbopuffer says.
func (r *race) takeDirect() (*http.Response, string, error) {
	<-r.directEnd
	r.t.emit(Event{Kind: EventFallback, Operation: r.c.op.Name, Reason: ReasonHung})
	if r.direct.err != nil {
		r.stopDirect()
		return nil, TurbopufferDirect, r.direct.err
	}
	r.direct.resp.Body = &answer{ReadCloser: r.direct.resp.Body, done: r.stopDirect}
	return r.direct.resp, TurbopufferDirect, nil
}

// dropDirect ends the attempt at Turbopuffer and waits for its end, which is at hand: its context is over.
func (r *race) dropDirect() {
	r.stopDirect()
	<-r.directEnd
	r.direct.discard()
}
