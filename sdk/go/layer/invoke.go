package layer

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/layer-mesh/layer/sdk/go/internal/operation"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

// unary makes a call with one answer. Operations are named as in docs/api/client-fall-through.md.
func unary[In, Out any](ctx context.Context, c *Calls, name string, rpc func(context.Context, *In, ...grpc.CallOption) (*Out, error), in *In) (*Out, error) {
	var out *Out
	err := c.guarded(ctx, name, func(ctx context.Context, options ...grpc.CallOption) (err error) {
		if out, err = rpc(ctx, in, options...); err != nil {
			err = unsendable(in, err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// unsendable answers INVALID_ARGUMENT where a message could never be sent, because of its size or of text that is not UTF-8:
// gRPC answers codes for it that also stand for what passes.
func unsendable(in any, err error) error {
	message, is := in.(proto.Message)
	if code := status.Code(err); !is || ReasonOf(err) != "" || code != codes.Internal && code != codes.ResourceExhausted {
		return err
	}
	if size := proto.Size(message); size > messageMax {
		return status.Errorf(codes.InvalidArgument, "the message has %d bytes, and %d are the most", size, messageMax)
	}
	if _, wrong := proto.Marshal(message); wrong != nil {
		return status.Error(codes.InvalidArgument, wrong.Error())
	}
	return err
}

// guarded makes a call where Layer is not known to be away, and says what became of it.
func (c *Calls) guarded(ctx context.Context, name string, call func(context.Context, ...grpc.CallOption) error) error {
	report, err := c.options.Transport.Begin()
	if err != nil {
		return &transport.LayerUnavailable{Operation: name, Cause: err}
	}
	recorder := transport.RecorderOf(ctx)
	recorder.Start()
	_, bounded := ctx.Deadline()
	if !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.options.Timeout)
		defer cancel()
	}
	begun := time.Now()
	c.reconnect(ctx)
	sent := &atomic.Bool{}
	var header metadata.MD
	err = call(context.WithValue(ctx, sentKey{}, sent), grpc.Header(&header))
	recorder.Finish(first(header.Get("x-layer-cache")), "")
	reason := reasonOf(err, sent.Load(), !bounded)
	if reason == "" {
		reportAnswer(err, bounded && time.Since(begun) >= transport.Patient, report)
		return err
	}
	report(reason, err)
	return c.away(name, reason, err)
}

// away answers the error of a call that Layer has not answered.
func (c *Calls) away(name, reason string, err error) error {
	switch {
	case !c.options.Transport.Falls():
		return err
	case reason != transport.ReasonNotSent && operation.Writes(name):
		return &transport.OutcomeUnknown{Operation: name, Cause: err}
	default:
		return &transport.LayerUnavailable{Operation: name, Cause: err}
	}
}

// reportAnswer reports what the caller gets as it is: an answer, an error of Layer's own, or that the caller's time was over,
// which says something about Layer where the caller was patient. Errors of others say nothing.
func reportAnswer(err error, patient bool, report func(string, error)) {
	switch own := ReasonOf(err); {
	case own == "GATEWAY_DRAINING":
		report(transport.ReasonDraining, err)
	case err == nil || own != "":
		report("", nil)
	case status.Code(err) == codes.DeadlineExceeded && patient:
		report(transport.ReasonSilent, err)
	}
}

// reasonOf answers why Layer did not answer; empty where it did, and where the caller had no more time. Its own errors
// carry an ErrorInfo.
func reasonOf(err error, sent, ownTimeout bool) string {
	code := status.Code(err)
	switch {
	case ReasonOf(err) != "":
		return ""
	case code == codes.DeadlineExceeded && ownTimeout:
		return transport.ReasonSilent
	case code != codes.Unavailable:
		return ""
	case sent:
		return transport.ReasonBroken
	default:
		return transport.ReasonNotSent
	}
}

// ReasonOf answers the reason in an error of Layer, such as `PIPELINE_NOT_FOUND` (docs/grpc-errors.md); empty where the
// error is none of Layer's.
func ReasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, is := detail.(*errdetails.ErrorInfo); is && info.GetDomain() == "layer" {
			return info.GetReason()
		}
	}
	return ""
}

// reconnect ends gRPC's wait after a failed attempt to connect: it would fail calls of a Layer that is there again.
func (c *Calls) reconnect(ctx context.Context) {
	if c.conn.GetState() != connectivity.TransientFailure {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, transport.ConnectTimeout)
	defer cancel()
	c.conn.ResetConnectBackoff()
	for state := connectivity.TransientFailure; state == connectivity.TransientFailure || state == connectivity.Connecting; state = c.conn.GetState() {
		if !c.conn.WaitForStateChange(ctx, state) {
			return
		}
		if state == connectivity.Connecting {
			return
		}
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

type sentKey struct{}

// sentStats sees whether anything of a call was written.
type sentStats struct{}

// TagRPC leaves the context as it is.
func (sentStats) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC notes that headers went out.
func (sentStats) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if _, out := event.(*stats.OutHeader); !out {
		return
	}
	if sent, is := ctx.Value(sentKey{}).(*atomic.Bool); is {
		sent.Store(true)
	}
}

// TagConn leaves the context as it is.
func (sentStats) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn notes nothing.
func (sentStats) HandleConn(context.Context, stats.ConnStats) {}
