package transport

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// deadline bounds the wait for the first byte of an answer. It works with any RoundTripper, and starts anew with each part
// of the request's body that was taken, so that slow uploads are not cut.
type deadline struct {
	timer  *time.Timer
	wait   time.Duration
	cancel context.CancelCauseFunc
}

func withDeadline(ctx context.Context, wait time.Duration) (context.Context, *deadline) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &deadline{timer: time.AfterFunc(wait, func() { cancel(errSilent) }), wait: wait, cancel: cancel}
}

// end frees the context of an attempt without an answer.
func (d *deadline) end() {
	d.timer.Stop()
	d.cancel(nil)
}

// keep leaves the context to the answer, whose end frees it.
func (d *deadline) keep(resp *http.Response) {
	d.timer.Stop()
	resp.Body = &answer{ReadCloser: resp.Body, done: func() { d.cancel(nil) }}
}

// upload is a request's body that moves the deadline as it is read.
type upload struct {
	io.ReadCloser
	deadline *deadline
}

// Read reads and moves the deadline.
func (u *upload) Read(into []byte) (int, error) {
	count, err := u.ReadCloser.Read(into)
	// A timer that has fired stays as it is: the attempt is over.
	if count > 0 && u.deadline.timer.Stop() {
		u.deadline.timer.Reset(u.deadline.wait)
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
