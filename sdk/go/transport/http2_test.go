package transport_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"testing"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

// Over TLS net/http speaks HTTP/2, where calls share a connection. What was sent is known there as well.
func TestOverHTTP2(t *testing.T) {
	var protocol string
	layer := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		protocol = r.Proto
		panic(http.ErrAbortHandler)
	}))
	layer.EnableHTTP2 = true
	layer.StartTLS()
	defer layer.Close()
	w := newWorld(t, nil, func(o *transport.Options) {
		o.LayerURL, o.Base, o.DirectBase = layer.URL, layer.Client().Transport, http.DefaultTransport.(*http.Transport).Clone()
	})
	got, err := w.call("POST", query, queryBody)
	w.want(got, err, "200 direct")
	if _, err := w.call("POST", write, onceBody); !errors.Is(err, transport.ErrOutcomeUnknown) || protocol != "HTTP/2.0" {
		t.Fatalf("%v over %s", err, protocol)
	}
	layer.Close()
	got, err = w.call("POST", write, onceBody)
	w.want(got, err, "200 direct")
}

// gate passes connections on to an address until they are frozen; those that come later pass.
type gate struct {
	net.Listener
	target  string
	mu      sync.Mutex
	frozen  chan struct{} // Closed for the connections that were there by then.
	end     chan struct{}
	running sync.WaitGroup
}

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Listener: listener, target: target, frozen: make(chan struct{}), end: make(chan struct{})}
	g.running.Go(g.accept)
	t.Cleanup(func() { close(g.end); _ = listener.Close(); g.running.Wait() })
	return g
}

func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.frozen)
	g.frozen = make(chan struct{})
}

func (g *gate) accept() {
	for {
		from, err := g.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", g.target)
		if err != nil {
			_ = from.Close()
			continue
		}
		g.mu.Lock()
		frozen := g.frozen
		g.mu.Unlock()
		g.running.Go(func() { <-g.end; _ = from.Close(); _ = to.Close() })
		g.running.Go(func() { g.copy(to, from, frozen) })
		g.running.Go(func() { g.copy(from, to, frozen) })
	}
}

func (g *gate) copy(to, from net.Conn, frozen chan struct{}) {
	buffer := make([]byte, 4096)
	for {
		count, err := from.Read(buffer)
		select {
		case <-frozen:
			<-g.end
			return
		default:
		}
		if _, werr := to.Write(buffer[:count]); err != nil || werr != nil {
			_, _ = from.Close(), to.Close()
			return
		}
	}
}

// The other end of a shared connection is gone without a word, and a call still waits on it when Layer is given up: probes
// must find the new one all the same.
func TestAConnectionThatHangsIsNotProbedForEver(t *testing.T) {
	layer := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("x-layer-served-by", "layer")
	}))
	layer.EnableHTTP2 = true
	layer.StartTLS()
	defer layer.Close()
	g := newGate(t, layer.Listener.Addr().String())
	w := newHedgingWorld(t, nil, func(o *transport.Options) { o.LayerURL = "https://" + g.Addr().String() })
	w.transport.TrustForTest(layer.Client().Transport.(*http.Transport).TLSClientConfig)
	// Not a read: it may be hedged while it connects.
	got, err := w.call("POST", write, upsertBody)
	w.want(got, err, "200 ")
	g.freeze()
	ctx, leave := context.WithCancel(context.Background())
	left, sent := make(chan error, 1), make(chan struct{})
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { close(sent) }})
	go func() {
		_, err := w.callUnder(ctx, "POST", write, upsertBody)
		left <- err
	}()
	<-sent
	for w.transport.Away() == nil {
		got, err = w.call("POST", query, queryBody)
		w.want(got, err, "200 direct")
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
}
