package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

// carrierFunc is a carrier of the application's own.
type carrierFunc func(*http.Request) (*http.Response, error)

// RoundTrip carries.
func (f carrierFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A carrier that does not say how far a request got may have sent it all: nothing is taken for unsent but what was not dialled.
func TestACarrierThatTellsNothing(t *testing.T) {
	plain := http.DefaultTransport.(*http.Transport).Clone()
	defer plain.CloseIdleConnections()
	silent := carrierFunc(func(req *http.Request) (*http.Response, error) {
		return plain.RoundTrip(req.WithContext(context.WithoutCancel(withoutValues{req.Context()})))
	})
	w := newWorld(t, reset, func(o *transport.Options) { o.Base = silent })
	got, err := w.call("POST", write, onceBody)
	check(t, "a write", got, err, unknown)
	if len(w.direct.asked()) != 0 {
		t.Fatal("a write that Layer has seen was made again")
	}
	got, err = w.call("POST", query, queryBody)
	w.want(got, err, "200 direct")
	w.layer.stop()
	got, err = w.call("POST", write, onceBody)
	w.want(got, err, "200 direct")
}

// withoutValues hides what a context carries.
type withoutValues struct{ context.Context }

// Value answers nothing.
func (withoutValues) Value(any) any { return nil }

// Whoever is redirected to another host takes no key there, also where the hosts differ by their port alone.
func TestRedirectsCarryNoKey(t *testing.T) {
	for _, from := range []string{"Layer", "Turbopuffer"} {
		third := newServer(t, says(200, "third"))
		away := func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, third.URL+"/elsewhere", http.StatusTemporaryRedirect)
		}
		w := newWorld(t, away)
		if from == "Turbopuffer" {
			w.layer.become(reset)
			w.direct.become(away)
		}
		req, _ := http.NewRequest("POST", w.transport.BaseURL()+"v2/namespaces/n/query", strings.NewReader(queryBody))
		req.Header.Set("Authorization", "Bearer "+layerKey)
		resp, err := w.transport.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if asked := third.asked(); len(asked) != 1 || strings.Contains(flat(asked[0]), "key-of") {
			t.Errorf("redirected by %s, the third host saw %+v", from, asked)
		}
	}
}

// What names the caller to Layer, or to what stands before it, is not shown to Turbopuffer, however it is spelled.
func TestCredentialsOfLayerStayThere(t *testing.T) {
	w := newWorld(t, reset)
	jar, _ := cookiejar.New(nil)
	address, _ := url.Parse(w.layer.URL)
	jar.SetCookies(address, []*http.Cookie{{Name: "session", Value: "secret"}})
	client := w.transport.Client()
	client.Jar = jar
	req, _ := http.NewRequest("POST", w.transport.BaseURL()+"v2/namespaces/n/query", strings.NewReader(queryBody))
	req.Header["authorization"] = []string{"Bearer secret"}
	req.Header["x-layer-tag"] = []string{"secret"}
	req.Header.Set("Proxy-Authorization", "Basic secret")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if asked := w.direct.asked(); len(asked) != 1 || strings.Contains(flat(asked[0]), "secret") || asked[0].header.Get("Authorization") != "Bearer "+directKey {
		t.Fatalf("Turbopuffer saw %+v", asked)
	}
}

// The port that a scheme implies may be named or not.
func TestKnowsTheImpliedPort(t *testing.T) {
	w := newWorld(t, nil)
	for base, called := range map[string]string{"https://layer.test": "https://Layer.test:443", "http://layer.test:80/l": "http://layer.test/l"} {
		made, err := transport.New(transport.Options{
			LayerURL: base, LayerKey: layerKey, DirectURL: w.direct.URL, DirectKey: directKey, DirectBase: http.DefaultTransport,
			Base: carrierFunc(func(req *http.Request) (*http.Response, error) { return nil, errors.New(req.URL.Path) }),
		})
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequest("POST", called+query, strings.NewReader(queryBody))
		got, err := send(made, req)
		w.want(got, err, "200 direct")
		_ = made.Close()
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// Who points the official client at Layer by its environment has the same address twice. The Turbopuffer key is not for it.
func TestLayerIsNoWayPastLayer(t *testing.T) {
	for _, direct := range []string{"https://layer.test", "https://LAYER.test:443/"} {
		if _, err := transport.New(transport.Options{LayerURL: "https://layer.test/", LayerKey: layerKey, DirectURL: direct, DirectKey: directKey}); !errors.Is(err, transport.ErrSameAddress) {
			t.Errorf("%s: %v", direct, err)
		}
	}
}

// opened counts bodies that are open.
type opened struct {
	io.Reader
	count *atomic.Int64
	once  atomic.Bool
}

// Close closes.
func (o *opened) Close() error {
	if o.once.CompareAndSwap(false, true) {
		o.count.Add(-1)
	}
	return nil
}

// A body that can be opened again is, for each attempt, and all of them are closed in the end.
func TestBodiesThatAreOpenedAgain(t *testing.T) {
	for name, one := range map[string]struct {
		path string
		size int
		said bool
	}{"write": {write, 200 << 10, true}, "write of unknown length": {write, 17 << 20, false}, "read": {query, 17 << 20, true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, reset)
			content := []byte(`{"upsert_rows":[{"id":1,"x":"` + strings.Repeat("x", one.size) + `"}]}`)
			var count atomic.Int64
			open := func() (io.ReadCloser, error) {
				count.Add(1)
				return &opened{Reader: bytes.NewReader(content), count: &count}, nil
			}
			first, _ := open()
			req, _ := http.NewRequest("POST", w.transport.BaseURL()+strings.TrimPrefix(one.path, "/"), first)
			req.GetBody = open
			if one.said {
				req.ContentLength = int64(len(content))
			}
			got, err := send(w.transport, req)
			if one.path == write && !one.said {
				// Too large to be looked at: it may be a write that must not be repeated.
				check(t, name, got, err, unknown)
			} else {
				w.want(got, err, "200 direct")
				if len(w.direct.asked()[0].body) != len(content) {
					t.Fatal("Turbopuffer got another body")
				}
			}
			until(t, "all bodies are closed", func() bool { return count.Load() == 0 })
		})
	}
}

// The second of two calls under a context is not said to have begun with the first.
func TestPerfOfTheLastCall(t *testing.T) {
	w := newWorld(t, origin("x"))
	ctx, recorder := transport.WithPerf(context.Background())
	_, _ = w.callUnder(ctx, "POST", query, queryBody)
	begun := time.Now()
	_, _ = w.callUnder(ctx, "POST", query, queryBody)
	if took := millis(begun); recorder.Perf().LatencyMS > took {
		t.Fatalf("%v ms of a call that took %v ms", recorder.Perf().LatencyMS, took)
	}
	// The official client's second attempt belongs to the same call.
	begun = time.Now()
	var first float64
	for _, count := range []string{"0", "1"} {
		req, _ := http.NewRequestWithContext(ctx, "POST", w.transport.BaseURL()+"v2/namespaces/n/query", strings.NewReader(queryBody))
		req.Header.Set("X-Stainless-Retry-Count", count)
		_, _ = send(w.transport, req)
		if count == "0" {
			first = recorder.Perf().LatencyMS
		}
	}
	if took := recorder.Perf().LatencyMS; took <= first || took > millis(begun) {
		t.Fatalf("%v ms of a call whose first attempt took %v ms, and both %v ms", took, first, millis(begun))
	}
}

func millis(since time.Time) float64 { return float64(time.Since(since)) / float64(time.Millisecond) }

// Connections to Turbopuffer are needed most when Layer has just gone.
func TestKeepsItsConnectionsToTurbopuffer(t *testing.T) {
	w := newWorld(t, reset)
	var connections atomic.Int64
	direct := httptest.NewUnstartedServer(says(200, "direct"))
	direct.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	direct.Start()
	defer func() { direct.CloseClientConnections(); direct.Close() }()
	made, err := transport.New(transport.Options{LayerURL: w.layer.URL, DirectURL: direct.URL, DirectKey: directKey, ConnectTimeout: 5 * time.Second, ProbeInitial: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	for range 5 {
		req, _ := http.NewRequest("POST", made.BaseURL()+"v2/namespaces/n/query", strings.NewReader(queryBody))
		got, err := send(made, req)
		w.want(got, err, "200 direct")
	}
	if made.Away() == nil || connections.Load() != 1 {
		t.Fatalf("%d connections", connections.Load())
	}
}
