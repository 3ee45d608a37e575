package transport

import (
	"context"
	"crypto/tls"
	"time"
)

// TripForTest opens the breaker.
func (t *Transport) TripForTest(cause error) { t.breaker.Trip(cause) }

// ProbedForTest asks so many times whether Layer is ready, and answers whether it never was.
func (t *Transport) ProbedForTest(times int) bool {
	for range times {
		if t.isReady(context.Background()) == nil {
			return false
		}
		time.Sleep(5 * time.Millisecond)
	}
	return true
}

// SpendHedgesForTest leaves nothing of the budget for hedges.
func (t *Transport) SpendHedgesForTest() {
	for t.hedge.Take() {
	}
}

// RememberEverythingForTest remembers that any namespace may have been written to.
func (t *Transport) RememberEverythingForTest() { t.memory.AddEverything() }

// TrustForTest has the transport's own carrier to Layer trust a server.
func (t *Transport) TrustForTest(config *tls.Config) { t.ownBase.TLSClientConfig = config }
