package worker

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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

func messageOf(err error) string {
	text := err.Error()
	return text[:min(len(text), messageMax)]
}

// passing says whether a call may succeed later: it may be made again, as all calls of workers but claims can.
func passing(err error) bool {
	if errors.Is(err, transport.ErrLayerUnavailable) || errors.Is(err, transport.ErrOutcomeUnknown) {
		return true
	}
	known, is := status.FromError(err)
	if !is || IsPermanent(err) {
		return false
	}
	switch known.Code() {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Internal, codes.Unknown:
		return true
	default:
		return false
	}
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
