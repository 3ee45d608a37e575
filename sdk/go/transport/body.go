package transport

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// bufferedMax is how much of a body without GetBody is kept so that it can be sent again.
	bufferedMax = 64 << 10
	// inspectedMax is how much of a body is read to know what it is about; larger ones are taken for the whole namespace.
	inspectedMax = 16 << 20
)

var errTooLong = errors.New("the body is longer than its Content-Length")

var errDetached = errors.New("the body belongs to another attempt")

// body gives each attempt a reader of its own.
//
// net/http may still read a request's body after RoundTrip has returned, and the official client's GetBody may hand out
// one shared reader; so an attempt is detached from its reader before the next one gets a reader.
type body struct {
	none     bool
	content  []byte // All of it, where it is known.
	reopen   func() (io.ReadCloser, error)
	once     io.ReadCloser // A stream that can only be read once.
	length   int64
	encoding string
	current  *attached
}

// take takes a request's body over. What is small is kept whole, and so are most reads, because two attempts of them may
// run at a time.
func (b *body) take(req *http.Request, isRead bool) error {
	b.length = req.ContentLength
	if encoding := req.Header["Content-Encoding"]; len(encoding) > 0 {
		b.encoding = encoding[0]
	}
	kept, limit := int64(bufferedMax), int64(bufferedMax)
	if isRead {
		kept = inspectedMax
	}
	if req.GetBody != nil {
		limit = inspectedMax
	}
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		b.none = true
		return nil
	case req.GetBody != nil && req.ContentLength > kept:
		b.reopen = req.GetBody
		return req.Body.Close()
	}
	err := b.buffer(req.Body, limit)
	if b.once != nil && req.GetBody != nil {
		b.once, b.reopen = nil, req.GetBody
		return req.Body.Close()
	}
	return err
}

func (b *body) buffer(from io.ReadCloser, limit int64) error {
	head, err := readUpTo(from, b.length, limit)
	if err != nil {
		_ = from.Close()
		return err
	}
	if int64(len(head)) <= limit {
		b.content, b.length = head, int64(len(head))
		return from.Close()
	}
	if b.length == 0 {
		b.length = -1 // A body of which nobody said how long it is.
	}
	b.once = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), from), from}
	return nil
}

// readUpTo reads all, or one byte more than the limit. Where the length is said beforehand it takes one allocation.
func readUpTo(from io.Reader, length, limit int64) ([]byte, error) {
	if length <= 0 || length > limit {
		return io.ReadAll(io.LimitReader(from, limit+1))
	}
	content := make([]byte, length+1)
	count, err := io.ReadFull(from, content)
	switch {
	case err == nil:
		return nil, errTooLong
	case errors.Is(err, io.ErrUnexpectedEOF) && int64(count) == length:
		return content[:count], nil
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	default:
		return nil, err
	}
}

// canRace says whether two attempts can have the body at a time.
func (b *body) canRace() bool { return b.none || b.content != nil }

// open answers a reader for the next attempt, and takes the one before it its own away.
func (b *body) open() (io.ReadCloser, error) {
	switch {
	case b.none:
		return http.NoBody, nil
	case b.content != nil:
		return io.NopCloser(bytes.NewReader(b.content)), nil
	case b.reopen != nil:
		b.current.detach()
		fresh, err := b.reopen()
		if err != nil {
			return nil, err
		}
		b.current = &attached{from: fresh}
		return b.current, nil
	}
	if b.current != nil && (b.current.touched.Load() || !b.current.detach()) {
		return nil, errNoReplay
	}
	b.current = &attached{from: b.once, keepOpen: true}
	return b.current, nil
}

// inspect answers the content without its encoding; nil where it cannot be known, or is too large to be looked at.
func (b *body) inspect() []byte {
	if b.none {
		return nil
	}
	content := b.content
	if content == nil && b.reopen != nil && b.length <= inspectedMax {
		content = b.reread()
	}
	if strings.EqualFold(b.encoding, "gzip") {
		return unzipped(content)
	}
	return content
}

func (b *body) reread() []byte {
	from, err := b.open()
	if err != nil {
		return nil
	}
	defer from.Close()
	content, err := io.ReadAll(io.LimitReader(from, inspectedMax+1))
	if err != nil || len(content) > inspectedMax {
		return nil
	}
	return content
}

func unzipped(content []byte) []byte {
	unzip, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil
	}
	plain, err := io.ReadAll(io.LimitReader(unzip, inspectedMax+1))
	if err != nil || len(plain) > inspectedMax {
		return nil
	}
	return plain
}

// close ends a stream that no attempt will read any more; one that is still being read is closed by its reader.
func (b *body) close() {
	if b.once == nil {
		return
	}
	if b.current == nil {
		_ = b.once.Close()
		return
	}
	b.current.release()
}

// attached is a reader that can be taken away from an attempt.
type attached struct {
	mu       sync.Mutex
	from     io.ReadCloser
	detached bool
	keepOpen bool
	closed   bool
	touched  atomic.Bool
}

// Read reads unless the reader was taken away.
func (a *attached) Read(into []byte) (int, error) {
	a.touched.Store(true)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.detached {
		return 0, errDetached
	}
	return a.from.Read(into)
}

// Close closes the reader, unless it was taken away or may still be needed.
func (a *attached) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.detached || a.keepOpen || a.closed {
		a.closed = true
		return nil
	}
	a.closed = true
	return a.from.Close()
}

// release lets Close close, now where it was called before.
func (a *attached) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keepOpen = false
	if a.closed {
		_ = a.from.Close()
	}
}

// detach answers whether nothing was read. What nobody else will read is closed.
func (a *attached) detach() bool {
	if a == nil {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.detached && !a.keepOpen && !a.closed {
		a.closed = true
		_ = a.from.Close()
	}
	a.detached = true
	return !a.touched.Load()
}
