// Package hedge decides when a read that Layer has not begun to answer is asked of Turbopuffer as well.
//
// A router that stands still accepts connections and answers nothing: no error ever comes. The delay is learned from how
// fast Layer answers, and a budget keeps a Layer that is merely slow from doubling the load of the origin.
package hedge

import (
	"slices"
	"sync"
	"time"
)

const (
	window       = 256
	samplesMin   = 16
	factor       = 3
	delayMin     = 50 * time.Millisecond
	delayMax     = 2 * time.Second
	delayDefault = 500 * time.Millisecond
	budgetRatio  = 0.1
	budgetBurst  = 10
	// refresh is how many samples may pass before the delay is worked out again.
	refresh = 32
)

// Hedge is safe for concurrent use.
type Hedge struct {
	mu      sync.Mutex
	samples [window]time.Duration
	seen    int
	delay   time.Duration
	budget  float64
}

// New makes one that has seen nothing and has its whole budget.
func New() *Hedge { return &Hedge{delay: delayDefault, budget: budgetBurst} }

// Call counts a read towards the budget. It answers how long the read waits for Layer's first byte before Turbopuffer is
// asked too: three times the 95th percentile of the last answers, within bounds.
func (h *Hedge) Call() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.budget = min(h.budget+budgetRatio, budgetBurst)
	return h.delay
}

// Observe takes in how long Layer took to begin its answer.
func (h *Hedge) Observe(latency time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.samples[h.seen%window] = latency
	h.seen++
	if h.seen == samplesMin || h.seen%refresh == 0 {
		h.delay = h.learned()
	}
}

func (h *Hedge) learned() time.Duration {
	samples := h.samples
	known := samples[:min(h.seen, window)]
	slices.Sort(known)
	// The nearest rank: the smallest sample that 95 % are not above.
	p95 := known[(len(known)*95+99)/100-1]
	return min(max(factor*p95, delayMin), delayMax)
}

// Take says whether the budget allows a hedge, and takes it.
func (h *Hedge) Take() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.budget < 1 {
		return false
	}
	h.budget--
	return true
}
