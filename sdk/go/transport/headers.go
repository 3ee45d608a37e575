package transport

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	headerAuthorization = "Authorization"
	headerServedBy      = "X-Layer-Served-By"
	headerCache         = "X-Layer-Cache"
	headerTimeout       = "X-Request-Timeout-Ms"
	servedByLayer       = "layer"
	servedByOrigin      = "origin"
)

// toLayer sets what Layer may see: its own key only, and how long the caller waits; 0: it does not say.
func (t *Transport) toLayer(header http.Header, wait time.Duration) {
	switch {
	case t.options.LayerKey != "":
		header[headerAuthorization] = []string{bearer(t.options.LayerKey)}
	case t.options.DirectKey != "" && header.Get(headerAuthorization) == bearer(t.options.DirectKey):
		header.Del(headerAuthorization)
	}
	// Without it a router that was suspended could send on a write long after its caller has given up.
	if wait > 0 && header[headerTimeout] == nil {
		header[headerTimeout] = []string{strconv.FormatInt(max(wait.Milliseconds(), 1), 10)}
	}
}

// toDirect sets what Turbopuffer may see: its own key only, and nothing that is meant for Layer.
func (t *Transport) toDirect(header http.Header) {
	for name := range header {
		if strings.HasPrefix(name, "X-Layer-") || strings.HasPrefix(name, "X-Hevlayer-") {
			header.Del(name)
		}
	}
	header.Del(headerTimeout)
	header.Set(headerAuthorization, bearer(t.options.DirectKey))
}

func bearer(key string) string { return "Bearer " + key }
