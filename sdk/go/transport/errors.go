package transport

import (
	"errors"
	"fmt"
)

var (
	// ErrLayerUnavailable is what every [LayerUnavailable] is, for errors.Is.
	ErrLayerUnavailable = errors.New("layer is unavailable")
	// ErrOutcomeUnknown is what every [OutcomeUnknown] is, for errors.Is.
	ErrOutcomeUnknown = errors.New("the outcome of the write is unknown")
	// ErrClosed is the cause of calls after [Transport.Close].
	ErrClosed = errors.New("the transport is closed")
	// ErrSameAddress is [New]'s error where there is no way past Layer: it would show the Turbopuffer key to Layer.
	ErrSameAddress = errors.New("DirectURL is the address of Layer")
)

// LayerUnavailable says that Layer cannot be reached, and that the call needs it. Nothing waits or tries again.
type LayerUnavailable struct {
	// Operation by its name in docs/api/client-fall-through.md; empty where it is not listed there.
	Operation string
	// Cause is what went wrong at this call, or what opened the breaker before it.
	Cause error
}

// Error says which operation, and why.
func (e *LayerUnavailable) Error() string {
	return fmt.Sprintf("layer is unavailable, which %s needs: %v", named(e.Operation), e.Cause)
}

// Unwrap answers the cause and [ErrLayerUnavailable].
func (e *LayerUnavailable) Unwrap() []error { return []error{ErrLayerUnavailable, e.Cause} }

// OutcomeUnknown says that a write was sent and no answer came: it may have been applied. Neither this transport nor the
// official client repeats it, because it may do something else the second time. Look before you write again.
type OutcomeUnknown struct {
	// Operation by its name in docs/api/client-fall-through.md; empty where it is not listed there.
	Operation string
	// Cause is what went wrong.
	Cause error
}

// Error says which operation, and why.
func (e *OutcomeUnknown) Error() string {
	return fmt.Sprintf("the outcome of %s is unknown, it may have been applied: %v", named(e.Operation), e.Cause)
}

// Unwrap answers the cause and [ErrOutcomeUnknown].
func (e *OutcomeUnknown) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Cause} }

// AnswerError is an answer that stands for Layer's absence: an ingress without routers, a router that drains, or one that
// cannot reach Turbopuffer.
type AnswerError struct {
	// StatusCode of the answer.
	StatusCode int
	// Code is Layer's own word for it; empty where Layer did not answer.
	Code string
}

// Error says what was answered.
func (e *AnswerError) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("status %d, and not from Layer", e.StatusCode)
	}
	return fmt.Sprintf("status %d, %s", e.StatusCode, e.Code)
}

func named(operation string) string {
	if operation == "" {
		return "an unlisted call"
	}
	return operation
}

var (
	errSilent    = errors.New("no answer within the call's timeout")
	errNoReplay  = errors.New("the body cannot be sent again")
	errSuspended = errors.New("no first byte of an answer, while Turbopuffer answered")
)

// ReasonOf answers the reason of a failure, one of the Reason constants; empty where it has none of them.
func ReasonOf(err error) string {
	var known *failure
	var answer *AnswerError
	switch {
	case errors.As(err, &known):
		return known.reason
	case errors.As(err, &answer) && answer.Code != "":
		return answer.Code
	case errors.As(err, &answer):
		return ReasonIngress
	default:
		return ""
	}
}

// failure is an error of which the reason is known.
type failure struct {
	reason string
	error
}

// Unwrap answers the original error.
func (f *failure) Unwrap() error { return f.error }
