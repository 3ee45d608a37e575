package layer

import (
	"context"
	"iter"

	functionv1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/function/v1"
)

// CreateUDF registers a function; ALREADY_EXISTS where its id is taken.
func (c *Calls) CreateUDF(ctx context.Context, in *functionv1.CreateFunctionRequest) (*functionv1.Function, error) {
	out, err := unary(ctx, c, "create_function", c.functions.CreateFunction, in)
	return out.GetFunction(), err
}

// UpsertUDF registers a function, or changes it. A new version makes every row's result stale.
func (c *Calls) UpsertUDF(ctx context.Context, in *functionv1.UpsertFunctionRequest) (*functionv1.Function, error) {
	out, err := unary(ctx, c, "upsert_function", c.functions.UpsertFunction, in)
	return out.GetFunction(), err
}

// GetUDF answers one function and how far it is.
func (c *Calls) GetUDF(ctx context.Context, functionID string) (*functionv1.GetFunctionResponse, error) {
	return unary(ctx, c, "get_function", c.functions.GetFunction, &functionv1.GetFunctionRequest{FunctionId: functionID})
}

// GetUDFStatus answers how far a function is.
func (c *Calls) GetUDFStatus(ctx context.Context, functionID string) (*functionv1.FunctionStatus, error) {
	out, err := c.GetUDF(ctx, functionID)
	return out.GetStatus(), err
}

// ListUDFs answers all functions, page by page, in the order of their ids.
func (c *Calls) ListUDFs(ctx context.Context) iter.Seq2[*functionv1.Function, error] {
	return pages(func(token string) ([]*functionv1.Function, string, error) {
		out, err := unary(ctx, c, "list_functions", c.functions.ListFunctions, &functionv1.ListFunctionsRequest{PageToken: token})
		return out.GetFunctions(), out.GetNextPageToken(), err
	})
}

// DeleteUDF deletes a function and its queue; what it has written to rows stays.
func (c *Calls) DeleteUDF(ctx context.Context, functionID string) error {
	_, err := unary(ctx, c, "delete_function", c.functions.DeleteFunction, &functionv1.DeleteFunctionRequest{FunctionId: functionID})
	return err
}

// PauseUDF stops discovery and claims; leases run on.
func (c *Calls) PauseUDF(ctx context.Context, functionID string) (*functionv1.Function, error) {
	out, err := unary(ctx, c, "pause_function", c.functions.PauseFunction, &functionv1.PauseFunctionRequest{FunctionId: functionID})
	return out.GetFunction(), err
}

// ResumeUDF goes on after a pause.
func (c *Calls) ResumeUDF(ctx context.Context, functionID string) (*functionv1.Function, error) {
	out, err := unary(ctx, c, "resume_function", c.functions.ResumeFunction, &functionv1.ResumeFunctionRequest{FunctionId: functionID})
	return out.GetFunction(), err
}

// ResetFailedUDF puts all failed items back, and answers how many.
func (c *Calls) ResetFailedUDF(ctx context.Context, functionID string) (uint64, error) {
	out, err := unary(ctx, c, "reset_failed", c.functions.ResetFailed, &functionv1.ResetFailedRequest{FunctionId: functionID})
	return out.GetResetCount(), err
}

// ListUDFDeadLetters answers items that failed for good.
func (c *Calls) ListUDFDeadLetters(ctx context.Context, functionID string) iter.Seq2[*functionv1.DeadLetter, error] {
	return pages(func(token string) ([]*functionv1.DeadLetter, string, error) {
		in := &functionv1.ListDeadLettersRequest{FunctionId: functionID, PageToken: token}
		out, err := unary(ctx, c, "list_function_dead_letters", c.functions.ListDeadLetters, in)
		return out.GetDeadLetters(), out.GetNextPageToken(), err
	})
}

// DiscoverUDF looks for rows to do, now.
func (c *Calls) DiscoverUDF(ctx context.Context, in *functionv1.DiscoverRequest) (*functionv1.DiscoverResponse, error) {
	return unary(ctx, c, "discover_function", c.functions.Discover, in)
}

// ClaimUDFItems takes items with their inputs, under a lease.
func (c *Calls) ClaimUDFItems(ctx context.Context, in *functionv1.ClaimRequest) (*functionv1.ClaimResponse, error) {
	return unary(ctx, c, "claim_items", c.functions.Claim, in)
}

// HeartbeatUDFItems extends leases. A worker stops working on what is not DONE.
func (c *Calls) HeartbeatUDFItems(ctx context.Context, in *functionv1.HeartbeatRequest) ([]*functionv1.ItemResult, error) {
	out, err := unary(ctx, c, "heartbeat_items", c.functions.Heartbeat, in)
	return out.GetResults(), err
}

// CompleteUDFItems writes results to rows and marks them.
func (c *Calls) CompleteUDFItems(ctx context.Context, in *functionv1.CompleteRequest) ([]*functionv1.ItemResult, error) {
	out, err := unary(ctx, c, "complete_items", c.functions.Complete, in)
	return out.GetResults(), err
}

// FailUDFItems says that items failed: they are tried again later, or become dead letters.
func (c *Calls) FailUDFItems(ctx context.Context, in *functionv1.FailRequest) ([]*functionv1.ItemResult, error) {
	out, err := unary(ctx, c, "fail_items", c.functions.Fail, in)
	return out.GetResults(), err
}
