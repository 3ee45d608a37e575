package layer

import (
	"context"
	"errors"
	"io"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pipelinev1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/pipeline/v1"
)

// CreatePipeline declares a pipeline; ALREADY_EXISTS where its id is taken.
func (c *Calls) CreatePipeline(ctx context.Context, in *pipelinev1.CreatePipelineRequest) (*pipelinev1.Pipeline, error) {
	out, err := unary(ctx, c, "create_pipeline", c.pipelines.CreatePipeline, in)
	return out.GetPipeline(), err
}

// EnsurePipeline declares a pipeline, or answers the one that has its id, which may do something else.
func (c *Calls) EnsurePipeline(ctx context.Context, in *pipelinev1.CreatePipelineRequest) (*pipelinev1.Pipeline, error) {
	made, err := c.CreatePipeline(ctx, in)
	if status.Code(err) != codes.AlreadyExists {
		return made, err
	}
	return c.GetPipeline(ctx, in.GetPipelineId())
}

// GetPipeline answers one pipeline.
func (c *Calls) GetPipeline(ctx context.Context, pipelineID string) (*pipelinev1.Pipeline, error) {
	out, err := unary(ctx, c, "get_pipeline", c.pipelines.GetPipeline, &pipelinev1.GetPipelineRequest{PipelineId: pipelineID})
	return out.GetPipeline(), err
}

// ListPipelines answers all pipelines, page by page, in the order of their ids.
func (c *Calls) ListPipelines(ctx context.Context) iter.Seq2[*pipelinev1.Pipeline, error] {
	return pages(func(token string) ([]*pipelinev1.Pipeline, string, error) {
		out, err := unary(ctx, c, "list_pipelines", c.pipelines.ListPipelines, &pipelinev1.ListPipelinesRequest{PageToken: token})
		return out.GetPipelines(), out.GetNextPageToken(), err
	})
}

// DeletePipeline deletes a pipeline with its documents' states and bodies; rows that it has written stay.
func (c *Calls) DeletePipeline(ctx context.Context, pipelineID string) error {
	_, err := unary(ctx, c, "delete_pipeline", c.pipelines.DeletePipeline, &pipelinev1.DeletePipelineRequest{PipelineId: pipelineID})
	return err
}

// GetPipelineStatus counts documents by stage.
func (c *Calls) GetPipelineStatus(ctx context.Context, pipelineID string) (*pipelinev1.PipelineStatus, error) {
	out, err := unary(ctx, c, "get_pipeline_status", c.pipelines.GetPipelineStatus, &pipelinev1.GetPipelineStatusRequest{PipelineId: pipelineID})
	return out.GetStatus(), err
}

// StageDocuments stores documents' chunks and puts them into the first stage.
func (c *Calls) StageDocuments(ctx context.Context, in *pipelinev1.StageDocumentsRequest) ([]*pipelinev1.StageResult, error) {
	out, err := unary(ctx, c, "stage_document", c.pipelines.StageDocuments, in)
	return out.GetResults(), err
}

// GetPipelineDocumentChunks answers the chunks of a document, all of one version, and that version.
func (c *Calls) GetPipelineDocumentChunks(ctx context.Context, in *pipelinev1.GetChunksRequest) (chunks []*pipelinev1.Chunk, version uint64, err error) {
	err = c.guarded(ctx, "get_chunks", func(ctx context.Context, options ...grpc.CallOption) error {
		stream, err := c.pipelines.GetChunks(ctx, in, options...)
		if err != nil {
			return err
		}
		return each(stream, func(part *pipelinev1.GetChunksResponse) {
			chunks, version = append(chunks, part.GetChunks()...), part.GetVersion()
		})
	})
	return chunks, version, err
}

// GetPipelineDocuments answers where documents stand; one that is not there has no entry.
func (c *Calls) GetPipelineDocuments(ctx context.Context, in *pipelinev1.GetDocumentsRequest) ([]*pipelinev1.Document, error) {
	out, err := unary(ctx, c, "get_document", c.pipelines.GetDocuments, in)
	return out.GetDocuments(), err
}

// ClaimDocuments takes documents that are ready in a stage, under a lease.
func (c *Calls) ClaimDocuments(ctx context.Context, in *pipelinev1.ClaimRequest) (*pipelinev1.ClaimResponse, error) {
	return unary(ctx, c, "claim_documents", c.pipelines.Claim, in)
}

// HeartbeatDocuments extends leases. A worker stops working on what is not DONE.
func (c *Calls) HeartbeatDocuments(ctx context.Context, in *pipelinev1.HeartbeatRequest) ([]*pipelinev1.DocumentResult, error) {
	out, err := unary(ctx, c, "heartbeat_documents", c.pipelines.Heartbeat, in)
	return out.GetResults(), err
}

// ReleaseDocuments returns documents to the stage that they were claimed from, as if they had not been claimed.
func (c *Calls) ReleaseDocuments(ctx context.Context, in *pipelinev1.ReleaseRequest) ([]*pipelinev1.DocumentResult, error) {
	out, err := unary(ctx, c, "release_documents", c.pipelines.Release, in)
	return out.GetResults(), err
}

// FailDocuments says that documents failed: they are tried again later, or become dead letters.
func (c *Calls) FailDocuments(ctx context.Context, in *pipelinev1.FailRequest) ([]*pipelinev1.DocumentResult, error) {
	out, err := unary(ctx, c, "fail_documents", c.pipelines.Fail, in)
	return out.GetResults(), err
}

// CompleteDocuments says that a stage is done for documents, and stores what it put out.
func (c *Calls) CompleteDocuments(ctx context.Context, in *pipelinev1.CompleteRequest) ([]*pipelinev1.DocumentResult, error) {
	out, err := unary(ctx, c, "complete_documents", c.pipelines.Complete, in)
	return out.GetResults(), err
}

// PutPipelineRows writes rows of documents to the target namespace, and completes those that say so.
func (c *Calls) PutPipelineRows(ctx context.Context, in *pipelinev1.PutRowsRequest) (*pipelinev1.PutRowsResponse, error) {
	return unary(ctx, c, "put_rows", c.pipelines.PutRows, in)
}

// SetDocumentsStage puts documents into a stage, whatever they were doing.
func (c *Calls) SetDocumentsStage(ctx context.Context, in *pipelinev1.SetStageRequest) ([]*pipelinev1.DocumentResult, error) {
	out, err := unary(ctx, c, "set_documents_stage", c.pipelines.SetStage, in)
	return out.GetResults(), err
}

// ListPipelineDeadLetters answers documents that failed for good, in the order of their ids.
func (c *Calls) ListPipelineDeadLetters(ctx context.Context, pipelineID string) iter.Seq2[*pipelinev1.DeadLetter, error] {
	return pages(func(token string) ([]*pipelinev1.DeadLetter, string, error) {
		in := &pipelinev1.ListDeadLettersRequest{PipelineId: pipelineID, PageToken: token}
		out, err := unary(ctx, c, "list_dead_letters", c.pipelines.ListDeadLetters, in)
		return out.GetDeadLetters(), out.GetNextPageToken(), err
	})
}

// RequeuePipelineDeadLetters puts dead letters back to where they had been claimed, and answers how many.
func (c *Calls) RequeuePipelineDeadLetters(ctx context.Context, in *pipelinev1.RequeueDeadLettersRequest) (uint32, error) {
	out, err := unary(ctx, c, "requeue_dead_letters", c.pipelines.RequeueDeadLetters, in)
	return out.GetRequeued(), err
}

// pages answers the elements of all pages until the first error, which comes last.
func pages[T any](page func(token string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for token := ""; ; {
			elements, next, err := page(token)
			if err != nil {
				yield(none, err)
				return
			}
			for _, element := range elements {
				if !yield(element, nil) {
					return
				}
			}
			if token = next; token == "" {
				return
			}
		}
	}
}

func each[T any](stream grpc.ServerStreamingClient[T], take func(*T)) error {
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		take(part)
	}
}
