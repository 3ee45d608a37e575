// Package memory keeps what was written past Layer until Layer was told.
//
// It is bounded: ids first, then whole namespaces, then only that anything may have been written. It never forgets
// without having been told that Layer knows: losing detail makes it clear more, never less.
package memory

import (
	"sync"

	"github.com/layer-mesh/layer/sdk/go/internal/operation"
)

const (
	// IDsMax is how many ids are kept in all.
	IDsMax = 10_000
	// NamespacesMax is how many namespaces are kept.
	NamespacesMax = 1_000
)

// Memory is safe for concurrent use. The zero value is empty.
type Memory struct {
	mu         sync.Mutex
	everything bool
	namespaces map[string]map[operation.ID]struct{}
	ids        int
}

// Add remembers what a write may have changed. An empty namespace is nothing.
func (m *Memory) Add(written operation.Written) {
	if written.Namespace == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(written)
}

func (m *Memory) add(written operation.Written) {
	if m.everything {
		return
	}
	known, there := m.namespaces[written.Namespace]
	switch {
	case !there && len(m.namespaces) >= NamespacesMax:
		m.everything, m.namespaces, m.ids = true, nil, 0
	case there && known == nil: // The whole namespace already.
	case written.IDs == nil:
		m.widen(written.Namespace)
	default:
		m.addIDs(written)
	}
}

func (m *Memory) addIDs(written operation.Written) {
	if m.namespaces == nil {
		m.namespaces = map[string]map[operation.ID]struct{}{}
	}
	known := m.namespaces[written.Namespace]
	if known == nil {
		known = map[operation.ID]struct{}{}
		m.namespaces[written.Namespace] = known
	}
	for _, id := range written.IDs {
		if _, there := known[id]; there {
			continue
		}
		if m.ids >= IDsMax {
			m.widen(written.Namespace)
			return
		}
		known[id] = struct{}{}
		m.ids++
	}
}

// widen keeps a namespace as a whole.
func (m *Memory) widen(namespace string) {
	if m.namespaces == nil {
		m.namespaces = map[string]map[operation.ID]struct{}{}
	}
	m.ids -= len(m.namespaces[namespace])
	m.namespaces[namespace] = nil
}

// Empty says whether there is nothing to tell.
func (m *Memory) Empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.everything && len(m.namespaces) == 0
}

// Take answers what there is to tell and forgets it; who cannot tell it puts it back with [Memory.Add] or
// [Memory.AddEverything].
func (m *Memory) Take() (writes []operation.Written, everything bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for namespace, known := range m.namespaces {
		writes = append(writes, written(namespace, known))
	}
	everything = m.everything
	m.everything, m.namespaces, m.ids = false, nil, 0
	return writes, everything
}

// AddEverything remembers that any namespace may have been written to.
func (m *Memory) AddEverything() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.everything, m.namespaces, m.ids = true, nil, 0
}

func written(namespace string, known map[operation.ID]struct{}) operation.Written {
	one := operation.Written{Namespace: namespace}
	for id := range known {
		one.IDs = append(one.IDs, id)
	}
	return one
}
