package hedge_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/layer-mesh/layer/sdk/go/internal/hedge"
)

func TestLearnsItsDelay(t *testing.T) {
	h := hedge.New()
	observe := func(latency time.Duration, times int) {
		for range times {
			h.Observe(latency)
		}
	}
	steps := []struct {
		latency time.Duration
		times   int
		want    time.Duration
	}{
		{100 * time.Millisecond, 15, 500 * time.Millisecond},
		{100 * time.Millisecond, 1, 300 * time.Millisecond},
		{time.Millisecond, 272, 50 * time.Millisecond},
		{time.Minute, 256, 2 * time.Second},
	}
	for _, step := range steps {
		observe(step.latency, step.times)
		if got := h.Call(); got != step.want {
			t.Errorf("after %d of %v: %v, want %v", step.times, step.latency, got, step.want)
		}
	}
}

// Few slow answers do not move it; more than one in twenty do.
func TestTakesThe95thPercentile(t *testing.T) {
	h := hedge.New()
	for n := range 256 {
		latency := 100 * time.Millisecond
		if n%32 == 0 {
			latency = time.Minute
		}
		h.Observe(latency)
	}
	if got := h.Call(); got != 300*time.Millisecond {
		t.Fatalf("%v", got)
	}
	for range 32 {
		h.Observe(time.Minute)
	}
	if got := h.Call(); got != 2*time.Second {
		t.Fatalf("%v", got)
	}
}

// However calls and hedges come, there are never more hedges than the burst and a tenth of the calls.
func TestKeepsItsBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, calls, taken := hedge.New(), 0, 0
		for _, isCall := range rapid.SliceOfN(rapid.Bool(), 1, 400).Draw(t, "steps") {
			if isCall {
				h.Call()
				calls++
			} else if h.Take() {
				taken++
			}
			if float64(taken) > 10+float64(calls)/10+1e-9 {
				t.Fatalf("%d hedges after %d calls", taken, calls)
			}
		}
	})
}

func TestBudgetComesBack(t *testing.T) {
	h := hedge.New()
	for range 10 {
		if !h.Take() {
			t.Fatal("the burst is smaller than ten")
		}
	}
	if h.Take() {
		t.Fatal("the burst is larger than ten")
	}
	for range 11 {
		h.Call()
	}
	if !h.Take() {
		t.Fatal("calls earn no hedge")
	}
}
