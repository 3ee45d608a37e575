package transport_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

const (
	layerKey  = "key-of-layer"
	directKey = "key-of-turbopuffer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is what a server was asked.
type seen struct {
	method, uri, body string
	header            http.Header
}

// server answers as its behaviour says, and remembers what it was asked.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []seen
	answer   http.HandlerFunc
	ready    bool
}

func newServer(t *testing.T, answer http.HandlerFunc) *server {
	t.Helper()
	s := &server{answer: answer, ready: true}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.stop)
	return s
}

func (s *server) stop() {
	s.CloseClientConnections()
	s.Close()
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ready" {
		s.serveReady(w)
		return
	}
	content, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(content)))
	s.mu.Lock()
	s.requests = append(s.requests, seen{r.Method, r.RequestURI, string(content), r.Header.Clone()})
	answer := s.answer
	s.mu.Unlock()
	answer(w, r)
}

func (s *server) serveReady(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("x-layer-served-by", "layer")
	if !s.ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (s *server) setReady(ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = ready
}

func (s *server) become(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *server) asked() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.requests...)
}

// says answers with a status, a body and headers in pairs.
func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func origin(body string) http.HandlerFunc { return says(200, body, "x-layer-served-by", "origin") }

func ownError(status int, code string) http.HandlerFunc {
	return says(status, fmt.Sprintf(`{"error":%q,"message":"m"}`, code), "x-layer-served-by", "layer", "content-type", "application/json")
}

// reset ends the connection after the request was read, before any byte of an answer.
func reset(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = connection.(*net.TCPConn).SetLinger(0)
		_ = connection.Close()
	}
}

// hang answers nothing until the caller leaves.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// world is a transport between two servers.
type world struct {
	t         *testing.T
	layer     *server
	direct    *server
	transport *transport.Transport
	events    *events
}

type events struct {
	mu  sync.Mutex
	all []transport.Event
}

func (e *events) add(event transport.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) count(kind transport.EventKind) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	count := 0
	for _, event := range e.all {
		if event.Kind == kind {
			count++
		}
	}
	return count
}

// reasons answers why events of a kind happened.
func (e *events) reasons(kind transport.EventKind) (all []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.Kind == kind {
			all = append(all, event.Reason)
		}
	}
	return all
}

// newWorld makes one that has no hedges to make while Layer answers: how fast the machine is must not decide on a test. Reads
// take the same way through the transport as with them, which they would not with NoHedge. Ten reads would earn a hedge.
func newWorld(t *testing.T, layer http.HandlerFunc, change ...func(*transport.Options)) *world {
	t.Helper()
	w := newHedgingWorld(t, layer, change...)
	w.transport.SpendHedgesForTest()
	return w
}

// newHedgingWorld makes one with the whole budget, for tests of hedges.
func newHedgingWorld(t *testing.T, layer http.HandlerFunc, change ...func(*transport.Options)) *world {
	t.Helper()
	w := &world{t: t, layer: newServer(t, layer), direct: newServer(t, says(200, "direct")), events: &events{}}
	options := transport.Options{
		LayerURL: w.layer.URL, LayerKey: layerKey, DirectURL: w.direct.URL, DirectKey: directKey,
		OnEvent: w.events.add, ProbeInitial: 20 * time.Millisecond, ProbeMax: 50 * time.Millisecond,
		// The machine may be slow; what must be fast says so itself.
		ConnectTimeout: 5 * time.Second,
	}
	for _, one := range change {
		one(&options)
	}
	made, err := transport.New(options)
	if err != nil {
		t.Fatal(err)
	}
	w.transport = made
	t.Cleanup(func() { _ = made.Close() })
	return w
}

func (w *world) call(method, path, body string) (string, error) {
	w.t.Helper()
	return w.callUnder(context.Background(), method, path, body)
}

func (w *world) callUnder(ctx context.Context, method, path, body string) (string, error) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, w.transport.BaseURL()+strings.TrimPrefix(path, "/"), strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer key-of-the-client")
	return send(w.transport, req)
}

func send(via http.RoundTripper, req *http.Request) (string, error) {
	resp, err := via.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, content), err
}

// lateLayer has Layer answer after Turbopuffer was asked too, whatever the machine does meanwhile, and each as it is given.
func (w *world) lateLayer(layer, direct http.HandlerFunc) {
	asked := make(chan struct{})
	arrived := sync.OnceFunc(func() { close(asked) })
	w.direct.become(func(rw http.ResponseWriter, r *http.Request) { arrived(); direct(rw, r) })
	w.layer.become(func(rw http.ResponseWriter, r *http.Request) {
		select {
		case <-asked:
		case <-time.After(10 * time.Second):
		}
		// Where Turbopuffer's answer wins, it ends this call. Without the time for it, one that must not win would go unseen.
		select {
		case <-r.Context().Done():
		case <-time.After(200 * time.Millisecond):
		}
		layer(rw, r)
	})
}

func (w *world) want(got string, err error, want string) {
	w.t.Helper()
	if err != nil || got != want {
		w.t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

// until waits for the thing itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("it never came to be that %s", what)
}
