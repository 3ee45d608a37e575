package transport_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
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
