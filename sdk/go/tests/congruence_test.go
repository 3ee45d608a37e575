package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/layer-mesh/layer/sdk/go/internal/meshtest"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

// step is one call; NS stands for the namespace of the way that is taken.
type step struct{ method, path, body string }

const rowsBody = `{"distance_metric":"cosine_distance","schema":{"title":{"type":"string","full_text_search":true},"n":"int"},
	"return_affected_ids":true,"upsert_rows":[
	{"id":1,"vector":[0.1,0.7],"title":"blue whale","n":1},{"id":2,"vector":[0.3,0.1],"title":"walrus","n":2},
	{"id":18446744073709551615,"vector":[0.9,0.2],"title":"grey whale","n":3}]}`

// steps are all operations that go past Layer, and what Turbopuffer refuses.
var steps = []step{
	{"POST", "/v2/namespaces/NS", rowsBody},
	{"POST", "/v2/namespaces/NS/query", `{"rank_by":["vector","ANN",[0.1,0.6]],"top_k":2,"include_attributes":["title","n","vector"]}`},
	{"POST", "/v1/namespaces/NS/query", `{"rank_by":["title","BM25","whale"],"top_k":5,"include_attributes":true}`},
	{"POST", "/v2/namespaces/NS/query", `{"queries":[{"rank_by":["title","BM25","whale"],"limit":5},{"rank_by":["vector","ANN",[0,1]],"limit":5}],"rerank_by":["RRF"],"limit":2}`},
	{"POST", "/v2/namespaces/NS/query", `{"aggregate_by":{"count":["Count"]},"group_by":["title"]}`},
	{"POST", "/v2/namespaces/NS/query", `{"rank_by":["n","desc"],"top_k":3,"filters":["n","Gte",2]}`},
	{"POST", "/v2/namespaces/NS/query", `{"rank_by":["nothing","Never","x"]}`},
	{"POST", "/v2/namespaces/NS/query", `{`},
	{"POST", "/v2/namespaces/none-NS/query", `{"rank_by":["n","desc"],"top_k":3}`},
	{"POST", "/v2/namespaces/NS/explain_query", `{"rank_by":["n","desc"],"top_k":3}`},
	{"POST", "/v1/namespaces/NS/_debug/recall", `{"num":1,"top_k":2}`},
	{"GET", "/v1/namespaces/NS/schema", ""},
	{"POST", "/v1/namespaces/NS/schema", `{"extra":"string"}`},
	{"GET", "/v2/namespaces/NS/metadata", ""},
	{"GET", "/v1/namespaces/NS/metadata", ""},
	{"GET", "/v1/namespaces/NS/hint_cache_warm", ""},
	{"POST", "/v2/namespaces/NS", `{"patch_rows":[{"id":1,"n":10}],"upsert_columns":{"id":[7,8],"vector":[[0,1],[1,0]],"title":["a","b"]}}`},
	{"POST", "/v2/namespaces/NS", `{"patch_by_filter":{"filters":["n","Eq",2],"patch":{"n":20}}}`},
	{"POST", "/v2/namespaces/NS", `{"upsert_rows":[{"id":1,"vector":[1,1],"n":99}],"upsert_condition":["n","Lt",5]}`},
	{"POST", "/v2/namespaces/NS", `{"delete_by_filter":["n","Eq",20]}`},
	{"POST", "/v2/namespaces/NS", `{"deletes":[8]}`},
	{"POST", "/v2/namespaces/copy-NS?stainless_overload=copyFrom", `{"copy_from_namespace":"NS"}`},
	{"POST", "/v2/namespaces/branch-NS?stainless_overload=branchFrom", `{"branch_from_namespace":"NS"}`},
	{"POST", "/v2/namespaces/copy-NS/query", `{"rank_by":["id","asc"],"top_k":10,"include_attributes":["title","n"]}`},
	{"POST", "/v2/namespaces/NS/query", `{"rank_by":["id","asc"],"top_k":10,"include_attributes":["title","n"]}`},
	{"GET", "/v1/namespaces?prefix=NS", ""},
}

// way is how calls are made.
type way struct {
	name string
	by   caller
}

func TestAllWaysAnswerTheSame(t *testing.T) {
	meshtest.Need(t)
	origin := meshtest.StandIn(t)
	router := meshtest.Router(t, origin.URL(), "--cache-addresses", meshtest.DocCache(t).Address())
	options := transport.Options{LayerKey: meshtest.Key, DirectURL: origin.URL(), DirectKey: meshtest.Key, ConnectTimeout: 2 * time.Second, ProbeInitial: time.Hour}
	through := func(name, layerURL string) way {
		options.LayerURL = layerURL
		return way{name, newCaller(t, options)}
	}
	failing := failover(t, router.URL())
	ways := []way{through("layer", router.URL()), through("direct", "http://127.0.0.1:1"), through("failover", failing.URL)}
	answers := map[string][]any{}
	for _, one := range ways {
		for _, step := range steps {
			answers[one.name] = append(answers[one.name], one.take(t, step))
		}
	}
	for i, step := range steps {
		for _, one := range ways[1:] {
			if want, got := answers["layer"][i], answers[one.name][i]; !reflect.DeepEqual(want, got) {
				t.Errorf("%s %s %s\n  layer: %v\n  %s: %v", step.method, step.path, step.body, want, one.name, got)
			}
		}
	}
	if failing.passed.Load() == 0 || failing.refused.Load() == 0 {
		t.Errorf("%d calls through, %d refused: this was no failover", failing.passed.Load(), failing.refused.Load())
	}
}

// failover is a router that refuses every other call as one that drains, so that each is made again directly.
type failingRouter struct {
	*httptest.Server
	passed, refused atomic.Int64
}

func failover(t *testing.T, target string) *failingRouter {
	t.Helper()
	parsed, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(parsed)
	own := http.DefaultTransport.(*http.Transport).Clone()
	proxy.Transport = own
	f := &failingRouter{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/invalidate") || (f.passed.Load()+f.refused.Load())%2 == 0 {
			if !strings.HasSuffix(r.URL.Path, "/invalidate") {
				f.passed.Add(1)
			}
			proxy.ServeHTTP(w, r)
			return
		}
		f.refused.Add(1)
		w.Header().Set("x-layer-served-by", "layer")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"error":"gateway_draining","message":"stopping"}`))
	}))
	t.Cleanup(func() { f.CloseClientConnections(); f.Close(); own.CloseIdleConnections() })
	return f
}

// take answers status and body of a step, without what differs from one moment to the next.
func (w way) take(t *testing.T, s step) any {
	t.Helper()
	named := strings.NewReplacer("NS", "ns-"+w.name)
	status, answer, err := w.by.once(context.Background(), s.method, named.Replace(s.path), []byte(named.Replace(s.body)))
	if err != nil {
		t.Errorf("%s: %s %s: %v", w.name, s.method, s.path, err)
		return nil
	}
	answer = bytes.ReplaceAll(answer, []byte("ns-"+w.name), []byte("NS"))
	reader := json.NewDecoder(bytes.NewReader(answer))
	reader.UseNumber()
	var body any
	if reader.Decode(&body) != nil {
		body = string(answer)
	}
	return fmt.Sprint(status, " ", settled(body))
}

// settled drops members that tell of times and sizes, and Layer's own attributes, which Layer hides and Turbopuffer does not.
func settled(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range []string{"performance", "billing", "created_at", "updated_at", "last_write_at", "approx_logical_bytes"} {
			delete(v, name)
		}
		for name := range v {
			if strings.HasPrefix(name, "_hevlayer_") {
				delete(v, name)
				continue
			}
			v[name] = settled(v[name])
		}
	case []any:
		for i := range v {
			v[i] = settled(v[i])
		}
	}
	return value
}
