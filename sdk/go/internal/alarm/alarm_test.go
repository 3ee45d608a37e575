package alarm

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// rings is when the timer goes off.
func (c *Clock) rings() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

func TestAlarmsGoOffInTheirTimeWhateverTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock Clock
		var mu sync.Mutex
		begun, fired := time.Now(), map[time.Duration]time.Duration{}
		for _, wait := range []time.Duration{5, 1, 9, 3, 0, 7} {
			clock.After(wait*time.Second, func() {
				mu.Lock()
				defer mu.Unlock()
				fired[wait*time.Second] = time.Since(begun)
			})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(fired) != 6 {
			t.Fatalf("went off: %v", fired)
		}
		for wait, after := range fired {
			if wait != after {
				t.Errorf("one of %v went off after %v", wait, after)
			}
		}
		if !clock.rings().IsZero() {
			t.Errorf("the timer runs for nothing, until %v", clock.rings())
		}
	})
}

func TestAStoppedAlarmIsSilentAndCanBeSetAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock Clock
		rings := make(chan string, 3)
		one := clock.After(time.Second, func() { rings <- "one" })
		clock.After(2*time.Second, func() { rings <- "two" })
		if !one.Stop() || one.Stop() {
			t.Fatal("an alarm is stopped once")
		}
		one.Reset(3 * time.Second)
		one.Reset(4 * time.Second)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(rings) != 2 || <-rings != "two" || <-rings != "one" || one.Stop() {
			t.Fatal("each that is set goes off once, in its time")
		}
	})
}

// The reason for the package: the runtime's timer is set once for many alarms.
func TestAlarmsThatAreStoppedInTimeShareOneTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock Clock
		first := clock.After(time.Second, func() { t.Error("stopped") })
		next := clock.rings()
		first.Stop()
		for range 1000 {
			clock.After(time.Second, func() { t.Error("stopped") }).Stop()
		}
		if clock.rings() != next {
			t.Fatal("the timer was set anew")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

func TestAlarmsAreSetAndStoppedFromEverywhere(t *testing.T) {
	var clock Clock
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for turn := range 500 {
				alarm := clock.After(time.Duration((worker*turn)%3)*time.Millisecond, func() {})
				if turn%2 == 0 {
					alarm.Reset(time.Millisecond)
				}
				alarm.Stop()
			}
		})
	}
	all.Wait()
	if len(clock.set) != 0 {
		t.Fatalf("still set: %d", len(clock.set))
	}
}
