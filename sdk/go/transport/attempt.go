package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// peekedMax is how much of an error of Layer is read to find its code.
const peekedMax = 64 << 10

// uploadMin is the size from which a body may take longer to send than an answer may take to begin.
const uploadMin = 1 << 20

// outcome is what became of an attempt.
type outcome struct {
	resp *http.Response
	err  error
	// reason why there is no answer; empty where there is one, and where the caller gave up.
	reason string
	// maybeDone says that who was asked may have acted on the request.
	maybeDone bool
	// maybeApplied says that Layer answered that a write may have been applied: its client must not repeat it.
	maybeApplied bool
	// marked says that Layer or Turbopuffer answered, not something on the way.
	marked bool
	took   time.Duration
}

// cause is the original error, or what the answer says in its place.
func (o outcome) cause() error {
	if o.err != nil || o.resp == nil {
		return o.err
	}
	answer := &AnswerError{StatusCode: o.resp.StatusCode}
	switch {
	case o.maybeApplied:
		answer.Code = ReasonMaybeApplied
	case o.reason == ReasonDraining || o.reason == ReasonUpstream:
		answer.Code = o.reason
	}
	return answer
}

func (o outcome) failure() error { return &failure{o.reason, o.cause()} }

func (o outcome) discard() {
	if o.resp != nil {
		_, _ = io.CopyN(io.Discard, o.resp.Body, peekedMax)
		_ = o.resp.Body.Close()
	}
}

// askLayer makes the attempt at Layer, the alarm of which is set. It reports nothing to the breaker: a hedge may have ended it.
func (t *Transport) askLayer(ctx context.Context, c *call, a *attempt) outcome {
	begun := time.Now()
	a.watch(c.req.Header)
	resp, err := t.send(a, c, toLayer, t.patience(ctx, c))
	out := outcome{resp: resp, err: err, took: time.Since(begun)}
	if err != nil {
		out.failed(c, a)
		a.end()
		return out
	}
	out.read()
	a.keep(resp)
	return out
}

// askLayerAlone makes the attempt at Layer without a hedge.
func (t *Transport) askLayerAlone(ctx context.Context, c *call) outcome {
	a := &attempt{}
	a.begin(ctx, t.options.AnswerTimeout)
	a.alarm = t.alarms.After(a.wait, a.silence)
	return t.askLayer(ctx, c, a)
}

// patience is how long the caller waits for the answer; 0 where sending the request may take longer than that.
func (t *Transport) patience(ctx context.Context, c *call) time.Duration {
	if c.body.length < 0 || c.body.length > uploadMin {
		return 0
	}
	wait := t.options.AnswerTimeout
	if end, bounded := ctx.Deadline(); bounded {
		wait = min(wait, time.Until(end))
	}
	return max(wait, time.Millisecond)
}

// side is whom an attempt asks.
type side bool

const (
	toLayer  side = true
	toDirect side = false
)

// send makes an attempt's request. Layer is told how long its caller waits.
func (t *Transport) send(a *attempt, c *call, to side, wait time.Duration) (*http.Response, error) {
	via, target := t.base, c.atLayer
	if to == toDirect {
		via, target = t.directBase, at(t.directURL, c.op.DirectPath, c.req.URL.RawQuery)
	} else if target == nil {
		target = at(t.layerURL, c.path, c.req.URL.RawQuery)
	}
	req, err := c.request(a.ctx, target)
	if err != nil {
		return nil, err
	}
	if to == toLayer {
		t.toLayer(req.Header, wait)
	} else {
		t.toDirect(req.Header)
	}
	inject(a.ctx, req.Header)
	// What is in memory already is left as it is: net/http sends it with the headers, in one packet.
	if c.body.content == nil && req.Body != nil {
		req.Body = &upload{ReadCloser: req.Body, attempt: a}
	}
	return via.RoundTrip(req)
}

// failed tells the reasons for an error apart.
func (o *outcome) failed(c *call, a *attempt) {
	cause := context.Cause(a.ctx)
	silent := errors.Is(cause, errSilent)
	unsent := !a.connected.Load()
	if !a.traced.Load() {
		// A carrier that does not say how far a request got may have sent all of it.
		unsent = isDial(o.err)
		a.sent.Store(!unsent)
	}
	o.maybeDone = a.sent.Load()
	if errors.Is(o.err, errNoReplay) {
		return
	}
	if silent {
		// An error of a context would look like the end of the caller's own.
		o.err = errSilent
	}
	switch {
	case silent && !unsent:
		o.reason = ReasonSilent
	case c.req.Context().Err() != nil || cause != nil && !silent:
	case unsent:
		o.reason = ReasonNotSent
	default:
		o.reason = ReasonBroken
	}
}

// isDial says whether an error is one of finding or connecting to a host, before anything is sent.
func isDial(err error) bool {
	var network *net.OpError
	var name *net.DNSError
	return errors.As(err, &network) && network.Op == "dial" || errors.As(err, &name)
}

// read tells answers that stand for Layer's absence from others.
func (o *outcome) read() {
	servedBy, status := o.resp.Header.Get(headerServedBy), o.resp.StatusCode
	o.marked = servedBy != ""
	switch {
	case servedBy == "" && (status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout):
		o.reason, o.maybeDone = ReasonIngress, true
	case servedBy == servedByLayer && status == http.StatusServiceUnavailable && peekCode(o.resp) == ReasonDraining:
		o.reason = ReasonDraining
	case servedBy == servedByLayer && status == http.StatusBadGateway && peekCode(o.resp) == ReasonUpstream:
		o.reason, o.maybeDone = ReasonUpstream, true
	case servedBy == servedByLayer && status == http.StatusGatewayTimeout:
		o.maybeApplied = peekCode(o.resp) == "gateway_timeout"
	case servedBy == servedByLayer && status == http.StatusServiceUnavailable:
		o.maybeApplied = peekCode(o.resp) == "doc_cache_unavailable"
	}
}

// peekCode answers the code of an error of Layer, and leaves the answer as it was.
func peekCode(resp *http.Response) string {
	head, err := io.ReadAll(io.LimitReader(resp.Body, peekedMax))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failingReader{err}
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), resp.Body}
	var envelope struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(head, &envelope)
	return envelope.Error
}

type failingReader struct{ err error }

// Read fails.
func (f failingReader) Read([]byte) (int, error) { return 0, f.err }
