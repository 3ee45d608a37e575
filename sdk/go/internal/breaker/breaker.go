// Package breaker remembers whether Layer is away, so that calls made meanwhile lose no time on finding out again.
//
// It opens on failures of calls and closes only by its own probe, never by the success of a call that was under way
// before: what must be done before Layer is used again (telling it what was written past it) is done by the probe. It
// must never leave a goroutine behind: the probe runs while the breaker is open, and ends with [Breaker.Close].
package breaker

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Options of a breaker. Zero values take the defaults of sdk/operations.json.
type Options struct {
	// Failures in a row that open it; 0: 3.
	Failures int
	// ProbeInitial is the wait before the first probe, which doubles with each; 0: 500 ms. A fifth of it is random.
	ProbeInitial time.Duration
	// ProbeMax is the longest wait between probes; 0: 15 s.
	ProbeMax time.Duration
	// Probe asks whether Layer is back, and readies it. It is called by one goroutine at a time.
	Probe func(context.Context) error
	// MayClose is asked under the breaker's lock after the first probe that succeeded: false probes once more, at once, while
	// [Breaker.LeavesToProbe] is false.
	MayClose func() bool
	// OnChange is told of each transition, with the failure that opened it.
	OnChange func(open bool, cause error)
}

// ErrClosed is the cause while the breaker's owner has been closed.
var ErrClosed = errors.New("the client is closed")

// Breaker is safe for concurrent use.
type Breaker struct {
	options Options

	mu         sync.Mutex
	open       bool
	closed     bool
	healing    bool // The last probe before it closes is under way.
	again      bool // Something came up meanwhile that the probe does not know of.
	failures   int
	generation uint64
	cause      error
	stop       context.CancelFunc
	probing    sync.WaitGroup
}

// New makes a breaker that is closed: calls go to Layer.
func New(options Options) *Breaker {
	if options.Failures == 0 {
		options.Failures = 3
	}
	if options.ProbeInitial == 0 {
		options.ProbeInitial = 500 * time.Millisecond
	}
	if options.ProbeMax == 0 {
		options.ProbeMax = 15 * time.Second
	}
	return &Breaker{options: options}
}

// Pass is leave to call Layer. What becomes of the call is reported with it, so that a call which began before an outage
// says nothing about the time after it.
type Pass struct{ generation uint64 }

// Allow answers a pass, or the failure that opened the breaker.
func (b *Breaker) Allow() (Pass, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open {
		return Pass{}, b.cause
	}
	return Pass{generation: b.generation}, nil
}

// IsOpen says whether calls go past Layer.
func (b *Breaker) IsOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// LeavesToProbe says whether what is done now will be seen by a probe before the breaker closes. It is false while the
// breaker is closed, and during the last probe: otherwise a client that never stops writing past Layer would never return to it.
func (b *Breaker) LeavesToProbe() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open && !b.healing
}

// Doubtful says whether a failure was counted that no answer of Layer has made up for.
func (b *Breaker) Doubtful() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open || b.failures > 0
}

// Answered reports an answer of Layer.
func (b *Breaker) Answered(pass Pass) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if pass.generation == b.generation && !b.open {
		b.failures = 0
	}
}

// Failed reports a failure that counts; so many in a row open the breaker.
func (b *Breaker) Failed(pass Pass, cause error) {
	b.report(pass, cause, 1)
}

// Unreachable reports that nobody listens, which opens the breaker at once.
func (b *Breaker) Unreachable(pass Pass, cause error) {
	b.report(pass, cause, b.options.Failures)
}

// Trip opens the breaker whatever was reported before; where it is open, it does not close before another probe.
func (b *Breaker) Trip(cause error) {
	b.mu.Lock()
	changed := b.trip(cause)
	b.mu.Unlock()
	b.tell(changed, true, cause)
}

func (b *Breaker) report(pass Pass, cause error, weight int) {
	b.mu.Lock()
	changed := b.count(pass, cause, weight)
	b.mu.Unlock()
	b.tell(changed, true, cause)
}

func (b *Breaker) count(pass Pass, cause error, weight int) bool {
	if pass.generation != b.generation || b.open {
		return false
	}
	b.failures += weight
	return b.failures >= b.options.Failures && b.trip(cause)
}

func (b *Breaker) trip(cause error) bool {
	b.again = true
	if b.open || b.closed {
		return false
	}
	b.open, b.cause = true, cause
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	b.probing.Add(1)
	go b.probe(ctx)
	return true
}

// tell is never called under the lock, so that whoever is told may use the breaker.
func (b *Breaker) tell(changed, open bool, cause error) {
	if changed && b.options.OnChange != nil {
		b.options.OnChange(open, cause)
	}
}

// Close ends the probe and waits until it has ended. The breaker stays as it is.
func (b *Breaker) Close() {
	b.mu.Lock()
	b.closed = true
	if b.stop != nil {
		b.stop()
	}
	b.mu.Unlock()
	b.probing.Wait()
}
