package meshtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sync"
	"testing"
)

// Marks stands before the origin and counts how often each mark comes by in the body of a write.
type Marks struct {
	*httptest.Server
	mu    sync.Mutex
	seen  map[string]int
	keys  map[string]int
	shape *regexp.Regexp
}

// NewMarks starts it before an origin. A mark is whatever matches the shape.
func NewMarks(t testing.TB, originURL, shape string) *Marks {
	t.Helper()
	target, err := url.Parse(originURL)
	if err != nil {
		t.Fatal(err)
	}
	m := &Marks{seen: map[string]int{}, keys: map[string]int{}, shape: regexp.MustCompile(shape)}
	proxy := httputil.NewSingleHostReverseProxy(target)
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.MaxIdleConnsPerHost = 64
	proxy.Transport = own
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.look(r)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { m.CloseClientConnections(); m.Close(); own.CloseIdleConnections() })
	return m
}

func (m *Marks) look(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys[r.Header.Get("Authorization")]++
	for _, mark := range m.shape.FindAllString(string(body), -1) {
		m.seen[mark]++
	}
}

// Count answers how often a mark came by.
func (m *Marks) Count(mark string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen[mark]
}
