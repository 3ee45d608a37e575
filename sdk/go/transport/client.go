package transport

import (
	"errors"
	"io"
	"net/http"
)

// Client answers an HTTP client for the official client's option WithHTTPClient. It has no timeout of its own.
//
// The official client makes a call again after every error of its HTTP client. [LayerUnavailable] and [OutcomeUnknown] must
// not lead to that: they are handed to it as an answer that says `x-should-retry: false` and whose body cannot be read, so
// that it ends the call with this very error.
func (t *Transport) Client() *http.Client {
	return &http.Client{Transport: final{t}}
}

// final turns errors that must not be tried again into answers that the official client does not try again.
type final struct{ next http.RoundTripper }

// RoundTrip makes the call.
func (f final) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := f.next.RoundTrip(req)
	if err == nil || !errors.Is(err, ErrLayerUnavailable) && !errors.Is(err, ErrOutcomeUnknown) {
		return resp, err
	}
	return &http.Response{
		Status:     "503 Service Unavailable",
		StatusCode: http.StatusServiceUnavailable,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{"X-Should-Retry": {"false"}, "Content-Type": {"application/json"}},
		Body:       io.NopCloser(failingReader{err}),
		Request:    req,
	}, nil
}
