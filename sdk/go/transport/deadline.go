package transport

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/layer-mesh/layer/sdk/go/internal/alarm"
)

// attempt is one call of one side, under a context of its own. It sees how far the request got, and bounds the wait for the
// first byte of the answer. That works with any RoundTripper, and starts anew with each part of the request's body that was
// taken, so that slow uploads are not cut.
//
// It is made for every call, so its parts are allocated as one.
type attempt struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	wait   time.Duration
	alarm  *alarm.Alarm
	reply  reply
	trace  httptrace.ClientTrace

	traced, connected, sent atomic.Bool
	// sticky says that net/http may send the request again by itself, as it does with an idempotency key.
	sticky bool
}

// begin makes the context; the caller sets the alarm.
func (a *attempt) begin(ctx context.Context, wait time.Duration) {
	a.wait = wait
	a.ctx, a.cancel = context.WithCancelCause(ctx)
}

// watch has the context tell how far the request gets.
func (a *attempt) watch(header http.Header) {
	a.sticky = header["Idempotency-Key"] != nil || header["X-Idempotency-Key"] != nil
	a.trace = httptrace.ClientTrace{
		// Called again where net/http takes another connection, because nothing was written to the first.
		GetConn: func(string) {
			a.traced.Store(true)
			a.connected.Store(false)
			a.sent.Store(a.sticky && a.sent.Load())
		},
		GotConn:      func(httptrace.GotConnInfo) { a.connected.Store(true) },
		WroteHeaders: func() { a.sent.Store(true) },
	}
	a.ctx = httptrace.WithClientTrace(a.ctx, &a.trace)
}

func (a *attempt) silence() { a.cancel(errSilent) }

// end frees the context of an attempt without an answer.
func (a *attempt) end() {
	a.alarm.Stop()
	a.cancel(nil)
}

// keep leaves the context to the answer, whose end frees it.
func (a *attempt) keep(resp *http.Response) {
	a.alarm.Stop()
	a.reply = reply{resp.Body, a}
	resp.Body = &a.reply
}

// reply is an answer's body that ends its attempt when it has been read or closed.
type reply struct {
	io.ReadCloser
	attempt *attempt
}

// Read reads, and ends the attempt with the body.
func (r *reply) Read(into []byte) (int, error) {
	count, err := r.ReadCloser.Read(into)
	if err != nil {
		r.attempt.cancel(nil)
	}
	return count, err
}

// Close closes, and ends the attempt.
func (r *reply) Close() error {
	err := r.ReadCloser.Close()
	r.attempt.cancel(nil)
	return err
}

// upload is a request's body that moves the deadline as it is read.
type upload struct {
	io.ReadCloser
	attempt *attempt
}

// Read reads and moves the deadline.
func (u *upload) Read(into []byte) (int, error) {
	count, err := u.ReadCloser.Read(into)
	// An alarm that has gone off stays as it is: the attempt is over.
	if count > 0 && u.attempt.alarm.Stop() {
		u.attempt.alarm.Reset(u.attempt.wait)
	}
	return count, err
}

// answer is an answer's body that says when it has been read or closed.
type answer struct {
	io.ReadCloser
	once sync.Once
	done func()
}

// Read reads, and says so at the end.
func (a *answer) Read(into []byte) (int, error) {
	count, err := a.ReadCloser.Read(into)
	if err != nil {
		a.once.Do(a.done)
	}
	return count, err
}

// Close closes, and says so.
func (a *answer) Close() error {
	err := a.ReadCloser.Close()
	a.once.Do(a.done)
	return err
}
