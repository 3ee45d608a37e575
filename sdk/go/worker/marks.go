package worker

import "sync"

// marks says which items of a batch are no longer this worker's business: lost, or handed in.
type marks struct {
	mu   sync.Mutex
	gone []bool
}

func newMarks(count int) *marks { return &marks{gone: make([]bool, count)} }

func (m *marks) set(i int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone[i] = true
}

// left answers the items that are still this worker's.
func (m *marks) left() (indices []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, gone := range m.gone {
		if !gone {
			indices = append(indices, i)
		}
	}
	return indices
}
