package transport

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	headerAuthorization = "Authorization"
	headerServedBy      = "X-Layer-Served-By"
	headerCache         = "X-Layer-Cache"
	headerTimeout       = "X-Request-Timeout-Ms"
	headerRetryCount    = "X-Stainless-Retry-Count"
	servedByLayer       = "layer"
	servedByOrigin      = "origin"
)

// toLayer sets what Layer may see: its own key only, and how long the caller waits; 0: it does not say. The values are shared
// among requests, and never changed.
func (t *Transport) toLayer(header http.Header, wait time.Duration) {
	switch {
	case t.layerAuth != nil:
		header[headerAuthorization] = t.layerAuth
	case t.options.DirectKey != "" && header.Get(headerAuthorization) == bearer(t.options.DirectKey):
		header.Del(headerAuthorization)
	}
	// Without it a router that was suspended could send on a write long after its caller has given up.
	switch {
	case wait == 0 || header[headerTimeout] != nil:
	case wait == t.options.AnswerTimeout:
		header[headerTimeout] = t.longest
	default:
		header[headerTimeout] = milliseconds(wait)
	}
}

func milliseconds(wait time.Duration) []string {
	return []string{strconv.FormatInt(max(wait.Milliseconds(), 1), 10)}
}

// toDirect sets what Turbopuffer may see: its own key only, and nothing that is meant for Layer or for what stands before it.
// Names are compared whatever their case: a header that was not set by its canonical name is sent all the same.
func (t *Transport) toDirect(header http.Header) {
	for name := range header {
		canonical := http.CanonicalHeaderKey(name)
		if strings.HasPrefix(canonical, "X-Layer-") || strings.HasPrefix(canonical, "X-Hevlayer-") || slices.Contains(layersOwn, canonical) {
			delete(header, name)
		}
	}
	header.Set(headerAuthorization, bearer(t.options.DirectKey))
}

// layersOwn are headers that name the caller to Layer.
var layersOwn = []string{headerAuthorization, headerTimeout, "Cookie", "Proxy-Authorization"}

// toThird takes the authorization off a request that a redirect leads to another host: net/http leaves it where the hosts
// differ in their port alone, or one is in the other's domain.
func toThird(req *http.Request) *http.Request {
	if req.Response == nil || req.Header[headerAuthorization] == nil {
		return req
	}
	bare := req.Clone(req.Context())
	bare.Header.Del(headerAuthorization)
	return bare
}

func bearer(key string) string { return "Bearer " + key }
