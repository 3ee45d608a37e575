package layer

import (
	"context"
	"fmt"
	"maps"

	pipelinev1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/pipeline/v1"
)

// PutPipelineDocumentChunks stages one document.
func (c *Calls) PutPipelineDocumentChunks(ctx context.Context, pipelineID, documentID string, chunks []*pipelinev1.Chunk) (*pipelinev1.StageResult, error) {
	results, err := c.StageDocuments(ctx, &pipelinev1.StageDocumentsRequest{
		PipelineId: pipelineID, Documents: []*pipelinev1.StagedDocument{{DocumentId: documentID, Chunks: chunks}},
	})
	if err != nil {
		return nil, err
	}
	return only(results)
}

// PutPipelineDocumentRows writes rows of one document; with complete the document is done. A guard without a token and
// without a version is not checked.
func (c *Calls) PutPipelineDocumentRows(ctx context.Context, pipelineID string, document *pipelinev1.DocumentGuard, rows []*pipelinev1.ChunkRow, complete bool) (*pipelinev1.DocumentResult, error) {
	answer, err := c.PutPipelineRows(ctx, &pipelinev1.PutRowsRequest{
		PipelineId: pipelineID, Documents: []*pipelinev1.DocumentRows{{Document: document, Rows: rows, Complete: complete}},
	})
	if err != nil {
		return nil, err
	}
	return only(answer.GetResults())
}

// WriteSingleVector writes the row of a chunk under the attribute `vector`, with more attributes (see [NewValue]), and
// completes the document.
func (c *Calls) WriteSingleVector(ctx context.Context, pipelineID string, document *pipelinev1.DocumentGuard, chunkID string, vector []float32, attributes map[string]any) (*pipelinev1.DocumentResult, error) {
	plain := maps.Clone(attributes)
	if plain == nil {
		plain = map[string]any{}
	}
	plain["vector"] = vector
	values, err := NewAttributes(plain)
	if err != nil {
		return nil, err
	}
	return c.PutPipelineDocumentRows(ctx, pipelineID, document, []*pipelinev1.ChunkRow{{ChunkId: chunkID, Attributes: values}}, true)
}

// only answers the result of a call over one document.
func only[T any](results []*T) (*T, error) {
	if len(results) != 1 {
		return nil, fmt.Errorf("%d results for one document", len(results))
	}
	return results[0], nil
}
