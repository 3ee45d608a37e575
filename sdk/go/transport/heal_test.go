package transport_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

// away makes Layer fail calls, and be unready, until it is brought back with the given behaviour for invalidations.
func away(t *testing.T) (w *world, back func(invalidate http.HandlerFunc)) {
	t.Helper()
	w = newWorld(t, says(503, "no endpoints"))
	w.layer.setReady(false)
	for range 3 {
		_, _ = w.call("POST", query, queryBody)
	}
	if w.transport.Away() == nil {
		t.Fatal("the breaker did not open")
	}
	return w, func(invalidate http.HandlerFunc) {
		w.layer.become(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/invalidate") {
				invalidate(rw, r)
				return
			}
			says(200, `{"namespaces":[{"id":"a"},{"id":"b"}],"next_cursor":null}`, "x-layer-served-by", "origin")(rw, r)
		})
		w.layer.setReady(true)
	}
}

func told(s *server) (all []string) {
	for _, one := range s.asked() {
		if namespace, is := strings.CutSuffix(one.uri, "/invalidate"); is {
			all = append(all, strings.TrimPrefix(namespace, "/v2/namespaces/")+" "+one.body)
		}
	}
	return all
}

var ok = says(200, `{"status":"OK"}`, "x-layer-served-by", "layer")

func TestTellsLayerWhatWasWrittenBeforeItIsUsedAgain(t *testing.T) {
	w, back := away(t)
	for _, body := range []string{upsertBody, `{"deletes":["a\"b",18446744073709551615]}`, upsertBody} {
		got, err := w.call("POST", write, body)
		w.want(got, err, "200 direct")
	}
	if got, err := w.call("POST", "/v2/namespaces/m", onceBody); err != nil || got != "200 direct" {
		t.Fatal(got, err)
	}
	back(ok)
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
	before := len(w.layer.asked())
	_, _ = w.call("POST", query, queryBody)
	all := told(w.layer)
	if len(all) != 2 || len(w.layer.asked()) != before+1 {
		t.Fatalf("Layer was told %q", all)
	}
	for _, one := range all {
		namespace, body, _ := strings.Cut(one, " ")
		if namespace == "m" && body == "{}" {
			continue
		}
		if namespace != "n" || len(body) != len(`{"ids":[1,"a\"b",18446744073709551615]}`) || !strings.Contains(body, `"a\"b"`) || !strings.Contains(body, "18446744073709551615") {
			t.Fatalf("Layer was told %q", one)
		}
	}
}

// As long as Layer does not take what was written, it is not used.
func TestStaysAwayUntilLayerWasTold(t *testing.T) {
	w, back := away(t)
	_, _ = w.call("POST", write, upsertBody)
	for _, refusal := range []http.HandlerFunc{says(503, "x", "x-layer-served-by", "layer"), says(401, "x", "x-layer-served-by", "layer"), says(404, "x"), reset} {
		before := len(told(w.layer))
		back(refusal)
		until(t, "Layer was told twice", func() bool { return len(told(w.layer)) >= before+2 })
		if w.transport.Away() == nil {
			t.Fatal("Layer is used although it did not take what was written")
		}
	}
	back(ok)
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
}

// What Layer will never take must not keep it away for ever.
func TestRefusedNamespacesAreNoHindrance(t *testing.T) {
	w, back := away(t)
	_, _ = w.call("POST", write, upsertBody)
	back(says(422, "x", "x-layer-served-by", "layer"))
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
}

// A write that went past a Layer which was not given up is told before its caller knows of it.
func TestTellsAtOnceWhereLayerIsThere(t *testing.T) {
	w := newWorld(t, nil)
	var mu sync.Mutex
	invalidated := false
	w.layer.become(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/invalidate") {
			mu.Lock()
			invalidated = true
			mu.Unlock()
			ok(rw, r)
			return
		}
		reset(rw, r)
	})
	got, err := w.call("POST", write, upsertBody)
	w.want(got, err, "200 direct")
	mu.Lock()
	defer mu.Unlock()
	if !invalidated || w.transport.Away() != nil {
		t.Fatal("Layer was not told before the write was answered")
	}
}

// A direct write that is still in flight when Layer returns is told before and after.
func TestTellsOfWritesInFlight(t *testing.T) {
	w, back := away(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	w.direct.become(func(rw http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		says(200, "direct")(rw, r)
	})
	done := make(chan string, 1)
	go func() {
		got, err := w.call("POST", write, upsertBody)
		done <- fmt.Sprint(got, err)
	}()
	<-arrived
	back(ok)
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
	if len(told(w.layer)) != 1 {
		t.Fatalf("Layer was told %q before the write ended", told(w.layer))
	}
	close(release)
	if got := <-done; got != "200 direct<nil>" {
		t.Fatal(got)
	}
	if len(told(w.layer)) != 2 {
		t.Fatalf("Layer was told %q", told(w.layer))
	}
}

func TestManyWritesAreStillTold(t *testing.T) {
	w, back := away(t)
	for n := range 1_002 {
		_, _ = w.call("POST", fmt.Sprintf("/v2/namespaces/n%d", n), upsertBody)
	}
	back(ok)
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
	if all := told(w.layer); len(all) != 2 || all[0] != "a {}" || all[1] != "b {}" {
		t.Fatalf("Layer was told of %d namespaces", len(all))
	}
}

// However many namespaces there are, none is left out without a word.
func TestAllPagesOfNamespacesAreTold(t *testing.T) {
	const pages = 1_001
	w, _ := away(t)
	w.transport.RememberEverythingForTest()
	w.layer.become(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/invalidate") {
			ok(rw, r)
			return
		}
		page, next := 0, "null"
		_, _ = fmt.Sscanf(r.URL.Query().Get("cursor"), "page-%d", &page)
		if page+1 < pages {
			next = fmt.Sprintf(`"page-%d"`, page+1)
		}
		origin(fmt.Sprintf(`{"namespaces":[{"id":"n%d"}],"next_cursor":%s}`, page, next))(rw, r)
	})
	w.layer.setReady(true)
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
	all := told(w.layer)
	if len(all) != pages || all[pages-1] != fmt.Sprintf("n%d {}", pages-1) {
		t.Fatalf("Layer was told of %d namespaces", len(all))
	}
}

// A list that never ends does not keep the probe at it for ever, nor does it count as told.
func TestAListThatLeadsToItselfIsUntold(t *testing.T) {
	w, back := away(t)
	w.transport.RememberEverythingForTest()
	w.layer.become(says(200, `{"namespaces":[],"next_cursor":"same"}`, "x-layer-served-by", "origin"))
	w.layer.setReady(true)
	until(t, "it was said that Layer could not be told", func() bool { return w.events.count(transport.EventUntold) >= 2 })
	if w.transport.Away() == nil {
		t.Fatal("Layer is used although it was not told everything")
	}
	back(ok)
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
}

func TestReadsAreNotTold(t *testing.T) {
	w, back := away(t)
	_, _ = w.call("POST", query, queryBody)
	_, _ = w.call("POST", "/v1/namespaces/n/schema", `{}`)
	back(ok)
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
	if all := told(w.layer); len(all) != 0 {
		t.Fatalf("Layer was told %q", all)
	}
}

func TestHedgesReadsOnly(t *testing.T) {
	w := newHedgingWorld(t, hang, func(o *transport.Options) { o.AnswerTimeout = 20 * time.Second })
	// It would be back before anybody looks.
	w.layer.setReady(false)
	begun := time.Now()
	got, err := w.call("POST", query, queryBody)
	w.want(got, err, "200 direct")
	if took := time.Since(begun); took < 400*time.Millisecond {
		t.Fatalf("it waited %v only", took)
	}
	if w.events.count(transport.EventFallback) != 1 || w.events.count(transport.EventHedge) != 1 {
		t.Fatal("the hedge or the fallback was not told of")
	}
	for range 2 {
		got, err = w.call("POST", query, queryBody)
		w.want(got, err, "200 direct")
	}
	if w.transport.Away() == nil {
		t.Fatal("the breaker did not open after three reads without an answer")
	}
}

// A Layer that stands still must not hold up more reads than the budget has hedges.
func TestAllReadsGetAway(t *testing.T) {
	w := newHedgingWorld(t, hang, func(o *transport.Options) { o.ProbeInitial, o.AnswerTimeout = time.Minute, time.Hour })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var all sync.WaitGroup
	failed := make(chan string, 64)
	for range 64 {
		all.Go(func() {
			if got, err := w.callUnder(ctx, "POST", query, queryBody); err != nil || got != "200 direct" {
				failed <- fmt.Sprint(got, err)
			}
		})
	}
	all.Wait()
	close(failed)
	for one := range failed {
		t.Fatal(one)
	}
}

func TestTheFirstAnswerWins(t *testing.T) {
	w := newHedgingWorld(t, nil)
	for n, direct := range []http.HandlerFunc{hang, says(429, "no"), says(401, "no"), says(403, "no"), says(500, "no")} {
		w.lateLayer(origin("late"), direct)
		got, err := w.call("POST", query, queryBody)
		w.want(got, err, "200 late")
		if asked := len(w.direct.asked()); asked != n+1 {
			t.Fatalf("Turbopuffer was asked %d times in %d calls", asked, n+1)
		}
	}
	if w.transport.Away() != nil {
		t.Fatal("a slow answer was taken for absence")
	}
}

// Both fail: what Turbopuffer says is the answer.
func TestTheDirectErrorIsTheAnswer(t *testing.T) {
	w := newHedgingWorld(t, nil)
	w.lateLayer(reset, says(429, "slow down"))
	got, err := w.call("POST", query, queryBody)
	w.want(got, err, "429 slow down")
	if w.events.count(transport.EventHedge) != 1 {
		t.Fatal("no hedge was made")
	}
	w.layer.become(reset)
	w.direct.become(reset)
	if _, err = w.call("POST", query, queryBody); err == nil {
		t.Fatal("no error")
	}
}

// A body in parts arrives whole, whoever lost the race.
func TestTheWinnersBodyArrivesWhole(t *testing.T) {
	part := strings.Repeat("x", 64<<10)
	w := newHedgingWorld(t, nil)
	w.lateLayer(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("x-layer-served-by", "origin")
		for range 8 {
			_, _ = io.WriteString(rw, part)
			rw.(http.Flusher).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	}, hang)
	got, err := w.call("POST", query, queryBody)
	if err != nil || len(got) != len("200 ")+8*len(part) || w.events.count(transport.EventHedge) != 1 {
		t.Fatalf("%d bytes, %v, %d hedges", len(got), err, w.events.count(transport.EventHedge))
	}
}

// A direct write that ends while Layer is being told of others is told too, before Layer is used again.
func TestTellsOfWritesThatEndWhileItTells(t *testing.T) {
	w, back := away(t)
	_, _ = w.call("POST", write, upsertBody)
	var once sync.Once
	back(func(rw http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			if got, err := w.call("POST", "/v2/namespaces/m", upsertBody); err != nil || got != "200 direct" {
				t.Error(got, err)
			}
		})
		ok(rw, r)
	})
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
	if all := told(w.layer); len(all) != 2 || all[1] != `m {"ids":[1]}` {
		t.Fatalf("Layer was told %q", all)
	}
}

// A Layer that is slow, and answers all the same, gets its reads doubled only as far as the budget goes.
func TestASlowLayerDoesNotDoubleTheOriginsLoad(t *testing.T) {
	w := newHedgingWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(1500 * time.Millisecond)
		origin("late")(rw, r)
	})
	w.direct.become(hang)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() { _, _ = w.call("POST", query, queryBody) })
	}
	all.Wait()
	if hedges := w.events.count(transport.EventHedge); hedges == 0 || hedges > 14 {
		t.Fatalf("%d of 40 reads were doubled", hedges)
	}
}

// A query that needs Layer waits for it, however long it takes: Turbopuffer could only refuse it.
func TestWhatNeedsLayerIsNotHedged(t *testing.T) {
	w := newHedgingWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(1200 * time.Millisecond)
		origin("late")(rw, r)
	})
	got, err := w.call("POST", query, hybridBody)
	w.want(got, err, "200 late")
	if len(w.direct.asked()) != 0 {
		t.Fatal("Turbopuffer was asked for what only Layer has")
	}
}

// A client that never stops writing returns to a Layer that takes a while to be told.
func TestReturnsWhileItWrites(t *testing.T) {
	w, back := away(t)
	ctx, stop := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	for n := range 8 {
		writing.Go(func() {
			for id := 0; ctx.Err() == nil; id++ {
				got, err := w.call("POST", write, fmt.Sprintf(`{"deletes":["%d-%d"]}`, n, id))
				if err != nil || got != "200 direct" && w.transport.Away() != nil {
					t.Error(got, err)
				}
			}
		})
	}
	defer writing.Wait()
	defer stop()
	back(func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		ok(rw, r)
	})
	until(t, "Layer is back", func() bool { return w.transport.Away() == nil })
}
