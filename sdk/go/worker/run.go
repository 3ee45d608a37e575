package worker

import (
	"context"
	"fmt"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Work is what a worker does: [Pipeline] or [Function].
type Work interface {
	// check answers what is missing.
	check() error
	// claim answers nil where there is nothing to do.
	claim(ctx context.Context, o Options) (batch, error)
	// name for the log.
	name() string
}

// batch is what one claim has answered. Its methods are called by one goroutine, but for heartbeat.
type batch interface {
	size() int
	// heartbeat extends the leases and answers how many are still held, and how many were lost since the last time.
	heartbeat(ctx context.Context) (held, lost int, err error)
	// work runs the handler.
	work(ctx context.Context)
	// deliver hands in what the handler returned; it may be called again after an error.
	deliver(ctx context.Context, tell func(EventKind, int)) error
	// giveBack returns what is held, and answers how many that were.
	giveBack(ctx context.Context) (int, error)
}

// RunWorker claims and works until the context ends, SIGTERM or SIGINT comes, or, where the options say so, nothing is left
// to do. Then it claims no more, lets batches go on for the drain's time, gives back what is not done, and returns nil.
// The error is for what can never work, such as a pipeline that does not exist.
func RunWorker(ctx context.Context, work Work, options Options) error {
	if err := work.check(); err != nil {
		return err
	}
	options = options.withDefaults()
	if options.Lease < time.Second {
		return fmt.Errorf("a lease must last a second or longer, not %v", options.Lease)
	}
	stopping := ctx
	if !options.IgnoreSignals {
		var stop context.CancelFunc
		stopping, stop = signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
		defer stop()
	}
	r := &run{work: work, options: options}
	r.stopping, r.stop = context.WithCancel(stopping)
	defer r.stop()
	// What is under way goes on while the worker drains, also after the caller's context has ended.
	var end context.CancelFunc
	r.alive, end = context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(r.stopping, func() { time.AfterFunc(options.DrainTimeout, end) })()
	var slots sync.WaitGroup
	for range options.Concurrency {
		slots.Go(r.slot)
	}
	slots.Wait()
	if fatal := r.fatal.Load(); fatal != nil {
		return *fatal
	}
	return nil
}

type run struct {
	work     Work
	options  Options
	stopping context.Context // Ended: claim no more.
	stop     context.CancelFunc
	alive    context.Context // Ended: give back what is not done.
	fatal    atomic.Pointer[error]
}

// slot claims one batch after another.
func (r *run) slot() {
	pause := r.options.Pause
	for r.stopping.Err() == nil {
		// Not under stopping: a claim that is broken off may have claimed all the same.
		claimed, err := r.work.claim(r.alive, r.options)
		switch {
		case err != nil && r.alive.Err() != nil:
			// The time to drain was over before the claim. What it may have claimed waits for its lease to end.
		case err != nil && endsWorker(err):
			err = fmt.Errorf("%s cannot be worked on: %w", r.work.name(), err)
			r.fatal.CompareAndSwap(nil, &err)
			r.stop()
		case err != nil:
			r.tell(Event{Kind: CallFailed, Err: err})
			sleep(r.stopping, pause)
			pause = min(pause*2, 10*r.options.Pause)
		case claimed == nil && r.options.UntilIdle:
			// Not for the others: what they work on takes the time that it takes.
			return
		case claimed != nil:
			pause = r.options.Pause
			r.do(claimed)
		}
	}
}

func (r *run) tell(event Event) {
	if event.Err != nil {
		r.options.Logger.Warn("a call of a worker failed", "work", r.work.name(), "error", event.Err)
	}
	if r.options.OnEvent != nil && (event.Count > 0 || event.Err != nil) {
		r.options.OnEvent(event)
	}
}

// do works on a batch under its leases.
func (r *run) do(claimed batch) {
	begun := time.Now()
	tell := func(kind EventKind, count int) { r.tell(Event{Kind: kind, Count: count, Took: time.Since(begun)}) }
	tell(Claimed, claimed.size())
	if r.stopping.Err() != nil {
		r.giveBack(claimed, tell)
		return
	}
	leased, drop := context.WithCancel(r.alive)
	defer drop()
	var beating sync.WaitGroup
	beating.Go(func() { r.beat(leased, drop, claimed, tell) })
	claimed.work(leased)
	if leased.Err() == nil {
		r.deliver(leased, claimed, tell)
	}
	isDraining := r.alive.Err() != nil
	drop()
	beating.Wait()
	if isDraining {
		r.giveBack(claimed, tell)
	}
}

// deliver hands in until it is done, until the leases are gone, or until Layer refuses what is left, which then waits for its
// lease to end.
func (r *run) deliver(ctx context.Context, claimed batch, tell func(EventKind, int)) {
	for pause := r.options.Pause / 10; ctx.Err() == nil; pause = min(pause*2, 5*r.options.Pause) {
		err := claimed.deliver(ctx, tell)
		if err == nil {
			return
		}
		r.tell(Event{Kind: CallFailed, Err: err})
		if meaningOf(err) != away {
			return
		}
		sleep(ctx, pause)
	}
}

// beat extends the leases three times in their span. Once none is held, or none can be, the batch is dropped.
func (r *run) beat(ctx context.Context, drop context.CancelFunc, claimed batch, tell func(EventKind, int)) {
	proven := time.Now()
	for sleep(ctx, r.options.Lease/3) {
		asked := time.Now()
		call, cancel := context.WithTimeout(ctx, r.options.Lease/3)
		held, lost, err := claimed.heartbeat(call)
		cancel()
		tell(Lost, lost)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && held == 0, err != nil && time.Since(proven) >= r.options.Lease:
			tell(Lost, held)
			drop()
			return
		case err != nil:
			r.tell(Event{Kind: CallFailed, Err: err})
		default:
			proven = asked
		}
	}
}

// giveBackTimeout bounds the last call of a batch.
const giveBackTimeout = 10 * time.Second

func (r *run) giveBack(claimed batch, tell func(EventKind, int)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.alive), giveBackTimeout)
	defer cancel()
	count, err := claimed.giveBack(ctx)
	if err != nil {
		r.tell(Event{Kind: CallFailed, Err: err})
		return
	}
	tell(Returned, count)
}

func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
