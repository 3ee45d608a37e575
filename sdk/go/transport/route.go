package transport

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/layer-mesh/layer/sdk/go/internal/operation"
)

// call is one RoundTrip.
type call struct {
	req     *http.Request
	op      operation.Operation
	path    string   // Encoded, without the base's own.
	atLayer *url.URL // The request's own address where that is Layer's already.
	body    body
	writes  bool
	seen    bool // Whether op knows the body already.
}

// route answers the call of a request; ours is false for one to a third host, which is none of this transport's business.
func (t *Transport) route(req *http.Request) (c *call, ours bool) {
	path, base := t.relative(req.URL)
	if base == nil {
		return nil, false
	}
	op := operation.Of(req.Method, path, req.URL.RawQuery)
	c = &call{req: req, op: op, path: path, writes: op.Effect != operation.Read}
	if base == t.layerURL && req.URL.User == nil && base.User == nil {
		c.atLayer = req.URL
	}
	return c, true
}

// relative takes the base's path off, and answers the base; requests may name Layer's address or Turbopuffer's.
func (t *Transport) relative(target *url.URL) (string, *url.URL) {
	for _, base := range [...]*url.URL{t.layerURL, t.directURL} {
		if base == nil || base.Scheme != target.Scheme || !sameHost(base, target) {
			continue
		}
		rest, under := strings.CutPrefix(target.EscapedPath(), base.EscapedPath())
		if under && (rest == "" || rest[0] == '/') {
			return rest, base
		}
	}
	return "", nil
}

// sameHost knows that `host` and `host:443` are the same over https.
func sameHost(one, other *url.URL) bool {
	if strings.EqualFold(one.Host, other.Host) {
		return true
	}
	return one.Scheme == other.Scheme && strings.EqualFold(one.Hostname(), other.Hostname()) && portOf(one) == portOf(other)
}

func portOf(target *url.URL) string {
	if port := target.Port(); port != "" {
		return port
	}
	return map[string]string{"http": "80", "https": "443"}[target.Scheme]
}

// inspect looks at the body, once, where it can change what the call is.
func (c *call) inspect() {
	if !c.seen && c.op.ReadsBody() {
		c.op = c.op.Inspect(c.body.inspect())
	}
	c.seen = true
}

func (c *call) written() operation.Written {
	if !c.writes {
		return operation.Written{}
	}
	return c.op.WrittenBy(c.body.inspect())
}

// request answers the call's request at an address, under a context, with headers of its own.
func (c *call) request(ctx context.Context, target *url.URL) (*http.Request, error) {
	from, err := c.body.open()
	if err != nil {
		return nil, err
	}
	req := c.req.WithContext(ctx)
	req.Header = c.req.Header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.URL, req.Host = target, ""
	req.Body, req.ContentLength = from, c.body.length
	if c.body.none {
		req.Body, req.ContentLength = nil, 0
	}
	// net/http uses it to take another connection where nothing was written to the first.
	req.GetBody = nil
	if c.body.content != nil || c.body.reopen != nil {
		req.GetBody = c.body.open
	}
	return req, nil
}

func at(base *url.URL, path, query string) *url.URL {
	target := *base
	target.RawQuery = query
	target.RawPath = base.EscapedPath() + path
	if plain, err := url.PathUnescape(target.RawPath); err == nil {
		target.Path = plain
	} else {
		target.Path, target.RawPath = target.RawPath, ""
	}
	return &target
}
