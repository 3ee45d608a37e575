package operation_test

import (
	"encoding/json"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/layer-mesh/layer/sdk/go/internal/operation"
)

// list is what these tests read of sdk/operations.json.
type list struct {
	Operations []struct {
		Name, Method, Path, Effect, Away string
		DirectPath                       string `json:"direct_path"`
		NeedsLayer                       struct {
			BodyKeys    []string            `json:"body_keys"`
			Rankings    []string            `json:"rankings"`
			EachIn      string              `json:"each_in"`
			QueryKeys   []string            `json:"query_keys"`
			QueryValues map[string][]string `json:"query_values"`
		} `json:"needs_layer"`
	}
	Examples []struct {
		Method, URL, Effect string
		Body                json.RawMessage
		Operation           *string
		NeedsLayer          bool `json:"needs_layer"`
	}
	WriteKeys struct{ Idempotent []string } `json:"write_keys"`
}

func load(t *testing.T) list {
	t.Helper()
	text, err := os.ReadFile("../../../operations.json")
	if err != nil {
		t.Fatal(err)
	}
	var all list
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Operations) < 50 || len(all.Examples) < 20 {
		t.Fatalf("the list is short: %d operations, %d examples", len(all.Operations), len(all.Examples))
	}
	return all
}

func find(t testing.TB, method, target string, body []byte) operation.Operation {
	parsed, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return operation.Of(method, parsed.EscapedPath(), parsed.RawQuery).Inspect(body)
}

// Every operation of the shared list is known here by its name, with its effect and what becomes of it.
func TestKnowsTheSharedList(t *testing.T) {
	for _, want := range load(t).Operations {
		path := strings.NewReplacer("{", "", "}", "").Replace(want.Path)
		got := operation.Of(want.Method, path, "")
		if got.Name != want.Name || got.Effect.String() != want.Effect || got.NeedsLayer != (want.Away == "fail") {
			t.Errorf("%s %s: got %+v, want %+v", want.Method, want.Path, got, want)
		}
		direct := path
		if want.DirectPath != "" {
			direct = strings.NewReplacer("{", "", "}", "").Replace(want.DirectPath)
		}
		if got.DirectPath != direct {
			t.Errorf("%s: direct path %s, want %s", want.Name, got.DirectPath, direct)
		}
	}
}

func TestHasNothingThatTheSharedListLacks(t *testing.T) {
	names := map[string]bool{}
	for _, known := range load(t).Operations {
		names[known.Name] = true
	}
	for _, name := range operation.Names() {
		if !names[name] {
			t.Errorf("%s is not in the list", name)
		}
	}
}

func TestAnswersTheSharedExamples(t *testing.T) {
	for _, want := range load(t).Examples {
		got := find(t, want.Method, want.URL, want.Body)
		name := ""
		if want.Operation != nil {
			name = *want.Operation
		}
		if got.Name != name || got.Effect.String() != want.Effect || got.NeedsLayer != want.NeedsLayer {
			t.Errorf("%s %s %s: got %q, %v, needs Layer %v; want %+v", want.Method, want.URL, want.Body, got.Name, got.Effect, got.NeedsLayer, want)
		}
	}
}

// Whatever members a write has, it may be repeated only if the list says so of each of them.
func TestRepeatsOnlyWhatTheListAllows(t *testing.T) {
	all := load(t)
	allowed := map[string]bool{}
	for _, key := range all.WriteKeys.Idempotent {
		allowed[key] = true
	}
	others := []string{"upsert_condition", "patch_condition", "delete_condition", "delete_by_filter", "patch_by_filter", "copy_from_namespace", "branch_from_namespace", "new"}
	rapid.Check(t, func(t *rapid.T) {
		body, want := map[string]any{}, operation.IdempotentWrite
		for _, key := range rapid.SliceOf(rapid.SampledFrom(append(others, all.WriteKeys.Idempotent...))).Draw(t, "members") {
			null := rapid.Bool().Draw(t, "null")
			if body[key] = any("x"); null {
				body[key] = nil
			}
		}
		for key, value := range body {
			if value != nil && !allowed[key] {
				want = operation.UnrepeatableWrite
			}
		}
		text, _ := json.Marshal(body)
		if got := operation.Of("POST", "/v2/namespaces/n", "").Inspect(text); got.Effect != want {
			t.Fatalf("%s: %v, want %v", text, got.Effect, want)
		}
	})
}

// A query needs Layer if, and only if, one of Layer's own members is in it or in one of its legs.
func TestFindsExtensionsWhereverTheyStand(t *testing.T) {
	own := load(t).Operations
	rapid.Check(t, func(t *rapid.T) {
		op := own[rapid.SampledFrom([]int{3, 4, 5}).Draw(t, "operation")]
		leg, want := map[string]any{"top_k": 3, "filters": []any{"cursor", "Eq", "HybridText"}}, false
		for _, key := range rapid.SliceOfN(rapid.SampledFrom(op.NeedsLayer.BodyKeys), 0, 2).Draw(t, "members") {
			leg[key], want = 1, true
		}
		ranking := rapid.SampledFrom(append([]string{"BM25", "ANN", "asc"}, op.NeedsLayer.Rankings...)).Draw(t, "ranking")
		leg["rank_by"] = []any{"text", ranking, "x"}
		want = want || ranking == "HybridText" || ranking == "Auto"
		body := leg
		if rapid.Bool().Draw(t, "in a leg") {
			body = map[string]any{op.NeedsLayer.EachIn: []any{map[string]any{"rank_by": []any{"t", "BM25", "x"}}, leg}}
		}
		text, _ := json.Marshal(body)
		path := strings.NewReplacer("{", "", "}", "").Replace(op.Path)
		if got := operation.Of(op.Method, path, "").Inspect(text); got.NeedsLayer != want {
			t.Fatalf("%s: needs Layer %v, want %v", text, got.NeedsLayer, want)
		}
	})
}

func TestSaysWhatWasWritten(t *testing.T) {
	number, text := func(n uint64) operation.ID { return operation.ID{Number: n} }, func(s string) operation.ID { return operation.ID{Text: s, IsText: true} }
	whole := operation.Written{Namespace: "n"}
	cases := map[string]operation.Written{
		`{"upsert_rows":[{"id":18446744073709551615,"ID":3},{"id":"a\u0041"}]}`: {Namespace: "n", IDs: []operation.ID{number(18446744073709551615), text("aA")}},
		`{"patch_rows":[{"id":1}],"patch_condition":["v","Lt",2]}`:              {Namespace: "n", IDs: []operation.ID{number(1)}},
		`{"upsert_columns":{"id":[1,2],"v":[1,2]}}`:                             {Namespace: "n", IDs: []operation.ID{number(1), number(2)}},
		`{"patch_columns":{"id":["1"],"v":[1]}}`:                                {Namespace: "n", IDs: []operation.ID{text("1")}},
		`{"deletes":[7],"schema":{},"upsert_rows":null}`:                        {Namespace: "n", IDs: []operation.ID{number(7)}},
		`{"schema":{"a":"int"}}`:                                                {},
		`{"delete_by_filter":["v","Lt",2]}`:                                     whole,
		`{"upsert_rows":[{"id":1}],"patch_by_filter":{}}`:                       whole,
		`{"copy_from_namespace":"m"}`:                                           whole,
		`{"branch_from_namespace":"m"}`:                                         whole,
		`{"upsert_rows":[{"id":1.5}]}`:                                          whole,
		`{"upsert_rows":[{"name":"x"}]}`:                                        whole,
		`{"upsert_columns":{"v":[1]}}`:                                          whole,
		`{"deletes":"x"}`:                                                       whole,
		`[]`:                                                                    whole,
		`{"something_new":1}`:                                                   whole,
	}
	for body, want := range cases {
		got := operation.Of("POST", "/v2/namespaces/n", "").WrittenBy([]byte(body))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
	if got := operation.Of("POST", "/v2/namespaces/a%2Eb/async", "").WrittenBy(nil); got.Namespace != "a.b" || got.IDs != nil {
		t.Errorf("a copy wrote %+v", got)
	}
	if got := operation.Of("POST", "/v1/namespaces/n/schema", "").WrittenBy([]byte(`{}`)); got.Namespace != "" {
		t.Errorf("a schema wrote %+v", got)
	}
}
