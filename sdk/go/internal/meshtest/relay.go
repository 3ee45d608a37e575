package meshtest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Relay passes TCP connections on, or swallows them.
type Relay struct {
	listener net.Listener
	target   string

	mu       sync.Mutex
	swallow  bool
	changed  chan struct{}
	conns    map[net.Conn]struct{}
	isClosed bool
	running  sync.WaitGroup
}

// NewRelay starts a relay to an address.
func NewRelay(t testing.TB, target string) *Relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{listener: listener, target: target, changed: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	r.running.Add(1)
	go r.accept()
	t.Cleanup(r.close)
	return r
}

// URL is where it is.
func (r *Relay) URL() string { return "http://" + r.listener.Addr().String() }

// Swallow makes it keep connections open and pass nothing on; false passes everything on that came meanwhile.
func (r *Relay) Swallow(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.swallow = on
	close(r.changed)
	r.changed = make(chan struct{})
}

// Cut ends all connections.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.conns {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

func (r *Relay) close() {
	r.mu.Lock()
	r.isClosed = true
	r.mu.Unlock()
	_ = r.listener.Close()
	r.Swallow(false)
	r.Cut()
	r.running.Wait()
}

func (r *Relay) accept() {
	defer r.running.Done()
	for {
		from, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.running.Add(1)
		go r.carry(from)
	}
}

func (r *Relay) carry(from net.Conn) {
	defer r.running.Done()
	defer from.Close()
	to, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer to.Close()
	r.keep(from, to)
	defer r.drop(from, to)
	var both sync.WaitGroup
	both.Go(func() { r.copy(to, from) })
	both.Go(func() { r.copy(from, to) })
	both.Wait()
}

func (r *Relay) keep(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range conns {
		r.conns[conn] = struct{}{}
		if r.isClosed {
			_ = conn.Close()
		}
	}
}

func (r *Relay) drop(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range conns {
		delete(r.conns, conn)
	}
}

func (r *Relay) copy(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		count, err := from.Read(buffer)
		r.wait()
		if count > 0 {
			if _, werr := to.Write(buffer[:count]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			if err != io.EOF {
				_ = from.Close()
			}
			_ = to.(*net.TCPConn).CloseWrite()
			return
		}
	}
}

// wait returns while the relay passes things on.
func (r *Relay) wait() {
	for {
		r.mu.Lock()
		swallow, changed := r.swallow, r.changed
		r.mu.Unlock()
		if !swallow {
			return
		}
		<-changed
	}
}
