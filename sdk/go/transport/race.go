package transport

import (
	"context"
	"net/http"
	"time"

	"github.com/layer-mesh/layer/sdk/go/internal/breaker"
)

// race asks Layer for a read, and Turbopuffer too where Layer does not begin its answer in the usual time.
type race struct {
	t        *Transport
	c        *call
	pass     breaker.Pass
	over     chan struct{} // Closed when there is a winner.
	layer    chan outcome
	direct   chan outcome
	hedged   bool
	failure  *outcome // Layer's, where it has failed while Turbopuffer was asked already.
	refusal  *outcome // Turbopuffer's, where it is no reason to give up on Layer.
	toDirect context.Context
	stop     context.CancelFunc // Of the attempt at Turbopuffer.
}

func (t *Transport) race(ctx context.Context, c *call, pass breaker.Pass) (*http.Response, string, error) {
	r := &race{t: t, c: c, pass: pass, over: make(chan struct{}), layer: make(chan outcome), direct: make(chan outcome)}
	defer close(r.over)
	toLayer, stopLayer := context.WithCancel(ctx)
	r.toDirect, r.stop = context.WithCancel(ctx)
	t.hedge.Call()
	r.start(r.layer, func() outcome { return t.askLayer(toLayer, c) })
	resp, fallback, err := r.run(ctx)
	// The loser is cancelled; the winner's context lives on with its answer.
	switch {
	case err != nil:
		stopLayer()
		r.stop()
	case fallback == "":
		r.stop()
		resp.Body = &answer{ReadCloser: resp.Body, done: stopLayer}
	default:
		stopLayer()
		resp.Body = &answer{ReadCloser: resp.Body, done: r.stop}
	}
	return resp, fallback, err
}

// start runs an attempt that throws its answer away where it comes too late.
func (r *race) start(into chan outcome, attempt func() outcome) {
	r.t.attempts.Add(1)
	go func() {
		defer r.t.attempts.Done()
		out := attempt()
		select {
		case into <- out:
		case <-r.over:
			out.discard()
		}
	}()
}

func (r *race) run(ctx context.Context) (*http.Response, string, error) {
	delay, opened := r.t.hedge.Delay(), r.pass.Opened()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		select {
		case out := <-r.layer:
			if out.reason == "" || !r.hedged {
				return r.layerEnded(ctx, out)
			}
			if r.t.report(ctx, r.pass, out); r.refusal != nil {
				out.discard()
				return r.won(*r.refusal)
			}
			r.failure = &out
		case out := <-r.direct:
			if r.failure != nil || out.err == nil && !isRefusal(out.resp.StatusCode) {
				return r.won(out)
			}
			r.refusal = &out
		case <-opened:
			opened = nil
			r.hedge()
		case <-timer.C:
			if !r.mayHedge() {
				timer.Reset(delay)
				continue
			}
			r.hedge()
		}
	}
}

// layerEnded takes Layer's answer, or its failure where Turbopuffer was not asked yet.
func (r *race) layerEnded(ctx context.Context, out outcome) (*http.Response, string, error) {
	if r.refusal != nil {
		r.refusal.discard()
	}
	if out.reason == "" && out.err == nil {
		r.t.hedge.Observe(out.took)
	}
	return r.t.settle(ctx, r.c, r.pass, out)
}

// won takes Turbopuffer's answer. Where Layer still gives none, that counts against it.
func (r *race) won(out outcome) (*http.Response, string, error) {
	if r.failure != nil {
		r.failure.discard()
	} else if r.refusal == nil {
		r.t.breaker.Failed(r.pass, &failure{ReasonHung, errSuspended})
	}
	r.t.emit(Event{Kind: EventFallback, Operation: r.c.op.Name, Reason: ReasonHung})
	return out.resp, TurbopufferDirect, out.err
}

// isRefusal says whether an answer of Turbopuffer leaves hope that Layer's will be better.
func isRefusal(status int) bool { return status == http.StatusTooManyRequests || status >= 500 }

// mayHedge asks the budget, unless there is reason to believe that Layer stands still: then all reads must get away.
func (r *race) mayHedge() bool {
	return !r.hedged && (r.t.breaker.Doubtful() || r.t.hedge.Take())
}

// hedge asks Turbopuffer as well, where the call allows it.
func (r *race) hedge() {
	if r.hedged {
		return
	}
	if r.c.inspect(); r.c.op.NeedsLayer {
		return
	}
	r.hedged = true
	r.t.emit(Event{Kind: EventHedge, Operation: r.c.op.Name, Reason: ReasonHung})
	r.start(r.direct, func() outcome {
		resp, err := r.t.askDirect(r.toDirect, r.c)
		return outcome{resp: resp, err: err}
	})
}
