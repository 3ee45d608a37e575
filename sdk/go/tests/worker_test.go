package tests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/layer-mesh/layer/sdk/go/internal/meshtest"
	"github.com/layer-mesh/layer/sdk/go/layer"
	functionv1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/function/v1"
	pipelinev1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/pipeline/v1"
	"github.com/layer-mesh/layer/sdk/go/transport"
	"github.com/layer-mesh/layer/sdk/go/worker"
)

// mesh is all of Layer, and the calls of a client without a way past it.
type mesh struct {
	*meshtest.Program
	caller
	calls *layer.Calls
}

func newMesh(t *testing.T) *mesh {
	t.Helper()
	meshtest.Need(t)
	program := meshtest.Mesh(t)
	by := newCaller(t, transport.Options{LayerURL: program.URL(), LayerKey: "any", ConnectTimeout: 2 * time.Second})
	calls, err := layer.New(layer.Options{URL: program.URL(), Key: "any", Transport: by.via})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = calls.Close() })
	return &mesh{program, by, calls}
}

// stage declares a pipeline and stages documents of one chunk each.
func (m *mesh) stage(t *testing.T, id string, count int) {
	t.Helper()
	ctx := context.Background()
	if _, err := m.calls.EnsurePipeline(ctx, &pipelinev1.CreatePipelineRequest{PipelineId: id, Spec: &pipelinev1.PipelineSpec{
		TargetNamespace: id, Retry: &pipelinev1.RetryPolicy{InitialBackoffMs: 100, AttemptsMax: 3},
	}}); err != nil {
		t.Fatal(err)
	}
	in := &pipelinev1.StageDocumentsRequest{PipelineId: id}
	for n := range count {
		text := fmt.Sprint("text ", n)
		in.Documents = append(in.Documents, &pipelinev1.StagedDocument{
			DocumentId: fmt.Sprint("d", n), Chunks: []*pipelinev1.Chunk{{ChunkId: fmt.Sprint("c", n), Text: &text}},
		})
	}
	if count == 0 {
		return
	}
	if _, err := m.calls.StageDocuments(ctx, in); err != nil {
		t.Fatal(err)
	}
}

func (m *mesh) ended(t *testing.T, pipeline, stage string) uint64 {
	t.Helper()
	status, err := m.calls.GetPipelineStatus(context.Background(), pipeline)
	if err != nil {
		return 0
	}
	for _, one := range status.GetStages() {
		if one.GetStage() == stage {
			return one.GetEnded()
		}
	}
	return 0
}

func rowsOf(document *worker.Document) worker.DocumentResult {
	chunk := document.Chunks[0]
	return worker.DocumentResult{Rows: []worker.Row{{ChunkID: chunk.GetChunkId(), Attributes: map[string]any{
		"vector": []float32{1, 2}, "text": chunk.GetText(),
	}}}}
}

// counts takes in the events of a worker.
type counts struct {
	mu  sync.Mutex
	all map[worker.EventKind]int
}

func (c *counts) add(event worker.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[worker.EventKind]int{}
	}
	c.all[event.Kind] += max(event.Count, 1)
}

func (c *counts) of(kind worker.EventKind) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[kind]
}

// start runs a worker until the test ends or stop is called; stop waits for its end.
func start(t *testing.T, work worker.Work, options worker.Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- worker.RunWorker(ctx, work, options) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func TestPipelineWorker(t *testing.T) {
	m := newMesh(t)
	m.stage(t, "p", 50)
	tries, seen := map[string]int{}, &counts{}
	var mu sync.Mutex
	stop := start(t, worker.Pipeline{Calls: m.calls, ID: "p", Handle: func(_ context.Context, documents []*worker.Document) []worker.DocumentResult {
		results := make([]worker.DocumentResult, len(documents))
		for i, document := range documents {
			mu.Lock()
			tries[document.ID]++
			attempt := tries[document.ID]
			mu.Unlock()
			results[i] = rowsOf(document)
			switch {
			case document.ID == "d1" && attempt == 1:
				results[i] = worker.DocumentResult{Err: errors.New("not now")}
			case document.ID == "d2":
				results[i] = worker.DocumentResult{Err: worker.Permanent(errors.New("never"))}
			case document.ID == "d3":
				results[i].Rows[0].Attributes["bad"] = make(chan int)
			case document.ID == "d4":
				results[i].Rows[0].Attributes["vector"] = []float32{1, 2, 3}
			}
		}
		return results
	}}, worker.Options{Concurrency: 2, Batch: 8, OnEvent: seen.add, Pause: 100 * time.Millisecond})
	meshtest.Until(t, "all documents have ended", 60*time.Second, func() bool {
		return m.ended(t, "p", "indexed")+m.ended(t, "p", "failed") == 50
	})
	stop()
	letters := map[string]bool{}
	for letter, err := range m.calls.ListPipelineDeadLetters(context.Background(), "p") {
		if err != nil {
			t.Fatal(err)
		}
		letters[letter.GetDocumentId()] = true
	}
	if len(letters) != 3 || !letters["d2"] || !letters["d3"] || !letters["d4"] || tries["d1"] != 2 {
		t.Errorf("dead letters %v, tries of d1 %d", letters, tries["d1"])
	}
	if seen.of(worker.Completed) != 47 || seen.of(worker.FailedTransient) != 1 || seen.of(worker.FailedPermanent) != 3 {
		t.Errorf("events %v", seen.all)
	}
	document, err := m.calls.FetchDocument(context.Background(), "p", "c7")
	if err != nil || document.Attributes["text"] != "text 7" {
		t.Errorf("%v, %v", document, err)
	}
}

// A batch that takes longer than its lease is kept by heartbeats, and no other worker gets it.
func TestHeartbeatsKeepLeases(t *testing.T) {
	m := newMesh(t)
	m.stage(t, "p", 3)
	seen := &counts{}
	handle := func(ctx context.Context, documents []*worker.Document) []worker.DocumentResult {
		results := make([]worker.DocumentResult, len(documents))
		for i, document := range documents {
			results[i] = rowsOf(document)
		}
		select {
		case <-ctx.Done():
		case <-time.After(7 * time.Second):
		}
		return results
	}
	for range 2 {
		start(t, worker.Pipeline{Calls: m.calls, ID: "p", Handle: handle}, worker.Options{Lease: 3 * time.Second, OnEvent: seen.add})
	}
	meshtest.Until(t, "all documents are done", 60*time.Second, func() bool { return m.ended(t, "p", "indexed") == 3 })
	if seen.of(worker.Claimed) != 3 || seen.of(worker.Lost) != 0 {
		t.Errorf("events %v", seen.all)
	}
}

// SIGTERM: what is not done when the time to drain is over is given back, and can be claimed at once.
func TestDrainGivesBack(t *testing.T) {
	m := newMesh(t)
	m.stage(t, "p", 4)
	seen, begun := &counts{}, make(chan struct{}, 4)
	ended := make(chan error, 1)
	go func() {
		ended <- worker.RunWorker(context.Background(), worker.Pipeline{Calls: m.calls, ID: "p", Handle: func(ctx context.Context, documents []*worker.Document) []worker.DocumentResult {
			begun <- struct{}{}
			<-ctx.Done()
			return make([]worker.DocumentResult, len(documents))
		}}, worker.Options{Lease: time.Hour, DrainTimeout: 100 * time.Millisecond, OnEvent: seen.add})
	}()
	<-begun
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if seen.of(worker.Returned) != 4 {
		t.Errorf("events %v", seen.all)
	}
	answer, err := m.calls.ClaimDocuments(context.Background(), &pipelinev1.ClaimRequest{PipelineId: "p", WorkerId: "another", LeaseMs: 1000})
	if err != nil || len(answer.GetDocuments()) != 4 || answer.GetDocuments()[0].GetAttempt() != 1 {
		t.Errorf("%v, %v", answer, err)
	}
}

// Layer is killed and comes back while a worker works: everything is done in the end.
func TestWorkerSurvivesLayersAbsence(t *testing.T) {
	m := newMesh(t)
	m.stage(t, "p", 40)
	first := make(chan struct{}, 40)
	stop := start(t, worker.Pipeline{Calls: m.calls, ID: "p", Handle: func(_ context.Context, documents []*worker.Document) []worker.DocumentResult {
		first <- struct{}{}
		time.Sleep(100 * time.Millisecond)
		results := make([]worker.DocumentResult, len(documents))
		for i, document := range documents {
			if len(document.Chunks) > 0 {
				results[i] = rowsOf(document)
			}
		}
		return results
	}}, worker.Options{Batch: 4, Lease: 5 * time.Second, Pause: 100 * time.Millisecond})
	<-first
	m.Kill()
	time.Sleep(500 * time.Millisecond)
	m.Start()
	m.WaitReady()
	meshtest.Until(t, "all documents are done", 90*time.Second, func() bool { return m.ended(t, "p", "indexed") == 40 })
	stop()
}

func TestNoSuchPipeline(t *testing.T) {
	m := newMesh(t)
	handle := func(context.Context, []*worker.Document) []worker.DocumentResult { return nil }
	for _, missing := range []worker.Work{worker.Pipeline{}, worker.Pipeline{Calls: m.calls, Handle: handle}, worker.Function{Calls: m.calls, ID: "f"}} {
		if err := worker.RunWorker(context.Background(), missing, worker.Options{}); err == nil {
			t.Errorf("%+v: no error", missing)
		}
	}
	err := worker.RunWorker(context.Background(), worker.Pipeline{Calls: m.calls, ID: "none", Handle: handle}, worker.Options{})
	if layer.ReasonOf(err) != "PIPELINE_NOT_FOUND" {
		t.Fatalf("got %v", err)
	}
}

func TestFunctionWorker(t *testing.T) {
	m := newMesh(t)
	ctx := context.Background()
	var rows []any
	for n := range 20 {
		rows = append(rows, map[string]any{"id": n, "text": fmt.Sprint("text ", n)})
	}
	if _, err := m.must(ctx, "POST", "/v2/namespaces/f", map[string]any{"upsert_rows": rows}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.calls.CreateUDF(ctx, &functionv1.CreateFunctionRequest{FunctionId: "length", Spec: &functionv1.FunctionSpec{
		TargetNamespaces: []string{"f"}, Inputs: []string{"text"},
		Schedule: &functionv1.FunctionSchedule{DiscoveryIntervalMs: 1000}, Retry: &functionv1.FunctionRetry{InitialBackoffMs: 100},
	}}); err != nil {
		t.Fatal(err)
	}
	seen, failedOnce := &counts{}, false
	stop := start(t, worker.Function{Calls: m.calls, ID: "length", Handle: func(_ context.Context, items []*worker.Item) []worker.ItemResult {
		results := make([]worker.ItemResult, len(items))
		for i, item := range items {
			text, _ := item.Input["text"].(string)
			results[i].Attributes = map[string]any{"length": len(text)}
			switch {
			case item.ID == uint64(3):
				results[i] = worker.ItemResult{Err: worker.Permanent(errors.New("never"))}
			case item.ID == uint64(4) && !failedOnce:
				failedOnce = true
				panic("not now")
			}
		}
		return results
	}}, worker.Options{Batch: 7, OnEvent: seen.add, Pause: 100 * time.Millisecond})
	meshtest.Until(t, "all rows are done", 60*time.Second, func() bool { return seen.of(worker.Completed) == 19 })
	stop()
	if seen.of(worker.FailedPermanent) != 1 || seen.of(worker.FailedTransient) == 0 {
		t.Errorf("events %v", seen.all)
	}
	documents, missing, err := m.calls.FetchDocuments(ctx, "f", []any{15, uint64(99)}, layer.WithAttributes("length"))
	if err != nil || len(documents) != 1 || documents[0].Attributes["length"] != int64(7) || len(missing) != 1 || missing[0] != uint64(99) {
		t.Errorf("%v, %v, %v", documents, missing, err)
	}
}

// Functions have no release: what is given back has its lease cut short, and can be claimed a second later.
func TestFunctionDrainGivesBack(t *testing.T) {
	m := newMesh(t)
	ctx := context.Background()
	if _, err := m.must(ctx, "POST", "/v2/namespaces/f", map[string]any{"upsert_rows": []any{map[string]any{"id": 1, "text": "x"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.calls.CreateUDF(ctx, &functionv1.CreateFunctionRequest{FunctionId: "slow", Spec: &functionv1.FunctionSpec{TargetNamespaces: []string{"f"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.calls.DiscoverUDF(ctx, &functionv1.DiscoverRequest{FunctionId: "slow"}); err != nil {
		t.Fatal(err)
	}
	seen, begun := &counts{}, make(chan struct{})
	stop := start(t, worker.Function{Calls: m.calls, ID: "slow", Handle: func(ctx context.Context, items []*worker.Item) []worker.ItemResult {
		close(begun)
		<-ctx.Done()
		return make([]worker.ItemResult, len(items))
	}}, worker.Options{Lease: time.Hour, DrainTimeout: 100 * time.Millisecond, OnEvent: seen.add, IgnoreSignals: true})
	<-begun
	stop()
	if seen.of(worker.Returned) != 1 || seen.of(worker.Completed) != 0 {
		t.Errorf("events %v", seen.all)
	}
	meshtest.Until(t, "another worker gets the row", 30*time.Second, func() bool {
		answer, err := m.calls.ClaimUDFItems(ctx, &functionv1.ClaimRequest{FunctionId: "slow", WorkerId: "another"})
		return err == nil && len(answer.GetItems()) == 1
	})
}
