package tests

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/layer-mesh/layer/sdk/go/internal/meshtest"
	"github.com/layer-mesh/layer/sdk/go/layer"
	pipelinev1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/pipeline/v1"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

func TestLayersOwnCalls(t *testing.T) {
	m := newMesh(t)
	ctx, recorder := transport.WithPerf(context.Background())
	row := map[string]any{"id": "a", "title": "blue whale", "year": 1758, "vector": []float32{0.5, 1}}
	if _, err := m.must(ctx, "POST", "/v2/namespaces/n", map[string]any{"upsert_rows": []any{row}, "distance_metric": "cosine_distance"}); err != nil {
		t.Fatal(err)
	}
	fetch := func() *layer.Document {
		document, err := m.calls.FetchDocument(ctx, "n", "a")
		if err != nil {
			t.Fatal(err)
		}
		return document
	}
	if got := fetch(); got.ID != "a" || got.Attributes["title"] != "blue whale" || got.Attributes["year"] != int64(1758) {
		t.Errorf("%+v", got)
	}
	meshtest.Until(t, "the cache has it", 20*time.Second, func() bool { fetch(); return recorder.Perf().CacheStatus == "hit" })
	if err := m.calls.Invalidate(ctx, "n", "a"); err != nil {
		t.Error(err)
	}
	if _, err := m.calls.FetchDocument(ctx, "n", "b"); status.Code(err) != codes.NotFound || layer.ReasonOf(err) != "NOT_FOUND" {
		t.Errorf("%v", err)
	}
	if _, err := m.calls.FetchDocument(ctx, "n", -1); err == nil {
		t.Error("a negative id was taken")
	}
	if document, err := m.calls.FetchDocument(ctx, "n", "a", layer.WithAttributes("title"), layer.WithStrongConsistency()); err != nil || len(document.Attributes) != 1 {
		t.Errorf("%v, %v", document, err)
	}
}

func TestOneDocumentByHand(t *testing.T) {
	m := newMesh(t)
	m.stage(t, "p", 0)
	ctx, text := context.Background(), "text"
	staged, err := m.calls.PutPipelineDocumentChunks(ctx, "p", "d", []*pipelinev1.Chunk{{ChunkId: "c", Text: &text}})
	if err != nil || staged.GetChunkCount() != 1 {
		t.Fatalf("%v, %v", staged, err)
	}
	result, err := m.calls.WriteSingleVector(ctx, "p", &pipelinev1.DocumentGuard{DocumentId: "d"}, staged.GetChunkIds()[0], []float32{1, 2}, map[string]any{"text": text})
	if err != nil || result.GetStatus() != pipelinev1.DocumentStatus_DOCUMENT_STATUS_DONE || result.GetStage() != "indexed" {
		t.Fatalf("%v, %v", result, err)
	}
	documents, err := m.calls.GetPipelineDocuments(ctx, &pipelinev1.GetDocumentsRequest{PipelineId: "p", DocumentIds: []string{"d", "none"}})
	if err != nil || len(documents) != 1 || documents[0].GetState() != pipelinev1.DocumentState_DOCUMENT_STATE_DONE {
		t.Fatalf("%v, %v", documents, err)
	}
	found := 0
	for pipeline, err := range m.calls.ListPipelines(ctx) {
		if err != nil || pipeline.GetPipelineId() != "p" {
			t.Fatal(pipeline, err)
		}
		found++
	}
	if err := m.calls.DeletePipeline(ctx, "p"); err != nil || found != 1 {
		t.Fatal(found, err)
	}
}

func TestWarmingAndBlobs(t *testing.T) {
	m := newMesh(t)
	ctx := context.Background()
	if _, err := m.must(ctx, "POST", "/v2/namespaces/n", map[string]any{"upsert_rows": []any{map[string]any{"id": 1, "a": 2}}}); err != nil {
		t.Fatal(err)
	}
	job, err := m.calls.WarmCache(ctx, "n", 100)
	if err != nil || job.ID == "" {
		t.Fatalf("%v, %v", job, err)
	}
	meshtest.Until(t, "the job is completed", 30*time.Second, func() bool {
		job, err = m.calls.GetWarmJob(ctx, "n", job.ID)
		return err == nil && job.Status == "completed"
	})
	if jobs, err := m.calls.ListWarmJobs(ctx, "n"); err != nil || len(jobs) != 1 || job.CompletedAt == nil || job.DocumentsScanned != 1 {
		t.Errorf("%v, %v, %+v", jobs, err, job)
	}
	if job, err := m.calls.CancelWarmJob(ctx, "n", job.ID); err != nil || job.Status != "completed" {
		t.Errorf("%v, %v", job, err)
	}
	no := false
	if hint, err := m.calls.HintCacheWarm(ctx, "n", layer.WarmHintOptions{Turbopuffer: &no}); err != nil || hint.Turbopuffer.Status != "skipped" || hint.Documents.Job == nil {
		t.Errorf("%+v, %v", hint, err)
	}
	var refused *layer.HTTPError
	if _, err := m.calls.GetWarmJob(ctx, "n", "none"); !errors.As(err, &refused) || refused.StatusCode != 404 || refused.Code != "not_found" {
		t.Errorf("%v", err)
	}
	blob, err := m.calls.PutBlob(ctx, "n", []byte("bytes"), true)
	if err != nil || blob.Size != 5 {
		t.Fatalf("%v, %v", blob, err)
	}
	if content, err := m.calls.GetBlob(ctx, "n", blob.SHA256); err != nil || string(content) != "bytes" {
		t.Errorf("%q, %v", content, err)
	}
}

// With a way past Layer, its own calls fail at once and by name while it is away, and go on when it is back.
func TestLayersOwnCallsWhileItIsAway(t *testing.T) {
	meshtest.Need(t)
	origin := meshtest.StandIn(t)
	router := meshtest.Router(t, origin.URL())
	by := newCaller(t, transport.Options{
		LayerURL: router.URL(), LayerKey: meshtest.Key, DirectURL: origin.URL(), DirectKey: meshtest.Key,
		ConnectTimeout: 2 * time.Second, ProbeInitial: 20 * time.Millisecond, ProbeMax: 100 * time.Millisecond,
	})
	calls, err := layer.New(layer.Options{URL: router.URL(), Key: meshtest.Key, Transport: by.via})
	if err != nil {
		t.Fatal(err)
	}
	defer calls.Close()
	ctx := context.Background()
	if _, err := by.must(ctx, "POST", "/v2/namespaces/n", map[string]any{"upsert_rows": []any{map[string]any{"id": 1, "a": 2}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := calls.FetchDocument(ctx, "n", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := calls.CreatePipeline(ctx, &pipelinev1.CreatePipelineRequest{}); errors.Is(err, transport.ErrLayerUnavailable) || status.Code(err) == codes.OK {
		t.Errorf("a part of Layer is away, not Layer: %v", err)
	}
	router.Kill()
	meshtest.Until(t, "the connection is gone", 10*time.Second, func() bool {
		_, err := calls.FetchDocument(ctx, "n", 1)
		return errors.Is(err, transport.ErrLayerUnavailable)
	})
	var away *transport.LayerUnavailable
	begun := time.Now()
	if _, err := calls.FetchDocument(ctx, "n", 1); !errors.As(err, &away) || away.Operation != "fetch_document" || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	router.Start()
	router.WaitReady()
	meshtest.Until(t, "Layer is back", 10*time.Second, func() bool { return by.via.Away() == nil })
	var document *layer.Document
	meshtest.Until(t, "the call goes on, or fails before its time to connect is over", 10*time.Second, func() bool {
		if by.via.Away() != nil {
			return false
		}
		begun := time.Now()
		document, err = calls.FetchDocument(ctx, "n", 1)
		// That time is short, and the machine may be slow.
		return err == nil || time.Since(begun) < transport.ConnectTimeout
	})
	if err != nil || document.Attributes["a"] != int64(2) {
		t.Errorf("%v, %v", document, err)
	}
}
