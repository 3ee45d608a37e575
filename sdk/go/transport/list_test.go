package transport_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

// shared is what this test reads of sdk/operations.json.
type shared struct {
	Failures   []map[string]string
	Operations []struct{ Name, Method, Path, Effect, Away string }
	Settings   struct {
		ConnectTimeoutMS int64 `json:"connect_timeout_ms"`
	}
}

// ways are the failures of the list as a server makes them; silent has a test of its own, as it takes time.
var ways = map[string]http.HandlerFunc{
	"not_sent":         nil,
	"broken":           reset,
	"ingress":          says(502, "x"),
	"gateway_draining": ownError(503, "gateway_draining"),
	"upstream_error":   ownError(502, "upstream_error"),
	"maybe_applied":    ownError(504, "gateway_timeout"),
	"layer_answer":     says(429, "x", "x-layer-served-by", "layer"),
	"origin_answer":    says(503, "x", "x-layer-served-by", "origin"),
	"unmarked_answer":  says(401, "x"),
}

// Every operation of the shared list, with every failure of it, ends as the list says.
func TestEveryOperationEndsAsTheSharedListSays(t *testing.T) {
	text, err := os.ReadFile("../../operations.json")
	if err != nil {
		t.Fatal(err)
	}
	var all shared
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, failure := range all.Failures {
		layer, known := ways[failure["name"]]
		if !known {
			continue
		}
		tested++
		for _, op := range all.Operations {
			bodies := map[string]string{op.Effect: ""}
			if op.Effect == "by_body" {
				bodies = map[string]string{"idempotent_write": upsertBody, "unrepeatable_write": onceBody}
			}
			for effect, body := range bodies {
				w := newWorld(t, layer)
				if layer == nil {
					w.layer.stop()
				}
				got, err := w.call(op.Method, strings.NewReplacer("{", "", "}", "").Replace(op.Path), body)
				if end, want := ending(got, err), failure[column(op.Away, effect)]; end != want {
					t.Errorf("%s, %s (%s): %s (%s, %v), want %s", failure["name"], op.Name, effect, end, got, err, want)
				}
				_ = w.transport.Close()
			}
		}
	}
	if tested != len(ways) || len(all.Failures) != len(ways)+1 {
		t.Errorf("%d of %d failures were found in the list of %d", tested, len(ways), len(all.Failures))
	}
	if all.Settings.ConnectTimeoutMS != transport.ConnectTimeout.Milliseconds() {
		t.Errorf("the connect timeout is %d ms in the list", all.Settings.ConnectTimeoutMS)
	}
}

func column(away, effect string) string {
	switch {
	case away == "direct":
		return effect
	case effect == "read":
		return "needs_layer_read"
	default:
		return "needs_layer_write"
	}
}

func ending(got string, err error) string {
	switch err.(type) {
	case *transport.LayerUnavailable:
		return "layer_unavailable"
	case *transport.OutcomeUnknown:
		return "outcome_unknown"
	case nil:
		if strings.HasPrefix(got, "200 ") {
			return "direct"
		}
		return "answer"
	default:
		return fmt.Sprint(err)
	}
}
