package worker_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/layer-mesh/layer/sdk/go/layer"
	pipelinev1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/pipeline/v1"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// queue is a pipeline made up: it hands out documents once each, and does what it is told.
type queue struct {
	pipelinev1.UnimplementedPipelineServiceServer
	mu      sync.Mutex
	ready   []string
	rows    []string // Whose rows were written.
	failed  []*pipelinev1.FailedDocument
	refuse  func(ids []string) error // What rows are refused with.
	waiting chan struct{}            // Told of a claim that waits.
	calls   *layer.Calls
	carrier *transport.Transport
}

func newQueue(t *testing.T, documents ...string) *queue {
	t.Helper()
	q := &queue{ready: documents, refuse: func([]string) error { return nil }, waiting: make(chan struct{}, 1)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pipelinev1.RegisterPipelineServiceServer(server, q)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	url := "http://" + listener.Addr().String()
	if q.carrier, err = transport.New(transport.Options{LayerURL: url, LayerKey: "k"}); err != nil {
		t.Fatal(err)
	}
	if q.calls, err = layer.New(layer.Options{URL: url, Key: "k", Transport: q.carrier}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.calls.Close(); _ = q.carrier.Close() })
	return q
}

// Claim hands out what is ready, or waits for as long as it is asked to.
func (q *queue) Claim(ctx context.Context, in *pipelinev1.ClaimRequest) (*pipelinev1.ClaimResponse, error) {
	q.mu.Lock()
	taken := q.ready[:min(len(q.ready), int(in.GetLimit()))]
	q.ready = q.ready[len(taken):]
	q.mu.Unlock()
	out := &pipelinev1.ClaimResponse{LeaseMs: in.GetLeaseMs()}
	for _, id := range taken {
		out.Documents = append(out.Documents, &pipelinev1.ClaimedDocument{DocumentId: id, Token: 1, Version: 1, Attempt: 1})
	}
	if len(taken) == 0 {
		select {
		case q.waiting <- struct{}{}:
		default:
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(in.GetWaitMs()) * time.Millisecond):
		}
	}
	return out, nil
}

func done(count int) (all []*pipelinev1.DocumentResult) {
	for range count {
		all = append(all, &pipelinev1.DocumentResult{Status: pipelinev1.DocumentStatus_DOCUMENT_STATUS_DONE})
	}
	return all
}

// Heartbeat extends all leases.
func (q *queue) Heartbeat(_ context.Context, in *pipelinev1.HeartbeatRequest) (*pipelinev1.HeartbeatResponse, error) {
	return &pipelinev1.HeartbeatResponse{Results: done(len(in.GetDocuments()))}, nil
}

// Release takes documents back.
func (q *queue) Release(_ context.Context, in *pipelinev1.ReleaseRequest) (*pipelinev1.ReleaseResponse, error) {
	return &pipelinev1.ReleaseResponse{Results: done(len(in.GetDocuments()))}, nil
}

// PutRows keeps whose rows came, unless they are refused.
func (q *queue) PutRows(_ context.Context, in *pipelinev1.PutRowsRequest) (*pipelinev1.PutRowsResponse, error) {
	var ids []string
	for _, one := range in.GetDocuments() {
		ids = append(ids, one.GetDocument().GetDocumentId())
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.refuse(ids); err != nil {
		return nil, err
	}
	q.rows = append(q.rows, ids...)
	return &pipelinev1.PutRowsResponse{Results: done(len(ids))}, nil
}

// Fail keeps what failed.
func (q *queue) Fail(_ context.Context, in *pipelinev1.FailRequest) (*pipelinev1.FailResponse, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failed = append(q.failed, in.GetDocuments()...)
	return &pipelinev1.FailResponse{Results: done(len(in.GetDocuments()))}, nil
}

// settled answers how many documents have rows, and how many have failed.
func (q *queue) settled() (rows, failed int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.rows), len(q.failed)
}

// ownError is an error of Layer's, with its reason.
func ownError(code codes.Code, reason string) error {
	made, err := status.New(code, "m").WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "layer"})
	if err != nil {
		panic(err)
	}
	return made.Err()
}
