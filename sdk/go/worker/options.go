package worker

import (
	"cmp"
	"crypto/rand"
	"log/slog"
	"os"
	"time"
)

// Options of a worker. Zero values take the defaults.
type Options struct {
	// ID is what operators see; empty: the host's name and something random.
	ID string
	// Concurrency is how many batches are worked on at a time; 0: 1.
	Concurrency int
	// Batch is how many documents or rows a batch has at the most; 0: 32.
	Batch int
	// Lease is how long others leave alone what this worker has claimed, without a heartbeat; 0: 60 s. At least 1 s.
	Lease time.Duration
	// Wait is how long a claim waits for something to do; 0: 2 s. It delays a stop by as much. At most 30 s.
	Wait time.Duration
	// Pause is the wait after a claim that failed, which doubles up to ten times as long; 0: 1 s.
	Pause time.Duration
	// DrainTimeout is how long batches may go on after the worker was told to stop; 0: 30 s. Then they are given back.
	DrainTimeout time.Duration
	// IgnoreSignals leaves SIGTERM and SIGINT to the application; otherwise they stop the worker.
	IgnoreSignals bool
	// UntilIdle ends the worker once claims find nothing and all batches are done.
	UntilIdle bool
	// OnEvent is told of what happens, for counters. It must not block.
	OnEvent func(Event)
	// Logger for failures; nil: [slog.Default].
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.ID == "" {
		host, _ := os.Hostname()
		o.ID = cmp.Or(host, "worker") + "-" + rand.Text()[:8]
	}
	o.Concurrency = cmp.Or(o.Concurrency, 1)
	o.Batch = cmp.Or(o.Batch, 32)
	o.Lease = cmp.Or(o.Lease, time.Minute)
	o.Wait = cmp.Or(o.Wait, 2*time.Second)
	o.Pause = cmp.Or(o.Pause, time.Second)
	o.DrainTimeout = cmp.Or(o.DrainTimeout, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// EventKind says what happened.
type EventKind string

const (
	// Claimed says that a batch was claimed.
	Claimed EventKind = "claimed"
	// Completed says that documents or rows are done.
	Completed EventKind = "completed"
	// FailedTransient says that documents or rows failed and are tried again.
	FailedTransient EventKind = "failed_transient"
	// FailedPermanent says that documents or rows failed for good.
	FailedPermanent EventKind = "failed_permanent"
	// Lost says that somebody else has documents or rows by now.
	Lost EventKind = "lost"
	// Returned says that documents or rows were given back, because the worker stops.
	Returned EventKind = "returned"
	// CallFailed says that a call of Layer failed; it is made again.
	CallFailed EventKind = "call_failed"
)

// Event is for counters. It has no ids and no contents.
type Event struct {
	// Kind of what happened.
	Kind EventKind
	// Count of documents or rows.
	Count int
	// Took is how long the batch has taken by now.
	Took time.Duration
	// Err of a call that failed.
	Err error
}
