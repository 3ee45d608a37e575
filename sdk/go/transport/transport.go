package transport

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/layer-mesh/layer/sdk/go/internal/alarm"
	"github.com/layer-mesh/layer/sdk/go/internal/breaker"
	"github.com/layer-mesh/layer/sdk/go/internal/hedge"
	"github.com/layer-mesh/layer/sdk/go/internal/memory"
	"github.com/layer-mesh/layer/sdk/go/internal/operation"
)

// Transport carries calls to Layer, and past it while it is away. It is safe for concurrent use; [Transport.Close] frees it.
type Transport struct {
	options             Options
	layerURL, directURL *url.URL
	base, directBase    http.RoundTripper
	ownBase, ownDirect  *http.Transport // nil where the application has its own.
	layerAuth, longest  []string        // Headers' values.
	breaker             *breaker.Breaker
	hedge               *hedge.Hedge
	memory              memory.Memory
	alarms              alarm.Clock
	telling             chan struct{} // Full while somebody tells Layer what it remembers.
	closing             sync.Mutex    // Held while closed is set, and while an attempt is begun beside a call.
	closed              atomic.Bool
	attempts            sync.WaitGroup
	open                context.Context // Over with Close.
	shut                context.CancelFunc
}

// New makes a transport. It connects to nothing yet. The error names the option that is missing or wrong.
func New(options Options) (*Transport, error) {
	layer, direct, err := options.validated()
	if err != nil {
		return nil, err
	}
	options.ConnectTimeout = orDefault(options.ConnectTimeout, ConnectTimeout)
	options.AnswerTimeout = orDefault(options.AnswerTimeout, AnswerTimeout)
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	t := &Transport{options: options, layerURL: layer, directURL: direct, hedge: hedge.New(), telling: make(chan struct{}, 1), longest: milliseconds(options.AnswerTimeout)}
	if options.LayerKey != "" {
		t.layerAuth = []string{bearer(options.LayerKey)}
	}
	t.base, t.directBase = t.bases()
	t.open, t.shut = context.WithCancel(context.Background())
	t.breaker = breaker.New(breaker.Options{
		ProbeInitial: options.ProbeInitial,
		ProbeMax:     options.ProbeMax,
		Probe:        t.probe,
		MayClose:     t.memory.Empty,
		OnChange:     t.changed,
	})
	return t, nil
}

func (t *Transport) bases() (layer, direct http.RoundTripper) {
	layer, direct = t.options.Base, t.options.DirectBase
	if direct == nil {
		direct = layer
	}
	if layer == nil {
		t.ownBase = newBase(t.options.ConnectTimeout)
		layer = t.ownBase
	}
	if direct == nil {
		t.ownDirect = newBase(directConnectTimeout)
		direct = t.ownDirect
	}
	return layer, direct
}

func closeIdle(own *http.Transport) {
	if own != nil {
		own.CloseIdleConnections()
	}
}

func orDefault(value, otherwise time.Duration) time.Duration {
	if value == 0 {
		return otherwise
	}
	return value
}

// BaseURL is Layer's address, for the official client's option of that name.
func (t *Transport) BaseURL() string { return t.layerURL.String() + "/" }

// Falls says whether calls may go past Layer at all: there is a Turbopuffer key, and nobody has switched it off.
func (t *Transport) Falls() bool { return !t.options.NoFallback && t.options.DirectKey != "" }

// Away answers why Layer is taken for away; nil while calls go to it.
func (t *Transport) Away() error {
	_, err := t.breaker.Allow()
	return err
}

// Begin asks for leave to call Layer by another way than HTTP, such as gRPC. The error says why Layer is taken for away; else
// what becomes of the call is to be reported, with one of the Reason constants: empty for an answer of Layer. Without a way
// past Layer there is always leave.
func (t *Transport) Begin() (report func(reason string, cause error), err error) {
	if t.closed.Load() {
		return nil, ErrClosed
	}
	if !t.Falls() {
		return func(string, error) {}, nil
	}
	pass, away := t.breaker.Allow()
	if away != nil {
		return nil, away
	}
	return func(reason string, cause error) {
		t.report(context.Background(), pass, outcome{reason: reason, err: cause, marked: true})
	}, nil
}

// Close ends the probe, the hedges that have no answer yet, and idle connections, and waits until they have ended. Calls that
// are under way go on, with Layer alone; those that are made afterwards fail with [ErrClosed]. What Layer has not been told
// by then is lost to it: entries that were written past it are served until their time to live ends.
func (t *Transport) Close() error {
	t.closing.Lock()
	t.closed.Store(true)
	t.closing.Unlock()
	t.shut()
	t.breaker.Close()
	t.attempts.Wait()
	closeIdle(t.ownBase)
	closeIdle(t.ownDirect)
	return nil
}

// RoundTrip makes the call, at most once of Layer and at most once of Turbopuffer. Its errors are [LayerUnavailable],
// [OutcomeUnknown], [ErrClosed], and the original error of whoever was asked last.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.closed.Load() {
		closeBody(req)
		return nil, ErrClosed
	}
	c, ours := t.route(req)
	if !ours {
		return t.base.RoundTrip(toThird(req))
	}
	recorder := RecorderOf(req.Context())
	if isFirst(req.Header) {
		recorder.Start()
	}
	ctx, span := startSpan(req.Context(), c.op.Name)
	resp, fallback, err := t.roundTrip(ctx, c)
	endSpan(span, resp, fallback, err)
	recorder.finishWith(resp, fallback)
	if err != nil {
		return nil, err
	}
	resp.Request = req
	if recorder != nil {
		resp.Body = &answer{ReadCloser: resp.Body, done: recorder.touch}
	}
	return resp, nil
}

// isFirst says whether a request is not one of the official client's retries.
func isFirst(header http.Header) bool {
	count := header[headerRetryCount]
	return len(count) == 0 || count[0] == "0"
}

// beside runs an attempt beside its call's own goroutine, unless the transport is closed.
func (t *Transport) beside(attempt func()) bool {
	t.closing.Lock()
	defer t.closing.Unlock()
	if t.closed.Load() {
		return false
	}
	t.attempts.Go(attempt)
	return true
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

func (t *Transport) roundTrip(ctx context.Context, c *call) (*http.Response, string, error) {
	if err := c.body.take(c.req, c.op.Effect == operation.Read && t.Falls()); err != nil {
		return nil, "", err
	}
	defer c.body.close()
	if !t.Falls() {
		out := t.askLayerAlone(ctx, c)
		return out.resp, "", out.err
	}
	pass, away := t.breaker.Allow()
	switch {
	case away != nil:
		return t.pastLayer(ctx, c, outcome{reason: ReasonOpen, err: away})
	case c.op.Effect == operation.Read && !c.op.NeedsLayer && !t.options.NoHedge && c.body.canRace():
		return t.race(ctx, c, pass)
	default:
		return t.settle(ctx, c, pass, t.askLayerAlone(ctx, c))
	}
}

// settle takes what became of the attempt at Layer: an answer to pass on, or a failure to go past.
func (t *Transport) settle(ctx context.Context, c *call, pass breaker.Pass, out outcome) (*http.Response, string, error) {
	t.report(ctx, pass, out)
	if out.reason != "" {
		return t.pastLayer(ctx, c, out)
	}
	if out.maybeApplied && c.mustNotRepeat() {
		return nil, "", t.outcomeUnknown(c, out, ReasonMaybeApplied)
	}
	return out.resp, "", out.err
}

// Patient is how long a caller must have waited for its own deadline to say something about Layer.
const Patient = 500 * time.Millisecond

func (t *Transport) report(ctx context.Context, pass breaker.Pass, out outcome) {
	switch {
	case out.reason == ReasonNotSent:
		t.breaker.Unreachable(pass, out.failure())
	case out.reason == ReasonUpstream:
	case out.reason != "":
		t.breaker.Failed(pass, out.failure())
	case out.err == nil && out.marked:
		t.breaker.Answered(pass)
	case out.err != nil && ctx.Err() == context.DeadlineExceeded && out.took >= Patient:
		t.breaker.Failed(pass, &failure{ReasonSilent, errSilent})
	}
}

func (t *Transport) changed(open bool, cause error) {
	if open {
		// Those to Turbopuffer are needed now.
		closeIdle(t.ownBase)
		t.options.Logger.Warn("Layer is away; calls that do not need it go to Turbopuffer directly", slog.Any("cause", cause))
		t.emit(Event{Kind: EventOpened, Reason: ReasonOf(cause), Err: cause})
		return
	}
	t.options.Logger.Warn("Layer is back")
	t.emit(Event{Kind: EventClosed})
}
