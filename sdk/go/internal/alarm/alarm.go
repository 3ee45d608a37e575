// Package alarm has many alarms share one timer.
//
// Nearly every alarm of this module is stopped long before its time: a call ends in a millisecond, and its bounds are half a
// second and more. A timer of the runtime's for each would wake a thread that sleeps until the next timer, only to learn
// that it may sleep for less, which costs more than all else that the transport does. Here the timer runs while alarms are set, and
// is left alone when one is stopped: it goes off once in the shortest wait, not once in a call.
package alarm

import (
	"sync"
	"time"
)

// Clock has the alarms. Its zero value is ready.
type Clock struct {
	mu    sync.Mutex
	set   []*Alarm
	timer *time.Timer
	// next is when the timer goes off; zero while it does not run.
	next time.Time
}

// Alarm calls a function when its time has come. It belongs to one clock.
type Alarm struct {
	clock *Clock
	fire  func()
	at    time.Time
	// place is where it is among those that are set, from 1 on; 0: it is not set.
	place int
}

// After makes an alarm that calls fire, on a goroutine of its own, after wait.
func (c *Clock) After(wait time.Duration, fire func()) *Alarm {
	a := &Alarm{clock: c, fire: fire}
	a.Reset(wait)
	return a
}

// Reset sets the alarm, set or not, to go off after wait.
func (a *Alarm) Reset(wait time.Duration) {
	c := a.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	a.at = time.Now().Add(wait)
	if a.place == 0 {
		c.set = append(c.set, a)
		a.place = len(c.set)
	}
	if c.next.IsZero() || a.at.Before(c.next) {
		c.run(a.at, wait)
	}
}

// Stop keeps the alarm from going off; false: it is not set, or has gone off.
func (a *Alarm) Stop() bool {
	a.clock.mu.Lock()
	defer a.clock.mu.Unlock()
	if a.place == 0 {
		return false
	}
	a.clock.unset(a)
	return true
}

// run has the timer go off at a time, which is after wait.
func (c *Clock) run(at time.Time, wait time.Duration) {
	c.next = at
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.ring)
		return
	}
	c.timer.Reset(wait)
}

// ring lets those go off whose time has come, and runs on to the next.
func (c *Clock) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	var first *Alarm
	for place := len(c.set); place > 0; place-- {
		// Those behind it have been looked at: one of them takes the place of one that goes off.
		a := c.set[place-1]
		if !a.at.After(now) {
			c.unset(a)
			go a.fire()
		} else if first == nil || a.at.Before(first.at) {
			first = a
		}
	}
	c.next = time.Time{}
	if first != nil {
		c.run(first.at, first.at.Sub(now))
	}
}

// unset takes an alarm out of those that are set.
func (c *Clock) unset(a *Alarm) {
	last := len(c.set)
	moved := c.set[last-1]
	c.set[a.place-1], moved.place = moved, a.place
	c.set[last-1] = nil
	c.set = c.set[:last-1]
	a.place = 0
}
