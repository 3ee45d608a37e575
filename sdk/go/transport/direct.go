package transport

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/layer-mesh/layer/sdk/go/internal/operation"
)

// directConnectTimeout bounds how long Turbopuffer may take to accept a connection: it may be across an ocean.
const directConnectTimeout = 10 * time.Second

// verdict is what becomes of a call that Layer did not answer.
type verdict int

const (
	goDirect verdict = iota
	passOn
	unavailable
	unknown
)

// judge follows the table "When" of docs/api/client-fall-through.md.
func judge(c *call, out outcome) verdict {
	c.inspect()
	answered := out.reason == ReasonDraining || out.reason == ReasonUpstream
	switch {
	case c.op.NeedsLayer && answered:
		return passOn
	case c.op.NeedsLayer && c.writes && out.maybeDone:
		return unknown
	case c.op.NeedsLayer:
		return unavailable
	case out.maybeDone && c.op.Effect == operation.UnrepeatableWrite:
		return unknown
	default:
		return goDirect
	}
}

func (t *Transport) pastLayer(ctx context.Context, c *call, out outcome) (*http.Response, string, error) {
	switch judge(c, out) {
	case passOn:
		return out.resp, "", nil
	case unavailable:
		out.discard()
		t.emit(Event{Kind: EventUnavailable, Operation: c.op.Name, Reason: out.reason, Err: out.cause()})
		return nil, "", &LayerUnavailable{Operation: c.op.Name, Cause: out.cause()}
	case unknown:
		return nil, "", t.outcomeUnknown(c, out, out.reason)
	default:
		out.discard()
		return t.direct(ctx, c, out)
	}
}

// outcomeUnknown is the error of a write that may have been applied and must not be repeated.
func (t *Transport) outcomeUnknown(c *call, out outcome, reason string) error {
	out.discard()
	t.emit(Event{Kind: EventOutcomeUnknown, Operation: c.op.Name, Reason: reason, Err: out.cause()})
	return &OutcomeUnknown{Operation: c.op.Name, Cause: out.cause()}
}

// mustNotRepeat says whether a call goes direct while Layer is away, and may do something else the second time.
func (c *call) mustNotRepeat() bool {
	c.inspect()
	return !c.op.NeedsLayer && c.op.Effect == operation.UnrepeatableWrite
}

// direct makes the call of Turbopuffer in the place of Layer.
func (t *Transport) direct(ctx context.Context, c *call, out outcome) (*http.Response, string, error) {
	asked := t.askDirect(ctx, c)
	if errors.Is(asked.err, errNoReplay) {
		if c.writes && out.maybeDone {
			return nil, "", t.outcomeUnknown(c, out, out.reason)
		}
		return nil, "", errors.Join(errNoReplay, out.cause())
	}
	t.emit(Event{Kind: EventFallback, Operation: c.op.Name, Reason: out.reason, Err: out.cause()})
	if asked.reason != "" && judge(c, asked) == unknown {
		return nil, TurbopufferDirect, t.outcomeUnknown(c, asked, asked.reason)
	}
	return asked.resp, TurbopufferDirect, asked.err
}

// askDirect makes the attempt at Turbopuffer, and remembers what it writes until Layer knows. The outcome has a reason where
// there is no answer; whatever Turbopuffer answers is the answer.
func (t *Transport) askDirect(ctx context.Context, c *call) outcome {
	written := c.written()
	t.memory.Add(written)
	a := &attempt{}
	a.begin(ctx, t.options.AnswerTimeout)
	a.watch(c.req.Header)
	a.alarm = t.alarms.After(a.wait, a.silence)
	resp, err := t.send(a, c, toDirect, 0)
	out := outcome{resp: resp, err: err}
	// Telling Layer takes time: the attempt's own must not run out meanwhile.
	if err != nil {
		out.failed(c, a)
		a.end()
	} else {
		t.relocate(resp, c)
		a.keep(resp)
	}
	if !errors.Is(err, errNoReplay) {
		t.afterWrite(ctx, written)
	}
	return out
}

// afterWrite sees to it that Layer is told before the caller knows that the write is done. While Layer is away the probe
// does that; where it is there already, because it returned meanwhile or was never given up, it is done here.
func (t *Transport) afterWrite(ctx context.Context, written operation.Written) {
	if written.Namespace == "" {
		return
	}
	t.memory.Add(written)
	if t.breaker.LeavesToProbe() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	if err := t.tell(ctx); err != nil {
		t.breaker.Trip(&failure{ReasonUntold, err})
	}
}

// relocate turns the address of an operation to poll to the one that the caller called: its client refuses any other.
func (t *Transport) relocate(resp *http.Response, c *call) {
	target, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || target.Host == "" {
		return
	}
	if path, base := t.relative(target); base != nil {
		called := *c.req.URL
		called.Path, called.RawPath = "", ""
		if _, own := t.relative(c.req.URL); own != nil {
			called.Path = own.Path
		}
		resp.Header.Set("Location", at(&called, path, target.RawQuery).String())
	}
}
