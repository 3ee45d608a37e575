package layer_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/layer-mesh/layer/sdk/go/layer"
	routerv1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/router/v1"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// router answers fetches as it is told.
type router struct {
	routerv1.UnimplementedQueryRouterServiceServer
	answer func(context.Context) error
}

// Fetch answers.
func (r *router) Fetch(ctx context.Context, _ *routerv1.FetchRequest) (*routerv1.FetchResponse, error) {
	return &routerv1.FetchResponse{Document: &routerv1.Document{}}, r.answer(ctx)
}

func newRouter(t *testing.T) (*router, *layer.Calls, *transport.Transport) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, server := &router{}, grpc.NewServer()
	routerv1.RegisterQueryRouterServiceServer(server, r)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	calls, carrier := callsOf(t, "http://"+listener.Addr().String(), 10*time.Second)
	return r, calls, carrier
}

func callsOf(t *testing.T, url string, timeout time.Duration) (*layer.Calls, *transport.Transport) {
	t.Helper()
	carrier, err := transport.New(transport.Options{
		LayerURL: url, LayerKey: "k", DirectURL: "http://127.0.0.1:1", DirectKey: "d", ConnectTimeout: 5 * time.Second, ProbeInitial: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	calls, err := layer.New(layer.Options{URL: url, Key: "k", Timeout: timeout, Transport: carrier})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = calls.Close(); _ = carrier.Close() })
	return calls, carrier
}

func fails(code codes.Code, reason string) func(context.Context) error {
	return func(context.Context) error {
		made := status.New(code, "m")
		if reason != "" {
			made, _ = made.WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "layer"})
		}
		return made.Err()
	}
}

// A router that drains says so as it is, and counts as over HTTP.
func TestDrainingCounts(t *testing.T) {
	r, calls, carrier := newRouter(t)
	r.answer = fails(codes.Unavailable, "GATEWAY_DRAINING")
	for range 3 {
		if carrier.Away() != nil {
			t.Fatal("it was given up too early")
		}
		if _, err := calls.FetchDocument(t.Context(), "n", 1); layer.ReasonOf(err) != "GATEWAY_DRAINING" {
			t.Fatal(err)
		}
	}
	if carrier.Away() == nil {
		t.Fatal("a router that drains is not given up")
	}
}

// Errors that are not Layer's own do not speak for it; its own do.
func TestErrorsOfOthersSayNothing(t *testing.T) {
	for own, away := range map[string]bool{"": true, "NOT_FOUND": false} {
		r, calls, carrier := newRouter(t)
		for _, answer := range []func(context.Context) error{
			fails(codes.Unavailable, ""), fails(codes.Unavailable, ""), fails(codes.NotFound, own), fails(codes.Unavailable, ""),
		} {
			r.answer = answer
			_, _ = calls.FetchDocument(t.Context(), "n", 1)
		}
		if got := carrier.Away() != nil; got != away {
			t.Errorf("after an error with the reason %q it is away: %v", own, got)
		}
	}
}

// Callers that always leave before the client's own timeout must not keep a Layer that stands still in use.
func TestPatientCallersCount(t *testing.T) {
	r, calls, carrier := newRouter(t)
	r.answer = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), transport.Patient+time.Second)
		_, err := calls.FetchDocument(ctx, "n", 1)
		cancel()
		if status.Code(err) != codes.DeadlineExceeded || errors.Is(err, transport.ErrLayerUnavailable) {
			t.Fatal(err)
		}
	}
	if carrier.Away() == nil {
		t.Fatal("it is still in use")
	}
}

// The client's own timeout says the same over HTTP as over gRPC.
func TestOwnTimeoutsOverHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer func() { server.CloseClientConnections(); server.Close() }()
	calls, _ := callsOf(t, server.URL, 2*time.Second)
	var away *transport.LayerUnavailable
	if _, err := calls.ListWarmJobs(t.Context(), "n"); !errors.As(err, &away) || away.Operation != "list_warm_jobs" {
		t.Errorf("a read: %v", err)
	}
	var unknown *transport.OutcomeUnknown
	if _, err := calls.WarmCache(t.Context(), "n", 0); !errors.As(err, &unknown) || unknown.Operation != "warm_cache" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := calls.ListWarmJobs(ctx, "n"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, transport.ErrLayerUnavailable) {
		t.Errorf("the caller's own deadline: %v", err)
	}
}
