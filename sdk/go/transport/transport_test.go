package transport_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

const (
	query       = "/v2/namespaces/n/query"
	queryBody   = `{"rank_by":["vector","ANN",[1]],"top_k":1}`
	hybridBody  = `{"rank_by":["text","HybridText","x"]}`
	write       = "/v2/namespaces/n"
	upsertBody  = `{"upsert_rows":[{"id":1}]}`
	onceBody    = `{"patch_by_filter":{"filters":["a","Eq",1],"patch":{"a":2}}}`
	unavailable = "LayerUnavailable"
	unknown     = "OutcomeUnknown"
)

func TestAsksLayerAlone(t *testing.T) {
	w := newWorld(t, origin("through"), func(o *transport.Options) { o.NoHedge = true })
	got, err := w.call("POST", query, queryBody)
	w.want(got, err, "200 through")
	asked := w.layer.asked()
	if len(asked) != 1 || asked[0].uri != query || asked[0].body != queryBody || len(w.direct.asked()) != 0 {
		t.Fatalf("Layer was asked %+v", asked)
	}
	if asked[0].header.Get("Authorization") != "Bearer "+layerKey {
		t.Fatalf("Layer saw %q", asked[0].header.Get("Authorization"))
	}
	if asked[0].header.Get("X-Request-Timeout-Ms") == "" {
		t.Fatal("Layer was not told how long the caller waits")
	}
}

// failures are the ways in which Layer is away, and what becomes of each kind of call: docs/api/client-fall-through.md.
var failures = []struct {
	name                              string
	layer                             http.HandlerFunc
	read, repeatable, once, own, ownW string
}{
	{"broken", reset, "200 direct", "200 direct", unknown, unavailable, unknown},
	{"ingress 502", says(502, "bad gateway"), "200 direct", "200 direct", unknown, unavailable, unknown},
	{"ingress 503", says(503, "no endpoints"), "200 direct", "200 direct", unknown, unavailable, unknown},
	{"ingress 504", says(504, "late"), "200 direct", "200 direct", unknown, unavailable, unknown},
	{
		"draining", ownError(503, "gateway_draining"), "200 direct", "200 direct", "200 direct",
		`503 {"error":"gateway_draining","message":"m"}`, `503 {"error":"gateway_draining","message":"m"}`,
	},
	{
		"upstream", ownError(502, "upstream_error"), "200 direct", "200 direct", unknown,
		`502 {"error":"upstream_error","message":"m"}`, `502 {"error":"upstream_error","message":"m"}`,
	},
	{
		"cleared too late", ownError(503, "doc_cache_unavailable"),
		`503 {"error":"doc_cache_unavailable","message":"m"}`, `503 {"error":"doc_cache_unavailable","message":"m"}`, unknown,
		`503 {"error":"doc_cache_unavailable","message":"m"}`, `503 {"error":"doc_cache_unavailable","message":"m"}`,
	},
	passedOn("origin 500", says(500, "x", "x-layer-served-by", "origin"), "500 x"),
	passedOn("origin 503", says(503, "x", "x-layer-served-by", "origin"), "503 x"),
	passedOn("origin 429", says(429, "x", "x-layer-served-by", "origin"), "429 x"),
	passedOn("origin 404", says(404, "x", "x-layer-served-by", "origin"), "404 x"),
	passedOn("overloaded", says(429, "x", "x-layer-served-by", "layer"), "429 x"),
	passedOn("service unavailable", says(503, "x", "x-layer-served-by", "layer"), "503 x"),
	passedOn("gateway timeout", says(504, "x", "x-layer-served-by", "layer"), "504 x"),
	passedOn("unauthorized", says(401, "x", "x-layer-served-by", "layer"), "401 x"),
	passedOn("proxy's 401", says(401, "x"), "401 x"),
	passedOn("proxy's 500", says(500, "x"), "500 x"),
	passedOn("proxy's 429", says(429, "x"), "429 x"),
}

func passedOn(name string, layer http.HandlerFunc, answer string) (row struct {
	name                              string
	layer                             http.HandlerFunc
	read, repeatable, once, own, ownW string
}) {
	row.name, row.layer = name, layer
	row.read, row.repeatable, row.once, row.own, row.ownW = answer, answer, answer, answer, answer
	return row
}

func TestFallsThroughAsTheTableSays(t *testing.T) {
	for _, failure := range failures {
		t.Run(failure.name, func(t *testing.T) {
			for _, call := range []struct{ method, path, body, want string }{
				{"POST", query, queryBody, failure.read},
				{"GET", "/v1/namespaces?prefix=a", "", failure.read},
				{"POST", write, upsertBody, failure.repeatable},
				{"POST", write, onceBody, failure.once},
				{"POST", query, hybridBody, failure.own},
				{"GET", "/v2/namespaces/n/documents/1", "", failure.own},
				{"DELETE", write, "", failure.ownW},
				{"POST", "/v2/namespaces/n/warm", "", failure.ownW},
			} {
				w := newWorld(t, failure.layer)
				got, err := w.call(call.method, call.path, call.body)
				check(t, call.method+" "+call.path+" "+call.body, got, err, call.want)
				if n := len(w.layer.asked()); n < 1 || countBut(w.layer.asked(), "/invalidate") != 1 {
					t.Errorf("Layer was asked %d times", n)
				}
				if direct := len(w.direct.asked()); direct != map[bool]int{true: 1}[call.want == "200 direct"] {
					t.Errorf("%s %s: Turbopuffer was asked %d times", call.path, call.body, direct)
				}
			}
		})
	}
}

func countBut(all []seen, suffix string) (count int) {
	for _, one := range all {
		if !strings.HasSuffix(one.uri, suffix) {
			count++
		}
	}
	return count
}

func check(t *testing.T, call, got string, err error, want string) {
	t.Helper()
	var away *transport.LayerUnavailable
	var open *transport.OutcomeUnknown
	switch want {
	case unavailable:
		if !errors.As(err, &away) || !errors.Is(err, transport.ErrLayerUnavailable) || away.Cause == nil {
			t.Errorf("%s: got %q, %v; want LayerUnavailable", call, got, err)
		}
	case unknown:
		if !errors.As(err, &open) || !errors.Is(err, transport.ErrOutcomeUnknown) || open.Cause == nil {
			t.Errorf("%s: got %q, %v; want OutcomeUnknown", call, got, err)
		}
	default:
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", call, got, err, want)
		}
	}
}

func TestRefusedOpensAtOnce(t *testing.T) {
	for _, call := range []struct{ method, path, body, want string }{
		{"POST", query, queryBody, "200 direct"},
		{"POST", write, onceBody, "200 direct"},
		{"POST", query, hybridBody, unavailable},
		{"DELETE", write, "", unavailable},
	} {
		w := newWorld(t, nil)
		w.layer.stop()
		got, err := w.call(call.method, call.path, call.body)
		check(t, call.path, got, err, call.want)
		if w.transport.Away() == nil || w.events.count(transport.EventOpened) != 1 {
			t.Fatal("the breaker did not open")
		}
		got, err = w.call(call.method, call.path, call.body)
		check(t, call.path+" while it is known", got, err, call.want)
	}
}

func TestOpensAfterThreeInARow(t *testing.T) {
	w := newWorld(t, reset)
	w.layer.setReady(false)
	for range 2 {
		_, _ = w.call("POST", query, queryBody)
	}
	w.layer.become(origin("through"))
	// After failures reads are hedged without a budget.
	w.direct.become(hang)
	got, err := w.call("POST", query, queryBody)
	w.want(got, err, "200 through")
	w.layer.become(reset)
	w.direct.become(says(200, "direct"))
	for range 3 {
		if w.transport.Away() != nil {
			t.Fatal("it opened although Layer had answered in between")
		}
		_, _ = w.call("POST", query, queryBody)
	}
	if w.transport.Away() == nil {
		t.Fatal("it did not open after three failures")
	}
	before := len(w.layer.asked())
	got, err = w.call("POST", query, queryBody)
	w.want(got, err, "200 direct")
	if len(w.layer.asked()) != before {
		t.Fatal("Layer was asked while it was known to be away")
	}
}

func TestReturnsByItself(t *testing.T) {
	w := newWorld(t, says(503, "no endpoints"))
	w.layer.setReady(false)
	for range 3 {
		_, _ = w.call("POST", query, queryBody)
	}
	w.layer.become(origin("through"))
	w.layer.setReady(true)
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
	got, err := w.call("POST", query, queryBody)
	w.want(got, err, "200 through")
	until(t, "the return was told", func() bool { return w.events.count(transport.EventClosed) == 1 })
	if w.events.count(transport.EventOpened) != 1 {
		t.Fatal("the absence was not told of once")
	}
}

// An ingress that answers 200 in Layer's place does not make it come back.
func TestBelievesOnlyLayer(t *testing.T) {
	w := newWorld(t, nil)
	ingress := newServer(t, nil)
	ingress.Config.Handler = says(200, "welcome")
	made, err := transport.New(transport.Options{
		LayerURL: ingress.URL, DirectURL: w.direct.URL, DirectKey: directKey, ProbeInitial: time.Millisecond, ProbeMax: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	made.TripForTest(errors.New("x"))
	if !made.ProbedForTest(5) || made.Away() == nil {
		t.Fatal("it took an ingress for Layer")
	}
}

func TestConnectTimeoutIsLayersAlone(t *testing.T) {
	// A listener whose backlog is full accepts nothing: packets to it are dropped.
	w := newWorld(t, nil, func(o *transport.Options) {
		o.LayerURL, o.ConnectTimeout = blackHole(t), 100*time.Millisecond
	})
	begun := time.Now()
	got, err := w.call("POST", write, onceBody)
	w.want(got, err, "200 direct")
	if took := time.Since(begun); took < 90*time.Millisecond || took > 10*time.Second {
		t.Fatalf("it took %v", took)
	}
	if w.transport.Away() == nil {
		t.Fatal("the breaker did not open")
	}
}

func TestNoSuchHost(t *testing.T) {
	w := newWorld(t, nil, func(o *transport.Options) { o.LayerURL = "http://layer.invalid" })
	got, err := w.call("POST", write, onceBody)
	w.want(got, err, "200 direct")
}

func TestTLSFailure(t *testing.T) {
	w := newWorld(t, nil)
	made, err := transport.New(transport.Options{
		LayerURL: strings.Replace(w.layer.URL, "http:", "https:", 1), DirectURL: w.direct.URL, DirectKey: directKey, ConnectTimeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	req, _ := http.NewRequest("POST", made.BaseURL()+"v2/namespaces/n", strings.NewReader(onceBody))
	got, err := send(made, req)
	w.want(got, err, "200 direct")
}

func TestSilenceEndsWrites(t *testing.T) {
	for body, want := range map[string]string{upsertBody: "200 direct", onceBody: unknown} {
		w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/invalidate") {
				says(200, `{"status":"OK"}`, "x-layer-served-by", "layer")(rw, r)
				return
			}
			hang(rw, r)
		}, func(o *transport.Options) { o.AnswerTimeout = 2 * time.Second }) // Turbopuffer's own answer has no longer.
		got, err := w.call("POST", write, body)
		check(t, body, got, err, want)
	}
}

// Without a way around, every error is the original one and the breaker plays no part.
func TestOriginalErrorsWithoutFallback(t *testing.T) {
	for name, change := range map[string]func(*transport.Options){
		"no key": func(o *transport.Options) { o.DirectKey = "" },
		"off":    func(o *transport.Options) { o.NoFallback = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, says(503, "no endpoints"), change)
			for range 5 {
				got, err := w.call("POST", query, hybridBody)
				w.want(got, err, "503 no endpoints")
			}
			w.layer.stop()
			// The first call may find a connection that is just being closed.
			until(t, "the connection is refused", func() bool {
				_, err := w.call("POST", query, queryBody)
				var refused *net.OpError
				if err == nil || errors.Is(err, transport.ErrLayerUnavailable) {
					t.Fatalf("got %v", err)
				}
				return errors.As(err, &refused)
			})
			if len(w.direct.asked()) != 0 {
				t.Fatal("Turbopuffer was asked")
			}
		})
	}
}

func TestKeysStayApart(t *testing.T) {
	w := newWorld(t, reset)
	for _, own := range []string{layerKey, directKey, "another"} {
		req, _ := http.NewRequest("POST", w.transport.BaseURL()+"v2/namespaces/n/query", strings.NewReader(queryBody))
		req.Header.Set("Authorization", "Bearer "+own)
		req.Header.Set("X-Layer-Internal-Key", "secret")
		req.Header.Set("X-Hevlayer-Tag", "t")
		req.Header.Set("X-Other", "kept")
		_, _ = send(w.transport, req)
	}
	for _, one := range w.layer.asked() {
		if one.header.Get("Authorization") != "Bearer "+layerKey || strings.Contains(flat(one), directKey) {
			t.Errorf("Layer saw %+v", one)
		}
	}
	for _, one := range w.direct.asked() {
		if one.header.Get("Authorization") != "Bearer "+directKey || strings.Contains(flat(one), layerKey) {
			t.Errorf("Turbopuffer saw %+v", one)
		}
		if one.header.Get("X-Layer-Internal-Key")+one.header.Get("X-Hevlayer-Tag")+one.header.Get("X-Request-Timeout-Ms") != "" || one.header.Get("X-Other") != "kept" {
			t.Errorf("Turbopuffer saw headers %v", one.header)
		}
	}
	if len(w.direct.asked()) == 0 {
		t.Fatal("Turbopuffer was never asked")
	}
}

func flat(one seen) string {
	var text strings.Builder
	_ = one.header.Write(&text)
	return one.uri + one.body + text.String()
}

// A Turbopuffer key in a client that has no key of Layer's is not shown to Layer.
func TestWithholdsTheTurbopufferKeyFromLayer(t *testing.T) {
	w := newWorld(t, origin("through"), func(o *transport.Options) { o.LayerKey = "" })
	req, _ := http.NewRequest("POST", w.transport.BaseURL()+"v2/namespaces/n/query", strings.NewReader(queryBody))
	req.Header.Set("Authorization", "Bearer "+directKey)
	_, _ = send(w.transport, req)
	if got := w.layer.asked()[0].header.Get("Authorization"); got != "" {
		t.Fatalf("Layer saw %q", got)
	}
}

func TestLeavesThirdHostsAlone(t *testing.T) {
	w := newWorld(t, origin("through"))
	third := newServer(t, says(200, "third"))
	req, _ := http.NewRequest("GET", third.URL+"/v1/namespaces", nil)
	got, err := send(w.transport, req)
	w.want(got, err, "200 third")
	if strings.Contains(flat(third.asked()[0]), "key-of") {
		t.Fatalf("a third host saw %v", third.asked()[0].header)
	}
}

// The transport takes calls of a client that was made for Turbopuffer's own address.
func TestTakesCallsForEitherAddress(t *testing.T) {
	w := newWorld(t, origin("through"), func(o *transport.Options) { o.LayerURL += "/layer/" })
	req, _ := http.NewRequest("GET", w.direct.URL+"/v1/namespaces/a%2Fb/schema?x=%20", nil)
	got, err := send(w.transport, req)
	w.want(got, err, "200 through")
	if uri := w.layer.asked()[0].uri; uri != "/layer/v1/namespaces/a%2Fb/schema?x=%20" {
		t.Fatalf("Layer was asked %s", uri)
	}
}

func TestOlderNameOfQueriesAndRegion(t *testing.T) {
	w := newWorld(t, reset)
	for _, path := range []string{"/v1/namespaces/n/query", "/aws-us-east-1/v2/namespaces/n/query"} {
		got, err := w.call("POST", path, queryBody)
		w.want(got, err, "200 direct")
	}
	for _, one := range w.direct.asked() {
		if one.uri != query || one.body != queryBody {
			t.Fatalf("Turbopuffer was asked %s", one.uri)
		}
	}
}

func TestStreamsAreReplayedOrRefused(t *testing.T) {
	large := `{"upsert_rows":[{"id":1,"x":"` + strings.Repeat("x", 100<<10) + `"}]}`
	stream := func(w *world, body string) *http.Request {
		req, _ := http.NewRequest("POST", w.transport.BaseURL()+"v2/namespaces/n", io.NopCloser(strings.NewReader(body)))
		return req
	}
	w := newWorld(t, reset)
	got, err := send(w.transport, stream(w, upsertBody))
	w.want(got, err, "200 direct")
	if sent := w.direct.asked()[0].body; sent != upsertBody {
		t.Fatalf("Turbopuffer got %q", sent)
	}
	w = newWorld(t, reset)
	_, err = send(w.transport, stream(w, large))
	if !errors.Is(err, transport.ErrOutcomeUnknown) || len(w.direct.asked()) != 0 {
		t.Fatalf("a stream that was sent in part: %v", err)
	}
	w = newWorld(t, nil)
	w.layer.stop()
	got, err = send(w.transport, stream(w, large))
	w.want(got, err, "200 direct")
	if sent := w.direct.asked()[0].body; sent != large {
		t.Fatal("Turbopuffer got another body")
	}
	got, err = send(w.transport, stream(w, large))
	w.want(got, err, "200 direct")
}

func TestReadsGzippedBodies(t *testing.T) {
	for body, want := range map[string]string{onceBody: unknown, upsertBody: "200 direct"} {
		w := newWorld(t, reset)
		var zipped bytes.Buffer
		zip := gzip.NewWriter(&zipped)
		_, _ = io.WriteString(zip, body)
		_ = zip.Close()
		req, _ := http.NewRequest("POST", w.transport.BaseURL()+"v2/namespaces/n", &zipped)
		req.Header.Set("Content-Encoding", "gzip")
		got, err := send(w.transport, req)
		check(t, body, got, err, want)
	}
}

func TestTurnsLocationsToTheCallersAddress(t *testing.T) {
	w := newWorld(t, reset)
	w.direct.become(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Location", "http://"+r.Host+"/v1/namespaces/n/operations/t?x=1")
		rw.WriteHeader(202)
	})
	req, _ := http.NewRequest("POST", w.transport.BaseURL()+"v2/namespaces/n", strings.NewReader(upsertBody))
	resp, err := w.transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, want := resp.Header.Get("Location"), w.transport.BaseURL()+"v1/namespaces/n/operations/t?x=1"; got != want {
		t.Fatalf("Location: %s, want %s", got, want)
	}
}

func TestPerf(t *testing.T) {
	w := newWorld(t, says(200, "x", "x-layer-served-by", "layer", "x-layer-cache", "hit"))
	ctx, recorder := transport.WithPerf(context.Background())
	_, _ = w.callUnder(ctx, "GET", "/v2/namespaces/n/documents/1", "")
	if perf := recorder.Perf(); perf.CacheStatus != "hit" || perf.Fallback != "" || perf.LatencyMS <= 0 {
		t.Fatalf("%+v", perf)
	}
	w.layer.become(reset)
	w.direct.become(func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(30 * time.Millisecond)
		says(200, "x")(rw, r)
	})
	ctx, recorder = transport.WithPerf(context.Background())
	_, _ = w.callUnder(ctx, "POST", query, queryBody)
	if perf := recorder.Perf(); perf.Fallback != transport.TurbopufferDirect || perf.CacheStatus != "" || perf.LatencyMS < 30 {
		t.Fatalf("%+v", perf)
	}
}

func TestWithoutHedges(t *testing.T) {
	w := newHedgingWorld(t, hang, func(o *transport.Options) { o.NoHedge, o.AnswerTimeout = true, 1200*time.Millisecond })
	got, err := w.call("POST", query, queryBody)
	w.want(got, err, "200 direct")
	if w.events.count(transport.EventHedge) != 0 || w.events.count(transport.EventFallback) != 1 {
		t.Fatal("a hedge was made")
	}
}

func TestNothingAfterClose(t *testing.T) {
	w := newWorld(t, origin("x"))
	_ = w.transport.Close()
	if _, err := w.call("POST", query, queryBody); !errors.Is(err, transport.ErrClosed) {
		t.Fatalf("got %v", err)
	}
}

func TestACallersEndIsNoFailureOfLayer(t *testing.T) {
	w := newWorld(t, hang)
	for range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		_, err := w.callUnder(ctx, "POST", write, upsertBody)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
	}
	if w.transport.Away() != nil || len(w.direct.asked()) != 0 {
		t.Fatal("impatience was taken for absence")
	}
}

// An official client repeats calls after errors of its HTTP client; not after these.
func TestFinalErrorsAreNotTriedAgain(t *testing.T) {
	w := newWorld(t, reset)
	req, _ := http.NewRequest("POST", w.transport.BaseURL()+"v2/namespaces/n", strings.NewReader(onceBody))
	resp, err := w.transport.Client().Do(req)
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("x-should-retry") != "false" {
		t.Fatalf("got %v, %v", resp, err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, transport.ErrOutcomeUnknown) {
		t.Fatalf("got %v", err)
	}
}
