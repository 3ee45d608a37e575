package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/layer-mesh/layer/sdk/go/internal/meshtest"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

const (
	clients    = 16
	namespace  = "/v2/namespaces/chaos"
	schemaOnce = `{"title":"string","mark":"string","value":"int"}`
)

// world is a router with a cache before a stand-in that counts marks.
type world struct {
	t      *testing.T
	origin *meshtest.Marks
	router *meshtest.Program
	relay  *meshtest.Relay
	url    string
	events counter
}

type counter struct {
	mu    sync.Mutex
	kinds map[string]int
}

func (c *counter) add(event transport.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kinds == nil {
		c.kinds = map[string]int{}
	}
	c.kinds[string(event.Kind)+" "+event.Reason]++
}

func newWorld(t *testing.T, throughRelay bool) *world {
	t.Helper()
	meshtest.Need(t)
	w := &world{t: t, origin: meshtest.NewMarks(t, meshtest.StandIn(t).URL(), `mark-\d+-\d+`)}
	w.router = meshtest.Router(t, w.origin.URL, "--cache-addresses", meshtest.DocCache(t).Address())
	w.url = w.router.URL()
	if throughRelay {
		w.relay = meshtest.NewRelay(t, w.router.Address())
		w.url = w.relay.URL()
	}
	return w
}

func (w *world) options() transport.Options {
	return transport.Options{
		LayerURL: w.url, LayerKey: meshtest.Key, DirectURL: w.origin.URL, DirectKey: meshtest.Key, OnEvent: w.events.add,
		ProbeInitial: 50 * time.Millisecond, ProbeMax: 500 * time.Millisecond,
		// Not the default of 250 ms: two cores are shared with whatever else runs, and what is refused needs no timeout.
		ConnectTimeout: 2 * time.Second,
	}
}

// client is one of those that query and write while Layer comes and goes.
type client struct {
	w       *world
	caller  caller
	number  int
	value   int
	marks   map[string]bool // Whether the write was acknowledged.
	calls   atomic.Int64
	slowest time.Duration
	lost    []time.Duration // What calls took that found out that Layer is away.
	unknown int
	missed  int
}

// round writes a row, reads it, fetches it, and now and then makes a write that must not be made twice. Every fourth client
// only reads: writes to a router that stands still wait for it, and reads must not.
func (c *client) round(ctx context.Context) error {
	if c.number%4 == 0 && c.value > 0 {
		return c.read(ctx)
	}
	c.value++
	if _, err := c.timed(ctx, "POST", namespace, map[string]any{
		"upsert_rows": []any{map[string]any{"id": c.number, "value": c.value, "title": "t", "mark": "none"}},
	}); err != nil {
		return err
	}
	if err := c.read(ctx); err != nil {
		return err
	}
	if err := c.fetch(ctx); err != nil {
		return err
	}
	if c.value%4 == 0 {
		return c.patch(ctx)
	}
	return nil
}

func (c *client) timed(ctx context.Context, method, path string, body any) ([]byte, error) {
	known := c.caller.via.Away() != nil
	ctx, perf := transport.WithPerf(ctx)
	begun := time.Now()
	answer, err := c.caller.must(ctx, method, path, body)
	took := time.Since(begun)
	c.slowest = max(c.slowest, took)
	if !known && perf.Perf().Fallback != "" {
		c.lost = append(c.lost, took)
	}
	c.calls.Add(1)
	return answer, err
}

func (c *client) read(ctx context.Context) error {
	answer, err := c.timed(ctx, "POST", namespace+"/query", map[string]any{
		"rank_by": []any{"id", "asc"}, "top_k": 1, "filters": []any{"id", "Eq", c.number}, "include_attributes": []string{"value"},
	})
	if err != nil {
		return err
	}
	var page struct{ Rows []struct{ Value int } }
	if err := json.Unmarshal(answer, &page); err != nil || len(page.Rows) != 1 || page.Rows[0].Value != c.value {
		return fmt.Errorf("a query after the write of %d answered %s", c.value, answer)
	}
	return nil
}

// fetch needs Layer: it may fail, but only as such, and never shows an older row.
func (c *client) fetch(ctx context.Context) error {
	status, answer, err := c.caller.call(ctx, "GET", fmt.Sprintf("%s/documents/%d", namespace, c.number), nil)
	if errors.Is(err, transport.ErrLayerUnavailable) || err == nil && status >= 500 {
		c.missed++
		return nil
	}
	var document struct{ Attributes struct{ Value int } }
	if err != nil || json.Unmarshal(answer, &document) != nil || document.Attributes.Value != c.value {
		return fmt.Errorf("a fetch after the write of %d answered %d %s %v", c.value, status, answer, err)
	}
	return nil
}

func (c *client) patch(ctx context.Context) error {
	mark := fmt.Sprintf("mark-%d-%d", c.number, c.value)
	_, err := c.caller.via.RoundTrip(request(ctx, c.caller, map[string]any{
		"patch_by_filter": map[string]any{"filters": []any{"id", "Eq", c.number}, "patch": map[string]any{"mark": mark}},
	}))
	c.calls.Add(1)
	if errors.Is(err, transport.ErrOutcomeUnknown) {
		c.unknown++
		err = nil
	} else if err == nil {
		c.marks[mark] = true
	}
	if _, known := c.marks[mark]; !known {
		c.marks[mark] = false
	}
	return err
}

// run lets all clients work until the disturbance is over.
func (w *world) run(disturb func()) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	done := make(chan struct{})
	all := make([]*client, clients)
	failures := make(chan error, clients)
	var running sync.WaitGroup
	shared := []caller{newCaller(w.t, w.options()), newCaller(w.t, w.options()), newCaller(w.t, w.options()), newCaller(w.t, w.options())}
	w.prepare(ctx, shared[0])
	for n := range all {
		all[n] = &client{w: w, caller: shared[n%len(shared)], number: n + 1, marks: map[string]bool{}}
		running.Go(func() { failures <- all[n].until(ctx, done) })
	}
	disturb()
	for _, one := range shared {
		meshtest.Until(w.t, "Layer is back", 60*time.Second, func() bool { return one.via.Away() == nil })
	}
	close(done)
	running.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			w.t.Error(err)
		}
	}
	w.check(all)
}

func (w *world) prepare(ctx context.Context, by caller) {
	w.t.Helper()
	if _, err := by.must(ctx, "POST", namespace, map[string]any{
		"upsert_rows": []any{map[string]any{"id": 0, "value": 0, "title": "t", "mark": "none"}}, "schema": json.RawMessage(schemaOnce),
	}); err != nil {
		w.t.Fatal(err)
	}
}

func (c *client) until(ctx context.Context, done <-chan struct{}) error {
	for {
		select {
		case <-done:
			return nil
		default:
		}
		if err := c.round(ctx); err != nil {
			return fmt.Errorf("client %d: %w", c.number, err)
		}
	}
}

// check looks at what reached the origin, and that the cache shows what was written last.
func (w *world) check(all []*client) {
	w.t.Helper()
	calls, unknown, missed, doubled, slowest := int64(0), 0, 0, 0, time.Duration(0)
	lost := []time.Duration{0}
	for _, one := range all {
		lost = append(lost, one.lost...)
		calls, unknown, missed, slowest = calls+one.calls.Load(), unknown+one.unknown, missed+one.missed, max(slowest, one.slowest)
		for mark, acknowledged := range one.marks {
			count := w.origin.Count(mark)
			if count > 1 {
				doubled++
				w.t.Errorf("%s reached the origin %d times", mark, count)
			}
			if acknowledged && count != 1 {
				w.t.Errorf("%s was acknowledged and reached the origin %d times", mark, count)
			}
		}
		if err := one.fetch(context.Background()); err != nil {
			w.t.Errorf("client %d at the end: %v", one.number, err)
		}
	}
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	slices.Sort(lost)
	w.t.Logf("%d calls; %d writes of unknown outcome, %d doubled; %d fetches while Layer was away; %d calls found that it was and took %v (median), %v at the most; the slowest of all took %v; events %v",
		calls, unknown, doubled, missed, len(lost)-1, lost[len(lost)/2].Round(time.Millisecond/10), lost[len(lost)-1].Round(time.Millisecond),
		slowest.Round(time.Millisecond), w.events.kinds)
	if w.events.kinds["opened "+transport.ReasonNotSent]+w.events.kinds["opened "+transport.ReasonBroken]+w.events.kinds["opened "+transport.ReasonHung] == 0 {
		w.t.Error("Layer was never taken for away: this has tested nothing")
	}
}

// rounds is how often each disturbance is made: seconds in `make test`, minutes in `make soak`.
func rounds() int {
	if seconds, err := strconv.Atoi(os.Getenv("LAYER_FAULT_SECONDS")); err == nil && os.Getenv("LAYER_SOAK") != "" {
		return max(2, seconds/8)
	}
	return 2
}

func TestRouterIsKilled(t *testing.T) {
	w := newWorld(t, false)
	w.run(func() {
		for range rounds() {
			time.Sleep(500 * time.Millisecond)
			w.router.Kill()
			time.Sleep(700 * time.Millisecond)
			w.router.Start()
			w.router.WaitReady()
		}
	})
}

func TestRouterIsPaused(t *testing.T) {
	w := newWorld(t, false)
	w.run(func() {
		for range rounds() {
			time.Sleep(500 * time.Millisecond)
			w.router.Signal(syscall.SIGSTOP)
			time.Sleep(2 * time.Second)
			w.router.Signal(syscall.SIGCONT)
			w.router.WaitReady()
		}
	})
}

func TestRouterIsDrained(t *testing.T) {
	w := newWorld(t, false)
	w.run(func() {
		for range rounds() {
			time.Sleep(500 * time.Millisecond)
			w.router.Drain()
			time.Sleep(300 * time.Millisecond)
			w.router.Start()
			w.router.WaitReady()
		}
	})
}

func TestNetworkSwallowsEverything(t *testing.T) {
	w := newWorld(t, true)
	w.run(func() {
		for range rounds() {
			time.Sleep(500 * time.Millisecond)
			w.relay.Swallow(true)
			time.Sleep(2 * time.Second)
			w.relay.Swallow(false)
			time.Sleep(300 * time.Millisecond)
			w.relay.Cut()
		}
	})
}
