package worker

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/layer-mesh/layer/sdk/go/layer"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

type permanent struct{ error }

// Unwrap answers the error itself.
func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error of a handler: no further attempt will help. Other errors are transient.
func Permanent(err error) error { return permanent{err} }

// IsPermanent says whether an error was marked so.
func IsPermanent(err error) bool {
	var marked permanent
	return errors.As(err, &marked)
}

func panicked(cause any) error { return fmt.Errorf("the handler panicked: %v", cause) }

// messageMax is how much of an error's text Layer keeps.
const messageMax = 1024

// messageOf answers text that the contract takes, which is UTF-8 alone.
func messageOf(err error) string {
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), messageMax)], "")
}

// meaning is what an error says about the call.
type meaning int

const (
	// away: Layer, or what it needs, is away or does not let this worker in, and may be back. All calls of workers but claims may
	// be made again.
	away meaning = iota
	// never: what is in the call will not do, however often it is made.
	never
	// gone: the pipeline, the function or the document is not what it was.
	gone
)

// meaningOf follows docs/grpc-errors.md, as the workers that are part of Layer do. What is in doubt is away: it must not make
// dead letters of work that is well done.
func meaningOf(err error) meaning {
	known, is := status.FromError(err)
	switch {
	case errors.Is(err, transport.ErrClosed):
		return gone
	case errors.Is(err, transport.ErrLayerUnavailable) || errors.Is(err, transport.ErrOutcomeUnknown):
		return away
	case !is || IsPermanent(err):
		return never
	}
	reason := layer.ReasonOf(err)
	switch reason {
	case "STALE_VERSION", "DOCUMENT_NOT_FOUND", "PIPELINE_NOT_FOUND", "FUNCTION_NOT_FOUND":
		return gone
	case "ROUTER_REFUSED": // Operators repair the keys.
		return away
	}
	switch known.Code() {
	case codes.InvalidArgument, codes.OutOfRange:
		return never
	case codes.FailedPrecondition, codes.NotFound, codes.AlreadyExists, codes.DataLoss, codes.Unimplemented:
		if reason != "" { // Otherwise it is of something that stands before Layer.
			return never
		}
	}
	return away
}

// endsWorker says whether a claim's error is for whoever runs the worker. A key that is refused is.
func endsWorker(err error) bool {
	code := status.Code(err)
	return meaningOf(err) != away || code == codes.Unauthenticated || code == codes.PermissionDenied
}

// complete answers an error that names what is missing of a work.
func complete(hasCalls bool, id string, hasHandle bool) error {
	switch {
	case !hasCalls:
		return errors.New("work without Calls")
	case id == "":
		return errors.New("work without ID")
	case !hasHandle:
		return errors.New("work without Handle")
	default:
		return nil
	}
}
