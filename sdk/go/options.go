package hevlayer

import (
	"cmp"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/turbopuffer/turbopuffer-go/v2/option"
	"google.golang.org/grpc"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

// DefaultBaseURL is Layer's address where neither an option nor the environment names one.
const DefaultBaseURL = "http://127.0.0.1:8080"

// Option of a client.
type Option func(*settings)

type settings struct {
	transport   transport.Options
	region      string
	timeout     time.Duration
	tls         *tls.Config
	dialOptions []grpc.DialOption
	official    []option.RequestOption

	urlOfEnvironment bool
}

// WithBaseURL says where Layer is.
func WithBaseURL(url string) Option { return func(s *settings) { s.transport.LayerURL = url } }

// WithAPIKey is Layer's key. It is never sent to Turbopuffer.
func WithAPIKey(key string) Option { return func(s *settings) { s.transport.LayerKey = key } }

// WithTurbopufferAPIKey is the key for the direct way. It is never sent to Layer.
func WithTurbopufferAPIKey(key string) Option {
	return func(s *settings) { s.transport.DirectKey = key }
}

// WithTurbopufferBaseURL says where Turbopuffer is, for the direct way. It may have the placeholder {region} or REGION.
func WithTurbopufferBaseURL(url string) Option {
	return func(s *settings) { s.transport.DirectURL = url }
}

// WithTurbopufferRegion says in which region Turbopuffer is, for the direct way.
func WithTurbopufferRegion(region string) Option { return func(s *settings) { s.region = region } }

// WithFallbackToTurbopuffer switches the direct way on or off; it is on by default, and needs a Turbopuffer key.
func WithFallbackToTurbopuffer(on bool) Option {
	return func(s *settings) { s.transport.NoFallback = !on }
}

// WithHedging switches hedges on or off: reads that Layer does not begin to answer in the usual time are asked of Turbopuffer
// too. On by default. Off, a read of a router that stands still waits for the answer timeout.
func WithHedging(on bool) Option {
	return func(s *settings) { s.transport.NoHedge = !on }
}

// WithHTTPClient takes the transport of an HTTP client for both ways. Its own connect timeout holds then. The client's
// timeout, jar and redirect policy are not used.
func WithHTTPClient(client *http.Client) Option {
	return func(s *settings) {
		if s.transport.Base = client.Transport; client.Transport == nil {
			s.transport.Base = http.DefaultTransport
		}
	}
}

// WithTurbopufferHTTPClient takes the transport of an HTTP client for the direct way only.
func WithTurbopufferHTTPClient(client *http.Client) Option {
	return func(s *settings) {
		if s.transport.DirectBase = client.Transport; client.Transport == nil {
			s.transport.DirectBase = http.DefaultTransport
		}
	}
}

// WithConnectTimeout bounds how long Layer may take to accept a connection; 250 ms by default.
func WithConnectTimeout(timeout time.Duration) Option {
	return func(s *settings) { s.transport.ConnectTimeout = timeout }
}

// WithAnswerTimeout bounds how long an answer may take to begin, of Layer and of Turbopuffer; 60 s by default.
func WithAnswerTimeout(timeout time.Duration) Option {
	return func(s *settings) { s.transport.AnswerTimeout = timeout }
}

// WithLayerTimeout bounds Layer's own calls where the context has no deadline; 30 s by default.
func WithLayerTimeout(timeout time.Duration) Option {
	return func(s *settings) { s.timeout = timeout }
}

// WithTLSConfig is for gRPC; HTTP takes its settings from [WithHTTPClient].
func WithTLSConfig(config *tls.Config) Option { return func(s *settings) { s.tls = config } }

// WithGRPCDialOptions come after the package's own.
func WithGRPCDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dialOptions = append(s.dialOptions, options...) }
}

// WithOnEvent is told of transitions and of each call that went past Layer, for counters. It must not block.
func WithOnEvent(onEvent func(transport.Event)) Option {
	return func(s *settings) { s.transport.OnEvent = onEvent }
}

// WithLogger gets one warning per transition; [slog.Default] by default.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) { s.transport.Logger = logger }
}

// WithProbe bounds the wait between two probes while Layer is away; 500 ms doubling to 15 s by default.
func WithProbe(initial, longest time.Duration) Option {
	return func(s *settings) { s.transport.ProbeInitial, s.transport.ProbeMax = initial, longest }
}

// WithTurbopufferOptions are the official client's own, such as option.WithMaxRetries or option.WithCompression.
func WithTurbopufferOptions(options ...option.RequestOption) Option {
	return func(s *settings) { s.official = append(s.official, options...) }
}

// settingsOf takes the options first, then the environment.
func settingsOf(opts []Option) (*settings, error) {
	s := &settings{}
	for _, apply := range opts {
		apply(s)
	}
	s.transport.LayerURL = cmp.Or(s.transport.LayerURL, os.Getenv("LAYER_GATEWAY_URL"), DefaultBaseURL)
	s.transport.LayerKey = cmp.Or(s.transport.LayerKey, os.Getenv("LAYER_GATEWAY_API_KEY"))
	if s.transport.LayerKey == "" {
		return nil, errors.New("there is no key of Layer: use WithAPIKey, or set LAYER_GATEWAY_API_KEY")
	}
	s.transport.DirectKey = cmp.Or(s.transport.DirectKey, os.Getenv("TURBOPUFFER_API_KEY"))
	return s, s.locate()
}

// locate finds Turbopuffer's address. A key without an address is no error: it may be in the environment for others.
func (s *settings) locate() error {
	url := s.transport.DirectURL
	if url == "" && s.region == "" {
		url = os.Getenv("TURBOPUFFER_BASE_URL")
		s.urlOfEnvironment = url != ""
	}
	region := cmp.Or(s.region, os.Getenv("TURBOPUFFER_REGION"))
	if url == "" && region != "" {
		url = "https://{region}.turbopuffer.com"
	}
	placed := strings.NewReplacer("{region}", region, "REGION", region).Replace(url)
	if placed != url && region == "" {
		return errors.New("the address of Turbopuffer has a place for a region: use WithTurbopufferRegion, or set TURBOPUFFER_REGION")
	}
	s.transport.DirectURL = placed
	if placed == "" && s.transport.DirectKey != "" {
		s.transport.DirectKey = ""
		s.warn("there is a Turbopuffer key and no address: nothing goes past Layer")
	}
	return nil
}

func (s *settings) warn(text string) { cmp.Or(s.transport.Logger, slog.Default()).Warn(text) }

// carrier makes the transport. An address of Turbopuffer in the environment that is Layer's is there for official clients that
// are pointed at Layer: it is no way past it.
func (s *settings) carrier() (*transport.Transport, error) {
	made, err := transport.New(s.transport)
	if !s.urlOfEnvironment || !errors.Is(err, transport.ErrSameAddress) {
		return made, err
	}
	s.warn("TURBOPUFFER_BASE_URL is the address of Layer: nothing goes past Layer")
	s.transport.DirectURL, s.transport.DirectKey = "", ""
	return transport.New(s.transport)
}
