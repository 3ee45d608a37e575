package worker

import (
	"context"
	"errors"

	"github.com/layer-mesh/layer/sdk/go/layer"
	pipelinev1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/pipeline/v1"
)

// deliver hands in what is left: rows and outputs first, then failures, among them what Layer or the origin refuses.
func (d *documents) deliver(ctx context.Context, tell func(EventKind, int)) error {
	var rows, outputs, failures []int
	for _, i := range d.marks.left() {
		switch result := &d.results[i]; {
		case result.Err != nil:
			failures = append(failures, i)
		case len(result.Rows) > 0:
			rows = append(rows, i)
		default:
			outputs = append(outputs, i)
		}
	}
	err := errors.Join(d.settle(ctx, rows, tell, d.putRows), d.settle(ctx, outputs, tell, d.complete))
	for _, i := range append(rows, outputs...) {
		if d.results[i].Err != nil {
			failures = append(failures, i)
		}
	}
	return errors.Join(err, d.fail(ctx, failures, tell))
}

type handIn func(ctx context.Context, indices []int) ([]*pipelinev1.DocumentResult, error)

// settle makes a call for many documents, and one for each where it is refused: one bad row must not fail the others.
func (d *documents) settle(ctx context.Context, indices []int, tell func(EventKind, int), call handIn) error {
	if len(indices) == 0 {
		return nil
	}
	results, err := call(ctx, indices)
	switch {
	case err == nil:
		d.note(indices, results, Completed, tell)
		return nil
	case meaningOf(err) != never || ctx.Err() != nil:
		return err
	case len(indices) == 1:
		d.results[indices[0]] = DocumentResult{Err: Permanent(err)}
		return nil
	}
	var all error
	for _, i := range indices {
		all = errors.Join(all, d.settle(ctx, []int{i}, tell, call))
	}
	return all
}

// note takes documents off that are done, or that somebody else has by now.
func (d *documents) note(indices []int, results []*pipelinev1.DocumentResult, kind EventKind, tell func(EventKind, int)) {
	done, lost := 0, 0
	for n, result := range results {
		d.marks.set(indices[n])
		if result.GetStatus() == pipelinev1.DocumentStatus_DOCUMENT_STATUS_DONE {
			done++
		} else {
			lost++
		}
	}
	tell(kind, done)
	tell(Lost, lost)
}

func (d *documents) putRows(ctx context.Context, indices []int) ([]*pipelinev1.DocumentResult, error) {
	in := &pipelinev1.PutRowsRequest{PipelineId: d.pipeline.ID, Holder: d.holder}
	for _, i := range indices {
		rows := &pipelinev1.DocumentRows{Document: d.guard(i), Complete: true}
		for _, row := range d.results[i].Rows {
			values, err := layer.NewAttributes(row.Attributes)
			if err != nil {
				return nil, Permanent(err)
			}
			rows.Rows = append(rows.Rows, &pipelinev1.ChunkRow{ChunkId: row.ChunkID, Attributes: values})
		}
		in.Documents = append(in.Documents, rows)
	}
	out, err := d.pipeline.Calls.PutPipelineRows(ctx, in)
	return out.GetResults(), err
}

func (d *documents) complete(ctx context.Context, indices []int) ([]*pipelinev1.DocumentResult, error) {
	in := &pipelinev1.CompleteRequest{PipelineId: d.pipeline.ID, Holder: d.holder}
	for _, i := range indices {
		in.Documents = append(in.Documents, &pipelinev1.CompletedDocument{Document: d.guard(i), Output: d.results[i].Output})
	}
	return d.pipeline.Calls.CompleteDocuments(ctx, in)
}

func (d *documents) fail(ctx context.Context, indices []int, tell func(EventKind, int)) error {
	for kind, event := range map[pipelinev1.FailureKind]EventKind{
		pipelinev1.FailureKind_FAILURE_KIND_TRANSIENT: FailedTransient,
		pipelinev1.FailureKind_FAILURE_KIND_PERMANENT: FailedPermanent,
	} {
		in, of := &pipelinev1.FailRequest{PipelineId: d.pipeline.ID, Holder: d.holder}, []int(nil)
		for _, i := range indices {
			if err := d.results[i].Err; IsPermanent(err) == (event == FailedPermanent) {
				in.Documents = append(in.Documents, &pipelinev1.FailedDocument{Document: d.guard(i), Kind: kind, Message: messageOf(err)})
				of = append(of, i)
			}
		}
		if len(of) == 0 {
			continue
		}
		results, err := d.pipeline.Calls.FailDocuments(ctx, in)
		if err != nil {
			return err
		}
		d.note(of, results, event, tell)
	}
	return nil
}
