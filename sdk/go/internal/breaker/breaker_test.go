package breaker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/layer-mesh/layer/sdk/go/internal/breaker"
)

var errAway = errors.New("away")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Time is the test's own here, so that waits are exact.
func TestProbesWithDoublingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		last := time.Now()
		b := breaker.New(breaker.Options{Probe: func(context.Context) error {
			waits, last = append(waits, time.Since(last)), time.Now()
			if len(waits) == 8 {
				return nil
			}
			return errAway
		}})
		b.Trip(errAway)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if b.IsOpen() || len(waits) != 8 {
			t.Fatalf("after %v it is open: %v", waits, b.IsOpen())
		}
		want := 500 * time.Millisecond
		for _, wait := range waits {
			if wait > want || wait < want*4/5-time.Millisecond {
				t.Errorf("it waited %v, want up to %v", wait, want)
			}
			want = min(want*2, 15*time.Second)
		}
		b.Close()
	})
}

// What comes up while it probes is seen to by one more probe, during which nothing is left to a later one.
func TestAsksOnceMoreWhereSomethingCameUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var leaves []bool
		var b *breaker.Breaker
		b = breaker.New(breaker.Options{
			Probe:    func(context.Context) error { leaves = append(leaves, b.LeavesToProbe()); return nil },
			MayClose: func() bool { return false },
		})
		b.Trip(errAway)
		time.Sleep(time.Second)
		synctest.Wait()
		if b.IsOpen() || b.LeavesToProbe() || len(leaves) != 2 || !leaves[0] || leaves[1] {
			t.Fatalf("it is open: %v; the probes %v", b.IsOpen(), leaves)
		}
	})
}

// What could not be told during the last probe has it probe again.
func TestStaysOpenWhereSomethingWentWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probes := 0
		var b *breaker.Breaker
		b = breaker.New(breaker.Options{
			Probe: func(context.Context) error {
				if probes++; probes <= 3 {
					b.Trip(errAway)
				}
				return nil
			},
			MayClose: func() bool { return false },
		})
		b.Trip(errAway)
		time.Sleep(time.Second)
		synctest.Wait()
		if b.IsOpen() || probes != 4 {
			t.Fatalf("it is open: %v after %d probes", b.IsOpen(), probes)
		}
	})
}

func TestCloseEndsTheProbe(t *testing.T) {
	var probes atomic.Int64
	b := breaker.New(breaker.Options{ProbeInitial: time.Millisecond, ProbeMax: time.Millisecond, Probe: func(ctx context.Context) error {
		probes.Add(1)
		<-ctx.Done()
		return ctx.Err()
	}})
	b.Trip(errAway)
	for probes.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	b.Close()
	b.Close()
	if _, err := b.Allow(); err != errAway {
		t.Fatalf("closing changed what is known: %v", err)
	}
	before := probes.Load()
	b.Trip(errAway)
	if probes.Load() != before {
		t.Fatal("it probes after it was closed")
	}
}

// A call that began before an outage says nothing about the time after it.
func TestOldPassesSayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Options{Probe: func(context.Context) error { return nil }})
		old, _ := b.Allow()
		b.Unreachable(old, errAway)
		time.Sleep(time.Second)
		synctest.Wait()
		if b.IsOpen() {
			t.Fatal("it did not close")
		}
		b.Unreachable(old, errAway)
		if b.IsOpen() {
			t.Fatal("an old call opened it")
		}
		fresh, _ := b.Allow()
		b.Failed(fresh, errAway)
		b.Failed(fresh, errAway)
		b.Answered(old)
		b.Failed(fresh, errAway)
		if !b.IsOpen() {
			t.Fatal("an old call's answer counted")
		}
		b.Close()
	})
}

func TestTellsOfEachTransitionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []bool
		var b *breaker.Breaker
		b = breaker.New(breaker.Options{
			Probe:    func(context.Context) error { return nil },
			OnChange: func(open bool, _ error) { changes = append(changes, open); b.IsOpen() },
		})
		pass, _ := b.Allow()
		for range 10 {
			b.Failed(pass, errAway)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(changes) != 2 || !changes[0] || changes[1] {
			t.Fatalf("%v", changes)
		}
	})
}
