package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// ConnectTimeout is the default of [Options.ConnectTimeout].
	ConnectTimeout = 250 * time.Millisecond
	// AnswerTimeout is the default of [Options.AnswerTimeout].
	AnswerTimeout = 60 * time.Second
)

// Options of a transport.
type Options struct {
	// LayerURL is where Layer is, such as `http://localhost:8080`; required.
	LayerURL string
	// LayerKey is Layer's key; empty: calls keep the authorization that they have, unless it is the Turbopuffer key.
	LayerKey string
	// DirectURL is where Turbopuffer is, such as `https://aws-us-east-1.turbopuffer.com`; required with DirectKey.
	DirectURL string
	// DirectKey is the Turbopuffer key; empty: nothing falls through, and errors are the original ones.
	DirectKey string
	// NoFallback switches the fall-through off; errors are the original ones.
	NoFallback bool
	// NoHedge asks Turbopuffer only once Layer has failed: a read of a router that stands still waits for AnswerTimeout.
	NoHedge bool
	// ConnectTimeout bounds how long Layer may take to accept a connection; 0: 250 ms. With a Base of your own it is that
	// one's business.
	ConnectTimeout time.Duration
	// AnswerTimeout bounds how long either may take to begin its answer; 0: 60 s.
	AnswerTimeout time.Duration
	// Base carries calls to Layer; nil: an [http.Transport] of its own.
	Base http.RoundTripper
	// DirectBase carries calls to Turbopuffer; nil: Base where that is set, else an [http.Transport] of its own.
	DirectBase http.RoundTripper
	// OnEvent is told of transitions and of each call that went past Layer. It must not block.
	OnEvent func(Event)
	// Logger gets one warning per transition; nil: [slog.Default].
	Logger *slog.Logger
	// ProbeInitial and ProbeMax bound the wait between two probes while Layer is away; 0: 500 ms and 15 s.
	ProbeInitial, ProbeMax time.Duration
}

func (o Options) validated() (layer, direct *url.URL, err error) {
	if layer, err = baseURL("LayerURL", o.LayerURL); err != nil {
		return nil, nil, err
	}
	if o.DirectKey == "" && o.DirectURL == "" {
		return layer, nil, nil
	}
	if direct, err = baseURL("DirectURL", o.DirectURL); err != nil {
		return nil, nil, err
	}
	if sameHost(layer, direct) && layer.Path == direct.Path {
		return nil, nil, ErrSameAddress
	}
	return layer, direct, nil
}

func baseURL(name, text string) (*url.URL, error) {
	if text == "" {
		return nil, fmt.Errorf("%s is empty", name)
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, errors.Unwrap(err))
	}
	if parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
		return nil, fmt.Errorf("%s: must begin with http:// or https:// and name a host", name)
	}
	parsed.Path, parsed.RawPath = strings.TrimRight(parsed.Path, "/"), ""
	return parsed, nil
}

// newBase makes an http.Transport as the standard one, with a bound on the time to connect.
func newBase(connect time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   4 * connect,
		ExpectContinueTimeout: time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   512,
		IdleConnTimeout:       60 * time.Second,
		// Calls share a connection over HTTP/2. One whose other end is gone without a word would be tried for minutes.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}
