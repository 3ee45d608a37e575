package transport_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

// instant answers at once, from memory: what a call through it costs is the transport's own.
type instant struct{ header http.Header }

// RoundTrip reads the body as net/http does, and answers.
func (i instant) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: i.header, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// BenchmarkCost measures what a call costs beyond its carrier: processor time and allocations.
func BenchmarkCost(b *testing.B) {
	carrier := instant{http.Header{"X-Layer-Served-By": {"origin"}, "Content-Type": {"application/json"}}}
	made, err := transport.New(transport.Options{LayerURL: "http://layer", LayerKey: "l", DirectURL: "http://direct", DirectKey: "d", Base: carrier})
	if err != nil {
		b.Fatal(err)
	}
	defer made.Close()
	for _, way := range []struct {
		name string
		via  http.RoundTripper
	}{{"carrier", carrier}, {"transport", made}} {
		for _, one := range []struct{ name, path, body string }{{"query", query, queryBody}, {"write", write, upsertBody}} {
			b.Run(way.name+"/"+one.name, func(b *testing.B) {
				b.ReportAllocs()
				content, before := []byte(one.body), processorTime(b)
				for b.Loop() {
					ask(b, way.via, one.path, content)
				}
				b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// processorTime is what the process has taken by now; the time on the wall also has what others took meanwhile.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// ask makes a call as the official client does, with its headers.
func ask(b *testing.B, via http.RoundTripper, path string, content []byte) {
	req, err := http.NewRequestWithContext(context.Background(), "POST", "http://layer"+path, bytes.NewReader(content))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"Accept", "Content-Type", "User-Agent", "X-Stainless-Retry-Count", "X-Stainless-Lang", "X-Stainless-Os", "X-Stainless-Arch", "X-Stainless-Runtime", "Authorization"} {
		req.Header[name] = []string{"x"}
	}
	resp, err := via.RoundTrip(req)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}
