package transport

import (
	"context"
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
