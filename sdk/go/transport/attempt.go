package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// peekedMax is how much of an error of Layer is read to find its code.
const peekedMax = 64 << 10

// uploadMin is the size from which a body may take longer to send than an answer may take to begin.
const uploadMin = 1 << 20

// outcome is what became of an attempt at Layer.
type outcome struct {
	resp *http.Response
	err  error
	// reason why Layer did not answer; empty where it did, and where the caller gave up.
	reason string
	// maybeDone says that Layer may have acted on the request.
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

// progress sees how far the request got.
type progress struct {
	connected, sent atomic.Bool
	// sticky says that net/http may send the request again by itself, as it does with an idempotency key.
	sticky bool
}

func newProgress(req *http.Request) *progress {
	return &progress{sticky: req.Header["Idempotency-Key"] != nil || req.Header["X-Idempotency-Key"] != nil}
}

func (p *progress) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		// Called again where net/http takes another connection, because nothing was written to the first.
		GetConn: func(string) {
			p.connected.Store(false)
			p.sent.Store(p.sticky && p.sent.Load())
		},
		GotConn:      func(httptrace.GotConnInfo) { p.connected.Store(true) },
		WroteHeaders: func() { p.sent.Store(true) },
	}
}

// askLayer makes the attempt at Layer. It reports nothing to the breaker: a hedge may have ended it.
func (t *Transport) askLayer(ctx context.Context, c *call) outcome {
	begun, seen := time.Now(), newProgress(c.req)
	ctx, deadline := withDeadline(httptrace.WithClientTrace(ctx, seen.hooks()), t.options.AnswerTimeout)
	resp, err := t.send(ctx, deadline, c, t.base, t.layerURL, c.path, func(header http.Header) {
		t.toLayer(header, t.patience(ctx, c))
	})
	out := outcome{resp: resp, err: err, took: time.Since(begun)}
	if err != nil {
		out.failed(ctx, c, seen)
		deadline.end()
		return out
	}
	out.read()
	deadline.keep(resp)
	return out
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

func (t *Transport) send(ctx context.Context, deadline *deadline, c *call, via http.RoundTripper, base *url.URL, path string, headers func(http.Header)) (*http.Response, error) {
	req, err := c.request(base, path)
	if err != nil {
		return nil, err
	}
	headers(req.Header)
	inject(ctx, req.Header)
	// What is in memory already is left as it is: net/http sends it with the headers, in one packet.
	if c.body.content == nil && req.Body != nil {
		req.Body = &upload{ReadCloser: req.Body, deadline: deadline}
	}
	return via.RoundTrip(req.WithContext(ctx))
}

// failed tells the reasons for an error apart.
func (o *outcome) failed(ctx context.Context, c *call, seen *progress) {
	o.maybeDone = seen.sent.Load()
	silent := errors.Is(context.Cause(ctx), errSilent)
	switch {
	case errors.Is(o.err, errNoReplay):
	case silent && seen.connected.Load():
		o.reason, o.err = ReasonSilent, errSilent
	case c.req.Context().Err() != nil || context.Cause(ctx) != nil && !silent:
	case !seen.connected.Load():
		o.reason = ReasonNotSent
	default:
		o.reason = ReasonBroken
	}
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
