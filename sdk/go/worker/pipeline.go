package worker

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/layer-mesh/layer/sdk/go/layer"
	pipelinev1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/pipeline/v1"
)

// Document is a document of a pipeline to work on.
type Document struct {
	// ID of the document.
	ID string
	// Version of what was staged.
	Version uint64
	// Attempt, from 1.
	Attempt uint32
	// Chunks of the document; empty where [Pipeline.WithoutChunks] is set.
	Chunks []*pipelinev1.Chunk
}

// Row is a row to write for a chunk.
type Row struct {
	// ChunkID is the row's id: [pipelinev1.Chunk.ChunkId] as it was given out.
	ChunkID string
	// Attributes by name, vectors too; the usual one is `vector`, a []float32. See [layer.NewValue].
	Attributes map[string]any
}

// DocumentResult is what became of a document: rows to write, or chunks for the next stage, or an error.
type DocumentResult struct {
	// Rows to write to the target namespace; then the document is done.
	Rows []Row
	// Output for the next stage.
	Output []*pipelinev1.Chunk
	// Err says that it failed: for now, or for good ([Permanent]).
	Err error
}

// Pipeline is the work of one stage of a pipeline.
type Pipeline struct {
	// Calls of Layer; required.
	Calls *layer.Calls
	// ID of the pipeline; required.
	ID string
	// Stage to take documents from; empty: the first.
	Stage string
	// ClaimStage that documents are in while they are worked on; empty: the next one.
	ClaimStage string
	// ChunksOf is the stage whose output the chunks are; empty: what was staged.
	ChunksOf string
	// WithoutChunks does not load chunks.
	WithoutChunks bool
	// Handle works on a batch and answers a result for each document, in their order; required. Its context ends when the
	// leases are lost or the time to drain is over.
	Handle func(ctx context.Context, documents []*Document) []DocumentResult
}

func (p Pipeline) check() error { return complete(p.Calls != nil, p.ID, p.Handle != nil) }

func (p Pipeline) name() string { return "pipeline " + p.ID }

func (p Pipeline) claim(ctx context.Context, o Options) (batch, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Wait+layer.Timeout)
	defer cancel()
	answer, err := p.Calls.ClaimDocuments(ctx, &pipelinev1.ClaimRequest{
		PipelineId: p.ID, Stage: p.Stage, ClaimStage: p.ClaimStage, Limit: uint32(o.Batch), WorkerId: o.ID,
		LeaseMs: uint64(o.Lease.Milliseconds()), WaitMs: uint32(o.Wait.Milliseconds()),
	})
	if err != nil || len(answer.GetDocuments()) == 0 {
		return nil, err
	}
	claimed := answer.GetDocuments()
	return &documents{
		pipeline: p, lease: o.Lease, claimed: claimed, marks: newMarks(len(claimed)), results: make([]DocumentResult, len(claimed)),
		holder: &pipelinev1.Holder{WorkerId: o.ID},
	}, nil
}

// documents is a batch of a pipeline.
type documents struct {
	pipeline Pipeline
	lease    time.Duration
	holder   *pipelinev1.Holder
	claimed  []*pipelinev1.ClaimedDocument
	results  []DocumentResult
	marks    *marks
}

func (d *documents) size() int { return len(d.claimed) }

func (d *documents) guard(i int) *pipelinev1.DocumentGuard {
	return &pipelinev1.DocumentGuard{DocumentId: d.claimed[i].GetDocumentId(), Token: d.claimed[i].GetToken(), Version: d.claimed[i].GetVersion()}
}

func (d *documents) guards(indices []int) []*pipelinev1.DocumentGuard {
	guards := make([]*pipelinev1.DocumentGuard, len(indices))
	for n, i := range indices {
		guards[n] = d.guard(i)
	}
	return guards
}

func (d *documents) heartbeat(ctx context.Context) (held, lost int, err error) {
	left := d.marks.left()
	if len(left) == 0 {
		return 0, 0, nil
	}
	results, err := d.pipeline.Calls.HeartbeatDocuments(ctx, &pipelinev1.HeartbeatRequest{
		PipelineId: d.pipeline.ID, Documents: d.guards(left), Holder: d.holder, LeaseMs: uint64(d.lease.Milliseconds()),
	})
	if err != nil {
		return len(left), 0, err
	}
	for n, result := range results {
		if result.GetStatus() != pipelinev1.DocumentStatus_DOCUMENT_STATUS_DONE {
			d.marks.set(left[n])
			lost++
		}
	}
	return len(left) - lost, lost, nil
}

// work loads the chunks and runs the handler over the documents that have them.
func (d *documents) work(ctx context.Context) {
	var ready []*Document
	var indices []int
	for i, one := range d.claimed {
		document, err := d.load(ctx, one)
		if err != nil {
			d.results[i].Err = err
			continue
		}
		ready, indices = append(ready, document), append(indices, i)
	}
	if len(ready) == 0 {
		return
	}
	for n, result := range handled(ctx, d.pipeline.Handle, ready, func(err error) DocumentResult { return DocumentResult{Err: err} }) {
		d.results[indices[n]] = result
	}
}

func (d *documents) load(ctx context.Context, one *pipelinev1.ClaimedDocument) (*Document, error) {
	document := &Document{ID: one.GetDocumentId(), Version: one.GetVersion(), Attempt: one.GetAttempt()}
	if d.pipeline.WithoutChunks {
		return document, nil
	}
	chunks, _, err := d.pipeline.Calls.GetPipelineDocumentChunks(ctx, &pipelinev1.GetChunksRequest{
		PipelineId: d.pipeline.ID, DocumentId: one.GetDocumentId(), Stage: d.pipeline.ChunksOf, Version: one.GetVersion(),
	})
	if status.Code(err) == codes.DataLoss {
		return nil, Permanent(err)
	}
	document.Chunks = chunks
	return document, err
}

func (d *documents) giveBack(ctx context.Context) (int, error) {
	left := d.marks.left()
	if len(left) == 0 {
		return 0, nil
	}
	_, err := d.pipeline.Calls.ReleaseDocuments(ctx, &pipelinev1.ReleaseRequest{PipelineId: d.pipeline.ID, Documents: d.guards(left), Holder: d.holder})
	return len(left), err
}

// handled runs a handler, and turns a panic and a wrong number of results into failures of all items.
func handled[T, R any](ctx context.Context, handle func(context.Context, []T) []R, items []T, failed func(error) R) (results []R) {
	all := func(err error) []R {
		each := make([]R, len(items))
		for i := range each {
			each[i] = failed(err)
		}
		return each
	}
	defer func() {
		if cause := recover(); cause != nil {
			results = all(panicked(cause))
		}
	}()
	if results = handle(ctx, items); len(results) != len(items) {
		return all(fmt.Errorf("the handler answered %d results for %d items", len(results), len(items)))
	}
	return results
}
