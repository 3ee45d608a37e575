package worker

import (
	"context"
	"errors"
	"time"

	"github.com/layer-mesh/layer/sdk/go/layer"
	functionv1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/function/v1"
)

// Item is a row for a function to work on.
type Item struct {
	// Namespace of the row.
	Namespace string
	// ID of the row: a uint64 or a string.
	ID any
	// Input by name, as the row has it now; see [layer.Plain].
	Input map[string]any
	// Attempt, from 1.
	Attempt uint32
}

// ItemResult is what became of a row.
type ItemResult struct {
	// Attributes that the row gains, vectors too; see [layer.NewValue].
	Attributes map[string]any
	// Err says that it failed: for now, or for good ([Permanent]).
	Err error
}

// Function is the work of a function.
type Function struct {
	// Calls of Layer; required.
	Calls *layer.Calls
	// ID of the function; required.
	ID string
	// Handle works on a batch and answers a result for each row, in their order; required. Its context ends when the leases
	// are lost or the time to drain is over.
	Handle func(ctx context.Context, items []*Item) []ItemResult
}

func (f Function) check() error { return complete(f.Calls != nil, f.ID, f.Handle != nil) }

func (f Function) name() string { return "function " + f.ID }

func (f Function) claim(ctx context.Context, o Options) (batch, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Wait+layer.Timeout)
	defer cancel()
	answer, err := f.Calls.ClaimUDFItems(ctx, &functionv1.ClaimRequest{
		FunctionId: f.ID, Limit: uint32(o.Batch), WorkerId: o.ID,
		LeaseMs: uint64(o.Lease.Milliseconds()), WaitMs: uint32(o.Wait.Milliseconds()),
	})
	if err != nil || len(answer.GetItems()) == 0 {
		return nil, err
	}
	claimed := answer.GetItems()
	return &items{
		function: f, worker: o.ID, lease: o.Lease, claimed: claimed,
		marks: newMarks(len(claimed)), results: make([]ItemResult, len(claimed)),
	}, nil
}

// items is a batch of a function.
type items struct {
	function Function
	worker   string
	lease    time.Duration
	claimed  []*functionv1.ClaimedItem
	results  []ItemResult
	marks    *marks
}

func (t *items) size() int { return len(t.claimed) }

func (t *items) guard(i int) *functionv1.ItemGuard {
	one := t.claimed[i]
	return &functionv1.ItemGuard{Namespace: one.GetNamespace(), Id: one.GetId(), Token: one.GetToken()}
}

func (t *items) heartbeat(ctx context.Context) (held, lost int, err error) {
	return t.extend(ctx, t.lease)
}

func (t *items) extend(ctx context.Context, lease time.Duration) (held, lost int, err error) {
	left := t.marks.left()
	if len(left) == 0 {
		return 0, 0, nil
	}
	in := &functionv1.HeartbeatRequest{FunctionId: t.function.ID, WorkerId: t.worker, LeaseMs: uint64(lease.Milliseconds())}
	for _, i := range left {
		in.Items = append(in.Items, t.guard(i))
	}
	results, err := t.function.Calls.HeartbeatUDFItems(ctx, in)
	if err != nil {
		return len(left), 0, err
	}
	for n, result := range results {
		if result.GetStatus() != functionv1.ItemStatus_ITEM_STATUS_DONE {
			t.marks.set(left[n])
			lost++
		}
	}
	return len(left) - lost, lost, nil
}

func (t *items) work(ctx context.Context) {
	rows := make([]*Item, len(t.claimed))
	for i, one := range t.claimed {
		rows[i] = &Item{Namespace: one.GetNamespace(), ID: layer.PlainID(one.GetId()), Input: layer.PlainAttributes(one.GetInput()), Attempt: one.GetAttempt()}
	}
	t.results = handled(ctx, t.function.Handle, rows, func(err error) ItemResult { return ItemResult{Err: err} })
}

// giveBack shortens the leases to the shortest that there is: functions have no release.
func (t *items) giveBack(ctx context.Context) (int, error) {
	held, _, err := t.extend(ctx, time.Second)
	return held, err
}

func (t *items) deliver(ctx context.Context, tell func(EventKind, int)) error {
	in, of := &functionv1.CompleteRequest{FunctionId: t.function.ID, WorkerId: t.worker}, []int(nil)
	var failures []int
	for _, i := range t.marks.left() {
		values, err := layer.NewAttributes(t.results[i].Attributes)
		if err != nil && t.results[i].Err == nil {
			t.results[i].Err = Permanent(err)
		}
		if t.results[i].Err != nil {
			failures = append(failures, i)
			continue
		}
		in.Items = append(in.Items, &functionv1.CompletedItem{Item: t.guard(i), Attributes: values})
		of = append(of, i)
	}
	return errors.Join(t.complete(ctx, in, of, tell), t.fail(ctx, failures, tell))
}

// complete hands in results; where the call is refused as a whole, one by one.
func (t *items) complete(ctx context.Context, in *functionv1.CompleteRequest, of []int, tell func(EventKind, int)) error {
	if len(of) == 0 {
		return nil
	}
	results, err := t.function.Calls.CompleteUDFItems(ctx, in)
	switch {
	case err == nil:
		t.note(of, results, Completed, tell)
		return nil
	case meaningOf(err) != never || ctx.Err() != nil:
		return err
	case len(of) == 1:
		t.results[of[0]] = ItemResult{Err: Permanent(err)}
		return t.fail(ctx, of, tell)
	}
	var all error
	for n, i := range of {
		one := &functionv1.CompleteRequest{FunctionId: in.FunctionId, WorkerId: in.WorkerId, Items: in.Items[n : n+1]}
		all = errors.Join(all, t.complete(ctx, one, []int{i}, tell))
	}
	return all
}

func (t *items) fail(ctx context.Context, failures []int, tell func(EventKind, int)) error {
	for kind, event := range map[functionv1.FailureKind]EventKind{
		functionv1.FailureKind_FAILURE_KIND_TRANSIENT: FailedTransient,
		functionv1.FailureKind_FAILURE_KIND_PERMANENT: FailedPermanent,
	} {
		in, of := &functionv1.FailRequest{FunctionId: t.function.ID, WorkerId: t.worker}, []int(nil)
		for _, i := range failures {
			if err := t.results[i].Err; IsPermanent(err) == (event == FailedPermanent) {
				in.Items = append(in.Items, &functionv1.FailedItem{Item: t.guard(i), Kind: kind, Message: messageOf(err)})
				of = append(of, i)
			}
		}
		if len(of) == 0 {
			continue
		}
		results, err := t.function.Calls.FailUDFItems(ctx, in)
		if err != nil {
			return err
		}
		t.note(of, results, event, tell)
	}
	return nil
}

// note takes items off that are done, refused by the origin, or somebody else's by now.
func (t *items) note(of []int, results []*functionv1.ItemResult, kind EventKind, tell func(EventKind, int)) {
	counts := map[EventKind]int{}
	for n, result := range results {
		t.marks.set(of[n])
		switch result.GetStatus() {
		case functionv1.ItemStatus_ITEM_STATUS_DONE:
			counts[kind]++
		case functionv1.ItemStatus_ITEM_STATUS_REFUSED:
			counts[FailedPermanent]++
		default:
			counts[Lost]++
		}
	}
	for kind, count := range counts {
		tell(kind, count)
	}
}
