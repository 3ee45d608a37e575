package tests

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layer-mesh/layer/sdk/go/internal/meshtest"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

// BenchmarkFirstDirectAnswer measures the time from a call that finds the router dead to Turbopuffer's answer, and that of
// the calls after it, which know already.
func BenchmarkFirstDirectAnswer(b *testing.B) {
	meshtest.Need(b)
	origin := meshtest.StandIn(b)
	router := meshtest.Router(b, origin.URL())
	relay := meshtest.NewRelay(b, router.Address())
	ask := func(by caller) time.Duration {
		begun := time.Now()
		if _, err := by.must(context.Background(), "GET", "/v1/namespaces", nil); err != nil {
			b.Fatal(err)
		}
		return time.Since(begun)
	}
	for _, way := range []struct {
		name string
		away func() string
	}{
		{"swallowing", func() string { relay.Swallow(true); return relay.URL() }},
		{"killed", func() string { router.Kill(); return router.URL() }},
	} {
		b.Run(way.name, func(b *testing.B) {
			url := way.away()
			var first, later []time.Duration
			for b.Loop() {
				by := newCaller(b, transport.Options{LayerURL: url, LayerKey: "k", DirectURL: origin.URL(), DirectKey: "k", ProbeInitial: time.Hour})
				first = append(first, ask(by))
				for by.via.Away() == nil {
					ask(by)
				}
				later = append(later, ask(by))
				_ = by.via.Close()
			}
			b.ReportMetric(millis(first), "first-ms")
			b.ReportMetric(millis(later), "later-ms")
		})
	}
}

func millis(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Microseconds()) / 1000
}

// BenchmarkTransport compares the transport to net/http's own, over a server that does nothing.
func BenchmarkTransport(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-layer-served-by", "origin")
		_, _ = w.Write([]byte(`{"rows":[]}`))
	}))
	defer server.Close()
	by := newCaller(b, transport.Options{LayerURL: server.URL, LayerKey: "k", DirectURL: server.URL + "/direct", DirectKey: "k"})
	plain := http.DefaultTransport.(*http.Transport).Clone()
	defer plain.CloseIdleConnections()
	ask := func(via http.RoundTripper) time.Duration {
		begun := time.Now()
		req, _ := http.NewRequest("POST", server.URL+"/v2/namespaces/n/query", strings.NewReader(`{"rank_by":["vector","ANN",[1]]}`))
		resp, err := via.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		buffer := make([]byte, 64)
		for err == nil {
			_, err = resp.Body.Read(buffer)
		}
		_ = resp.Body.Close()
		return time.Since(begun)
	}
	var theirs, own []time.Duration
	for b.Loop() {
		theirs, own = append(theirs, ask(plain)), append(own, ask(by.via))
	}
	b.ReportMetric(1000*millis(theirs), "net/http-µs")
	b.ReportMetric(1000*millis(own), "transport-µs")
}
