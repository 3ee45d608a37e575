package layer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	functionv1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/function/v1"
	pipelinev1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/pipeline/v1"
	routerv1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/router/v1"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

const (
	// Timeout is the default of [Options.Timeout].
	Timeout = 30 * time.Second
	// messageMax bounds a message that is received: the router's own bound on what it sends.
	messageMax = 64 << 20
)

// Options of the calls.
type Options struct {
	// URL is Layer's address: `http://` speaks plaintext, `https://` TLS. Its path is not used over gRPC.
	URL string
	// Key is Layer's key.
	Key string
	// Timeout of a call whose context has no deadline; 0: 30 s.
	Timeout time.Duration
	// TLS settings for `https://`; nil: the system's roots.
	TLS *tls.Config
	// Transport that knows whether Layer is away, and that carries what goes over HTTP; required.
	Transport *transport.Transport
	// DialOptions come after the package's own.
	DialOptions []grpc.DialOption
}

// Calls makes Layer's calls. It is safe for concurrent use; [Calls.Close] frees it.
type Calls struct {
	options   Options
	conn      *grpc.ClientConn
	router    routerv1.QueryRouterServiceClient
	pipelines pipelinev1.PipelineServiceClient
	functions functionv1.FunctionServiceClient
}

// New makes the calls. It connects to nothing yet. The error names the option that is missing or wrong.
func New(options Options) (*Calls, error) {
	if options.Transport == nil {
		return nil, errors.New("options: the transport is missing")
	}
	if options.Timeout == 0 {
		options.Timeout = Timeout
	}
	target, err := url.Parse(options.URL)
	if err != nil {
		return nil, fmt.Errorf("URL: %w", err)
	}
	conn, err := grpc.NewClient(address(target), append(dialOptions(options, target), options.DialOptions...)...)
	if err != nil {
		return nil, fmt.Errorf("URL: %w", err)
	}
	return &Calls{
		options:   options,
		conn:      conn,
		router:    routerv1.NewQueryRouterServiceClient(conn),
		pipelines: pipelinev1.NewPipelineServiceClient(conn),
		functions: functionv1.NewFunctionServiceClient(conn),
	}, nil
}

func address(target *url.URL) string {
	switch {
	case target.Port() != "":
		return target.Host
	case target.Scheme == "https":
		return target.Host + ":443"
	default:
		return target.Host + ":80"
	}
}

func dialOptions(options Options, target *url.URL) []grpc.DialOption {
	security := insecure.NewCredentials()
	if target.Scheme == "https" {
		security = credentials.NewTLS(options.TLS)
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		grpc.WithPerRPCCredentials(bearer(options.Key)),
		grpc.WithStatsHandler(sentStats{}),
		// What repeats calls is not for a name server to say.
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{
			// Waiting longer would not help: while Layer is away the transport's probe says when it is back.
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageMax), grpc.MaxCallSendMsgSize(messageMax)),
	}
}

// Conn is the connection, for services that this package has no methods for.
func (c *Calls) Conn() *grpc.ClientConn { return c.conn }

// Close ends the connection. The transport is left as it is.
func (c *Calls) Close() error { return c.conn.Close() }

// bearer shows the key with each call, over plaintext too: Layer is mostly called inside of one's own network.
type bearer string

// GetRequestMetadata answers the key's header.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity says that plaintext will do.
func (b bearer) RequireTransportSecurity() bool { return false }
