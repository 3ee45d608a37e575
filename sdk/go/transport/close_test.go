package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

// closes wants Close to return, and not with a timeout of an hour.
func (w *world) closes() {
	w.t.Helper()
	closed := make(chan struct{})
	go func() {
		_ = w.transport.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		w.t.Fatal("Close waits for an answer of Turbopuffer")
	}
}

func hour(o *transport.Options) { o.AnswerTimeout = time.Hour }

// A hedge that is under way ends with the transport, on the wire too; its caller still has the attempt at Layer.
func TestCloseEndsHedges(t *testing.T) {
	for want, answer := range map[string]http.HandlerFunc{"200 late": origin("late"), "": reset} {
		late, left := make(chan struct{}), make(chan struct{})
		release := sync.OnceFunc(func() { close(late) })
		w := newHedgingWorld(t, func(rw http.ResponseWriter, r *http.Request) { <-late; answer(rw, r) }, hour)
		t.Cleanup(release)
		ctx, leave := context.WithCancel(context.Background())
		t.Cleanup(leave)
		w.direct.become(func(rw http.ResponseWriter, r *http.Request) { hang(rw, r); close(left) })
		done := make(chan error, 1)
		var got string
		go func() {
			var err error
			got, err = w.callUnder(ctx, "POST", query, queryBody)
			done <- err
		}()
		until(t, "Turbopuffer was asked too", func() bool { return len(w.direct.asked()) == 1 })
		w.closes()
		<-left
		release()
		if err := <-done; err == nil && got != want || err != nil && (want != "" || !errors.Is(err, transport.ErrClosed)) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
}

// An answer of Turbopuffer that is being read when the transport is closed is read to its end.
func TestCloseLeavesAnswersAlone(t *testing.T) {
	w := newHedgingWorld(t, hang, hour)
	late := make(chan struct{})
	release := sync.OnceFunc(func() { close(late) })
	t.Cleanup(release)
	w.direct.become(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, "one ")
		rw.(http.Flusher).Flush()
		<-late
		_, _ = io.WriteString(rw, "two")
	})
	req, _ := http.NewRequestWithContext(context.Background(), "POST", w.transport.BaseURL()+"v2/namespaces/n/query", strings.NewReader(queryBody))
	resp, err := w.transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	w.closes()
	release()
	if content, err := io.ReadAll(resp.Body); err != nil || string(content) != "one two" {
		t.Fatalf("got %q, %v", content, err)
	}
}
