package hevlayer

import (
	"context"
	"errors"

	"github.com/turbopuffer/turbopuffer-go/v2"
	"github.com/turbopuffer/turbopuffer-go/v2/option"

	"github.com/layer-mesh/layer/sdk/go/layer"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

// Client is the official client, with the methods of [layer.Calls] for what only Layer has. It is safe for concurrent use.
// [Client.Close] frees it.
type Client struct {
	turbopuffer.Client
	*layer.Calls

	transport *transport.Transport
}

// NewClient makes a client. Options that are not given come from the environment: LAYER_GATEWAY_URL and
// LAYER_GATEWAY_API_KEY for Layer, TURBOPUFFER_API_KEY with TURBOPUFFER_BASE_URL or TURBOPUFFER_REGION for the way past it.
// It connects to nothing yet. The error says which setting is missing or wrong.
func NewClient(opts ...Option) (*Client, error) {
	s, err := settingsOf(opts)
	if err != nil {
		return nil, err
	}
	carrier, err := s.carrier()
	if err != nil {
		return nil, err
	}
	calls, err := layer.New(layer.Options{
		URL: s.transport.LayerURL, Key: s.transport.LayerKey, Timeout: s.timeout, TLS: s.tls, Transport: carrier,
		DialOptions: s.dialOptions,
	})
	if err != nil {
		return nil, errors.Join(err, carrier.Close())
	}
	official := append([]option.RequestOption{
		option.WithHTTPClient(carrier.Client()),
		option.WithBaseURL(carrier.BaseURL()),
		option.WithAPIKey(s.transport.LayerKey),
		// The environment's region is for the direct way; the official client refuses one beside Layer's address.
		option.WithRegion(""),
	}, s.official...)
	return &Client{Client: turbopuffer.NewClient(official...), Calls: calls, transport: carrier}, nil
}

// Transport is what carries the client's calls; it says whether Layer is away.
func (c *Client) Transport() *transport.Transport { return c.transport }

// Status asks Layer once how it is, whatever the breaker says; that nobody answers is no error.
func (c *Client) Status(ctx context.Context) transport.Status { return c.transport.Status(ctx) }

// Close ends connections and what runs in the background. What Layer was not told yet of writes past it is lost to it: such
// rows may be served from its cache as they were, until their entries' time to live ends.
func (c *Client) Close() error {
	return errors.Join(c.Calls.Close(), c.transport.Close())
}
