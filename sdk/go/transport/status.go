package transport

import "context"

// Status is how Layer is, as a client sees it.
type Status struct {
	// Ready says whether Layer said so just now.
	Ready bool
	// TakenForAway says whether calls go past it at present.
	TakenForAway bool
}

// Status asks Layer once how it is, whatever the breaker says; that nobody answers is no error.
func (t *Transport) Status(ctx context.Context) Status {
	return Status{Ready: t.isReady(ctx) == nil, TakenForAway: t.breaker.IsOpen()}
}
