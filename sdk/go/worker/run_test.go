package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pipelinev1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/pipeline/v1"
	"github.com/layer-mesh/layer/sdk/go/transport"
	"github.com/layer-mesh/layer/sdk/go/worker"
)

// quick is how these tests' workers are set.
var quick = worker.Options{UntilIdle: true, IgnoreSignals: true, Wait: 10 * time.Millisecond, Pause: 10 * time.Millisecond, Batch: 8}

// each makes a handler of one for each document.
func each(one func(id string) worker.DocumentResult) func(context.Context, []*worker.Document) []worker.DocumentResult {
	return func(_ context.Context, documents []*worker.Document) (results []worker.DocumentResult) {
		for _, document := range documents {
			results = append(results, one(document.ID))
		}
		return results
	}
}

func row(attributes map[string]any) worker.DocumentResult {
	return worker.DocumentResult{Rows: []worker.Row{{ChunkID: "c", Attributes: attributes}}}
}

// within runs a worker, which must end in time.
func within(t *testing.T, ctx context.Context, q *queue, handle func(context.Context, []*worker.Document) []worker.DocumentResult, options worker.Options) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		ended <- worker.RunWorker(ctx, worker.Pipeline{Calls: q.calls, ID: "p", WithoutChunks: true, Handle: handle}, options)
	}()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the worker does not end")
		return nil
	}
}

// The contract takes UTF-8 alone: an error's text that is cut in the middle of a letter, or was never text, is made so.
func TestSaysAnyError(t *testing.T) {
	q := newQueue(t, "long", "bytes")
	err := within(t, context.Background(), q, each(func(id string) worker.DocumentResult {
		if id == "long" {
			return worker.DocumentResult{Err: errors.New("x" + strings.Repeat("é", 1024))}
		}
		return worker.DocumentResult{Err: errors.New("\xff\xfe not text")}
	}), quick)
	if _, failed := q.settled(); err != nil || failed != 2 {
		t.Fatalf("%v, %d failed", err, failed)
	}
}

// What can never be sent fails for good, and does not keep the others of its batch.
func TestWhatCannotBeSentFails(t *testing.T) {
	q := newQueue(t, "a", "text", "large", "b")
	err := within(t, context.Background(), q, each(func(id string) worker.DocumentResult {
		switch id {
		case "text":
			return row(map[string]any{"x": "\xff"})
		case "large":
			return row(map[string]any{"x": strings.Repeat("x", 65<<20)})
		}
		return row(map[string]any{"x": "y"})
	}), quick)
	rows, failed := q.settled()
	if err != nil || rows != 2 || failed != 2 {
		t.Fatalf("%v, %d rows, %d failed", err, rows, failed)
	}
	for _, one := range q.failed {
		if one.GetKind() != pipelinev1.FailureKind_FAILURE_KIND_PERMANENT {
			t.Errorf("%v", one)
		}
	}
}

// Keys that are refused, and answers of what stands before Layer, are no fault of the documents: their work is not thrown away.
func TestTroubleOfOperatorsMakesNoDeadLetters(t *testing.T) {
	for name, trouble := range map[string]error{
		"the router refuses pipeline-worker": ownError(codes.FailedPrecondition, "ROUTER_REFUSED"),
		"the worker's key is refused":        ownError(codes.Unauthenticated, "UNAUTHORIZED"),
		"an ingress without a route":         status.Error(codes.Unimplemented, "unexpected HTTP status code 404"),
		"a change came first":                ownError(codes.Aborted, "BODY_EXPIRED"),
	} {
		q, times := newQueue(t, "a", "b"), 0
		q.refuse = func([]string) error {
			if times++; times < 5 {
				return trouble
			}
			return nil
		}
		err := within(t, context.Background(), q, each(func(string) worker.DocumentResult { return row(nil) }), quick)
		if rows, failed := q.settled(); err != nil || rows != 2 || failed != 0 {
			t.Errorf("%s: %v, %d rows, %d failed", name, err, rows, failed)
		}
	}
}

// What Layer refuses of one document fails that one.
func TestOneBadDocumentFailsAlone(t *testing.T) {
	q := newQueue(t, "a", "bad", "b")
	q.refuse = func(ids []string) error {
		for _, id := range ids {
			if id == "bad" {
				return ownError(codes.InvalidArgument, "ORIGIN_ERROR")
			}
		}
		return nil
	}
	err := within(t, context.Background(), q, each(func(string) worker.DocumentResult { return row(nil) }), quick)
	if rows, failed := q.settled(); err != nil || rows != 2 || failed != 1 {
		t.Fatalf("%v, %d rows, %d failed", err, rows, failed)
	}
}

// A pipeline that was deleted meanwhile ends the worker, and nothing is repeated for ever.
func TestAPipelineThatIsGone(t *testing.T) {
	q := newQueue(t, "a")
	q.refuse = func([]string) error { return ownError(codes.NotFound, "PIPELINE_NOT_FOUND") }
	err := within(t, context.Background(), q, each(func(string) worker.DocumentResult { return row(nil) }), quick)
	if rows, failed := q.settled(); err != nil || rows != 0 || failed != 0 {
		t.Fatalf("%v, %d rows, %d failed", err, rows, failed)
	}
}

// A worker that waits for something to do ends as it should, however short its time to drain.
func TestStopsWhileItWaits(t *testing.T) {
	q := newQueue(t)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		<-q.waiting
		stop()
	}()
	options := worker.Options{IgnoreSignals: true, Wait: 20 * time.Second, DrainTimeout: 50 * time.Millisecond}
	if err := within(t, ctx, q, each(nil), options); err != nil {
		t.Fatal(err)
	}
}

// Nothing is left to claim, and a batch is still worked on: it takes the time that it takes.
func TestIdleWaitsForTheLastBatch(t *testing.T) {
	q := newQueue(t, "a")
	options := quick
	options.Concurrency, options.DrainTimeout = 2, 50*time.Millisecond
	err := within(t, context.Background(), q, func(ctx context.Context, documents []*worker.Document) []worker.DocumentResult {
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
		return []worker.DocumentResult{row(nil)}
	}, options)
	if rows, _ := q.settled(); err != nil || rows != 1 {
		t.Fatalf("%v, %d rows", err, rows)
	}
}

// A worker whose client was closed ends, and says why.
func TestAClosedClientEndsTheWorker(t *testing.T) {
	q := newQueue(t)
	_ = q.carrier.Close()
	options := quick
	options.UntilIdle = false
	if err := within(t, context.Background(), q, each(nil), options); !errors.Is(err, transport.ErrClosed) {
		t.Fatalf("got %v", err)
	}
}
