package hevlayer_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turbopuffer/turbopuffer-go/v2"
	"github.com/turbopuffer/turbopuffer-go/v2/option"
	"go.uber.org/goleak"

	hevlayer "github.com/layer-mesh/layer/sdk/go"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

// TestMain clears the environment: a developer's own settings must not decide on a test.
func TestMain(m *testing.M) {
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); strings.HasPrefix(name, "TURBOPUFFER_") || strings.HasPrefix(name, "LAYER_GATEWAY_") {
			_ = os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}

// side is Layer or Turbopuffer, made up.
type side struct {
	*httptest.Server
	mu      sync.Mutex
	answer  http.HandlerFunc
	headers []http.Header
	paths   []string
}

func newSide(t *testing.T, answer http.HandlerFunc) *side {
	t.Helper()
	s := &side{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.mu.Lock()
		s.headers, s.paths = append(s.headers, r.Header.Clone()), append(s.paths, r.URL.Path)
		s.mu.Unlock()
		s.answer(w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func (s *side) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.paths)
}

func rows(servedBy string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if servedBy != "" {
			w.Header().Set("x-layer-served-by", servedBy)
		}
		w.Header().Set("content-type", "application/json")
		_, _ = io.WriteString(w, `{"rows":[{"id":1,"$dist":0.5}],"status":"OK","rows_affected":1}`)
	}
}

func cut(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }

func newClient(t *testing.T, layer, direct *side, opts ...hevlayer.Option) *hevlayer.Client {
	t.Helper()
	client, err := hevlayer.NewClient(append([]hevlayer.Option{
		hevlayer.WithBaseURL(layer.URL), hevlayer.WithAPIKey("key-of-layer"), hevlayer.WithConnectTimeout(5 * time.Second),
		// How fast the machine is must not decide on a test.
		hevlayer.WithHedging(false),
		hevlayer.WithTurbopufferBaseURL(direct.URL), hevlayer.WithTurbopufferAPIKey("key-of-turbopuffer"),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func ask(ctx context.Context, client *hevlayer.Client) (*turbopuffer.NamespaceQueryResponse, error) {
	namespace := client.Namespace("n")
	return namespace.Query(ctx, turbopuffer.NamespaceQueryParams{RankBy: turbopuffer.NewRankByAnn("vector", []float32{1, 2}), TopK: turbopuffer.Int(1)})
}

func patch(client *hevlayer.Client) error {
	namespace := client.Namespace("n")
	_, err := namespace.Write(context.Background(), turbopuffer.NamespaceWriteParams{DeleteByFilter: turbopuffer.NewFilterEq("a", 1)})
	return err
}

func TestIsTheOfficialClientThroughLayer(t *testing.T) {
	layer, direct := newSide(t, rows("origin")), newSide(t, rows(""))
	ctx, perf := hevlayer.WithPerf(context.Background())
	answer, err := ask(ctx, newClient(t, layer, direct))
	if err != nil || len(answer.Rows) != 1 || direct.count() != 0 {
		t.Fatalf("%v, %v", answer, err)
	}
	if got := perf.Perf(); got.LatencyMS <= 0 || got.Fallback != "" {
		t.Fatalf("%+v", got)
	}
	if got := layer.headers[0].Get("Authorization"); got != "Bearer key-of-layer" {
		t.Fatalf("Layer saw %q", got)
	}
}

func TestGoesToTurbopufferWhileLayerIsAway(t *testing.T) {
	layer, direct := newSide(t, rows("origin")), newSide(t, rows(""))
	client := newClient(t, layer, direct)
	layer.Close()
	for range 3 {
		ctx, perf := hevlayer.WithPerf(context.Background())
		answer, err := ask(ctx, client)
		if err != nil || len(answer.Rows) != 1 || perf.Perf().Fallback != hevlayer.TurbopufferDirect {
			t.Fatalf("%v, %v, %+v", answer, err, perf.Perf())
		}
	}
	if err := patch(client); err != nil {
		t.Fatalf("a write of which nothing was sent: %v", err)
	}
	for i, header := range direct.headers {
		if header.Get("Authorization") != "Bearer key-of-turbopuffer" || direct.paths[i] != "/v2/namespaces/n/query" && direct.paths[i] != "/v2/namespaces/n" {
			t.Errorf("Turbopuffer saw %s %v", direct.paths[i], header)
		}
	}
}

// The official client tries most errors again, four times. An unknown outcome must come out as it is, at once.
func TestUnknownOutcomesAreNotRepeated(t *testing.T) {
	layer, direct := newSide(t, cut), newSide(t, rows(""))
	err := patch(newClient(t, layer, direct))
	var unknown *hevlayer.OutcomeUnknown
	if !errors.As(err, &unknown) || unknown.Operation != "write" || !errors.Is(err, hevlayer.ErrOutcomeUnknown) {
		t.Fatalf("got %v", err)
	}
	if layer.count() != 1 || direct.count() != 0 {
		t.Fatalf("Layer was asked %d times, Turbopuffer %d", layer.count(), direct.count())
	}
}

// So it is with a write that goes direct. What may be repeated is the official client's to repeat.
func TestUnknownOutcomesAtTurbopufferAreNotRepeated(t *testing.T) {
	layer, direct := newSide(t, nil), newSide(t, cut)
	layer.Close()
	client := newClient(t, layer, direct)
	err := patch(client)
	var unknown *hevlayer.OutcomeUnknown
	if !errors.As(err, &unknown) || unknown.Operation != "write" || unknown.Cause == nil || direct.count() != 1 {
		t.Fatalf("got %v, and Turbopuffer was asked %d times", err, direct.count())
	}
	namespace := client.Namespace("n")
	_, err = namespace.Write(context.Background(), turbopuffer.NamespaceWriteParams{UpsertRows: []turbopuffer.RowParam{{"id": 1}}}, option.WithMaxRetries(1))
	if err == nil || errors.Is(err, hevlayer.ErrOutcomeUnknown) || direct.count() != 3 {
		t.Fatalf("got %v, and Turbopuffer was asked %d times", err, direct.count())
	}
}

func TestCallsThatNeedLayerFailAtOnce(t *testing.T) {
	layer, direct := newSide(t, rows("origin")), newSide(t, rows(""))
	client := newClient(t, layer, direct)
	layer.Close()
	if status := client.Status(context.Background()); status.Ready || status.TakenForAway {
		t.Errorf("nobody has called Layer yet: %+v", status)
	}
	begun := time.Now()
	namespace := client.Namespace("n")
	_, deleted := namespace.DeleteAll(context.Background(), turbopuffer.NamespaceDeleteAllParams{})
	_, fetched := client.FetchDocument(context.Background(), "n", 1)
	_, warmed := client.WarmCache(context.Background(), "n", 0)
	for name, err := range map[string]error{"delete_namespace": deleted, "fetch_document": fetched, "warm_cache": warmed} {
		var away *hevlayer.LayerUnavailable
		if !errors.As(err, &away) || away.Operation != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !client.Status(context.Background()).TakenForAway {
		t.Error("Layer is not taken for away")
	}
	if direct.count() != 0 || time.Since(begun) > 5*time.Second {
		t.Errorf("Turbopuffer was asked %d times, in %v", direct.count(), time.Since(begun))
	}
}

func TestSwitchedOff(t *testing.T) {
	layer, direct := newSide(t, cut), newSide(t, rows(""))
	client := newClient(t, layer, direct, hevlayer.WithFallbackToTurbopuffer(false), hevlayer.WithTurbopufferOptions(option.WithMaxRetries(1)))
	_, err := ask(context.Background(), client)
	if err == nil || errors.Is(err, hevlayer.ErrLayerUnavailable) || layer.count() != 2 || direct.count() != 0 {
		t.Fatalf("%v; Layer was asked %d times, Turbopuffer %d", err, layer.count(), direct.count())
	}
}

// An operation that was started directly is polled under the address that the official client accepts.
func TestPollsWhatWasStartedDirectly(t *testing.T) {
	layer, direct := newSide(t, cut), newSide(t, nil)
	layer.Close()
	direct.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "application/json")
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"status":"finished","result":{"success":{"status":"OK","rows_affected":7}}}`)
			return
		}
		w.Header().Set("preference-applied", "respond-async")
		w.Header().Set("location", "http://"+r.Host+"/v1/namespaces/n/operations/token")
		w.WriteHeader(http.StatusAccepted)
	}
	namespace := newClient(t, layer, direct).Namespace("n")
	answer, err := namespace.CopyFrom(context.Background(), turbopuffer.NamespaceCopyFromParams{SourceNamespace: "m"})
	if err != nil || answer.RowsAffected != 7 {
		t.Fatalf("%v, %v", answer, err)
	}
}

func TestTakesSettingsFromTheEnvironment(t *testing.T) {
	layer, direct := newSide(t, rows("origin")), newSide(t, rows(""))
	t.Setenv("LAYER_GATEWAY_URL", layer.URL)
	t.Setenv("LAYER_GATEWAY_API_KEY", "from-the-environment")
	t.Setenv("TURBOPUFFER_API_KEY", "direct-from-the-environment")
	t.Setenv("TURBOPUFFER_BASE_URL", direct.URL)
	t.Setenv("TURBOPUFFER_REGION", "aws-us-east-1")
	client, err := hevlayer.NewClient(hevlayer.WithConnectTimeout(5*time.Second), hevlayer.WithHedging(false))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := ask(context.Background(), client); err != nil || layer.headers[0].Get("Authorization") != "Bearer from-the-environment" {
		t.Fatalf("%v", err)
	}
	layer.Close()
	if _, err := ask(context.Background(), client); err != nil || direct.headers[0].Get("Authorization") != "Bearer direct-from-the-environment" {
		t.Fatalf("%v", err)
	}
}

func TestRefusesWhatCannotWork(t *testing.T) {
	key := hevlayer.WithAPIKey("k")
	for name, opts := range map[string][]hevlayer.Option{
		"no key":    nil,
		"no scheme": {key, hevlayer.WithBaseURL("localhost:8080")},
		"no region": {key, hevlayer.WithTurbopufferAPIKey("t"), hevlayer.WithTurbopufferBaseURL("https://{region}.turbopuffer.com")},
	} {
		if client, err := hevlayer.NewClient(opts...); err == nil {
			_ = client.Close()
			t.Errorf("%s: no error", name)
		}
	}
	client, err := hevlayer.NewClient(key, hevlayer.WithTurbopufferAPIKey("t"))
	if err != nil || client.Transport().Falls() {
		t.Fatalf("a key without an address: %v", err)
	}
	_ = client.Close()
}

// Who has pointed the official client at Layer has Layer's address in the environment: the Turbopuffer key is not for it.
func TestLayerInTheEnvironmentIsNoWayPastLayer(t *testing.T) {
	layer := newSide(t, cut)
	t.Setenv("LAYER_GATEWAY_URL", layer.URL)
	t.Setenv("LAYER_GATEWAY_API_KEY", "key-of-layer")
	t.Setenv("TURBOPUFFER_API_KEY", "key-of-turbopuffer")
	t.Setenv("TURBOPUFFER_BASE_URL", layer.URL)
	client, err := hevlayer.NewClient(hevlayer.WithTurbopufferOptions(option.WithMaxRetries(0)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := ask(context.Background(), client); err == nil || client.Transport().Falls() {
		t.Fatal("it goes past Layer")
	}
	layer.mu.Lock()
	defer layer.mu.Unlock()
	for _, header := range layer.headers {
		if header.Get("Authorization") != "Bearer key-of-layer" {
			t.Errorf("Layer saw %v", header)
		}
	}
	if _, err := hevlayer.NewClient(hevlayer.WithTurbopufferBaseURL(layer.URL)); !errors.Is(err, transport.ErrSameAddress) {
		t.Errorf("got %v", err)
	}
}

// The transport in an official client of one's own.
func TestInAnExistingClient(t *testing.T) {
	layer, direct := newSide(t, cut), newSide(t, rows(""))
	carrier, err := transport.New(transport.Options{LayerURL: layer.URL, LayerKey: "l", DirectURL: direct.URL, DirectKey: "d", ConnectTimeout: 5 * time.Second, NoHedge: true})
	if err != nil {
		t.Fatal(err)
	}
	defer carrier.Close()
	client := turbopuffer.NewClient(option.WithHTTPClient(carrier.Client()), option.WithBaseURL(direct.URL), option.WithAPIKey("d"))
	namespace := client.Namespace("n")
	answer, err := namespace.Query(context.Background(), turbopuffer.NamespaceQueryParams{RankBy: turbopuffer.NewRankByAnn("vector", []float32{1})})
	if err != nil || len(answer.Rows) != 1 || layer.count() != 1 {
		t.Fatalf("%v, %v, Layer was asked %d times", answer, err, layer.count())
	}
}
