package memory_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/layer-mesh/layer/sdk/go/internal/memory"
	"github.com/layer-mesh/layer/sdk/go/internal/operation"
)

// Whatever is added, everything that was added is covered by what is taken, and the bounds hold.
func TestForgetsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m memory.Memory
		var added []operation.Written
		for range rapid.IntRange(0, 40).Draw(t, "writes") {
			written := operation.Written{Namespace: fmt.Sprint("n", rapid.IntRange(0, 1200).Draw(t, "namespace"))}
			if !rapid.Bool().Draw(t, "whole") {
				first := rapid.Uint64Range(0, 5000).Draw(t, "first")
				for id := range rapid.Uint64Range(1, 3000).Draw(t, "count") {
					written.IDs = append(written.IDs, operation.ID{Number: first + id})
				}
			}
			m.Add(written)
			added = append(added, written)
		}
		writes, everything := m.Take()
		ids := 0
		taken := map[string]map[operation.ID]bool{}
		for _, one := range writes {
			taken[one.Namespace] = map[operation.ID]bool{}
			for _, id := range one.IDs {
				taken[one.Namespace][id] = true
				ids++
			}
		}
		if ids > memory.IDsMax || len(writes) > memory.NamespacesMax {
			t.Fatalf("%d ids, %d namespaces", ids, len(writes))
		}
		for _, one := range added {
			known, there := taken[one.Namespace]
			if everything || there && len(known) == 0 {
				continue
			}
			if !there || one.IDs == nil {
				t.Fatalf("%s is forgotten", one.Namespace)
			}
			for _, id := range one.IDs {
				if !known[id] {
					t.Fatalf("%s %v is forgotten", one.Namespace, id)
				}
			}
		}
		if !m.Empty() {
			t.Fatal("it is not empty after all was taken")
		}
	})
}

func TestWidensStepByStep(t *testing.T) {
	var m memory.Memory
	ids := make([]operation.ID, memory.IDsMax)
	for i := range ids {
		ids[i].Number = uint64(i)
	}
	m.Add(operation.Written{Namespace: "a", IDs: ids})
	m.Add(operation.Written{Namespace: "b", IDs: ids[:1]})
	writes, everything := m.Take()
	if everything || len(writes) != 2 {
		t.Fatalf("%d, %v", len(writes), everything)
	}
	for _, one := range writes {
		if want := map[string]int{"a": memory.IDsMax, "b": 0}[one.Namespace]; len(one.IDs) != want {
			t.Errorf("%s: %d ids, want %d", one.Namespace, len(one.IDs), want)
		}
	}
	for n := range memory.NamespacesMax + 1 {
		m.Add(operation.Written{Namespace: fmt.Sprint(n)})
	}
	if writes, everything = m.Take(); !everything || len(writes) != 0 {
		t.Fatalf("%d, %v", len(writes), everything)
	}
	m.Add(operation.Written{})
	if !m.Empty() {
		t.Fatal("a write of nothing is remembered")
	}
}
