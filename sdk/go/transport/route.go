package transport

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/layer-mesh/layer/sdk/go/internal/operation"
)

// call is one RoundTrip.
type call struct {
	req    *http.Request
	op     operation.Operation
	path   string // Encoded, without the base's own.
	body   *body
	writes bool
	seen   bool // Whether op knows the body already.
}

// route answers the call of a request; ours is false for one to a third host, which is none of this transport's business.
func (t *Transport) route(req *http.Request) (c *call, ours bool) {
	path, ours := t.relative(req.URL)
	if !ours {
		return nil, false
	}
	op := operation.Of(req.Method, path, req.URL.Query())
	return &call{req: req, op: op, path: path, writes: op.Effect != operation.Read}, true
}

// relative takes the base's path off; requests may name Layer's address or Turbopuffer's.
func (t *Transport) relative(target *url.URL) (string, bool) {
	for _, base := range []*url.URL{t.layerURL, t.directURL} {
		if base == nil || !strings.EqualFold(base.Host, target.Host) || base.Scheme != target.Scheme {
			continue
		}
		if rest, under := strings.CutPrefix(target.EscapedPath(), base.EscapedPath()); under {
			return rest, true
		}
	}
	return "", false
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

// request answers the call's request at another base.
func (c *call) request(base *url.URL, path string) (*http.Request, error) {
	from, err := c.body.open()
	if err != nil {
		return nil, err
	}
	req := c.req.Clone(c.req.Context())
	req.URL = at(base, path, c.req.URL.RawQuery)
	req.Host = ""
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
