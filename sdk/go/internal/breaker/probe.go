package breaker

import (
	"context"
	"math/rand/v2"
	"time"
)

// probe asks until Layer is back, or until the breaker's owner is closed.
func (b *Breaker) probe(ctx context.Context) {
	defer b.probing.Done()
	wait := b.options.ProbeInitial
	for {
		if !sleep(ctx, jittered(wait)) {
			return
		}
		if b.probeOnce(ctx) {
			return
		}
		wait = min(wait*2, b.options.ProbeMax)
	}
}

// probeOnce asks once, and again at once while a probe succeeded and something came up meanwhile.
func (b *Breaker) probeOnce(ctx context.Context) bool {
	for healing := false; ctx.Err() == nil; healing = true {
		b.heals(healing)
		if b.options.Probe != nil && b.options.Probe(ctx) != nil {
			b.heals(false)
			return false
		}
		if b.shut() {
			return true
		}
	}
	return true
}

func (b *Breaker) heals(healing bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.healing, b.again = healing, false
}

// shut closes the breaker where nothing speaks against it.
func (b *Breaker) shut() bool {
	changed := b.reset()
	b.tell(changed, false, nil)
	return changed
}

func (b *Breaker) reset() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.again || !b.healing && b.options.MayClose != nil && !b.options.MayClose() {
		return false
	}
	b.stop()
	b.open, b.healing, b.failures, b.cause, b.stop = false, false, 0, nil, nil
	b.generation++
	return true
}

// jittered takes up to a fifth off, so that many clients do not ask at the same moment.
func jittered(wait time.Duration) time.Duration {
	return wait - rand.N(wait/5+1)
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
