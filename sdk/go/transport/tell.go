package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/layer-mesh/layer/sdk/go/internal/operation"
)

const (
	probeTimeout = time.Second
	// tellTimeout bounds how long a direct write waits for Layer to be told of it, where Layer is there.
	tellTimeout = 2 * time.Second
	// ownTimeout bounds each of the transport's own calls: telling everything may take as many as there are namespaces.
	ownTimeout = 10 * time.Second
	// idsPerCall is how many ids one call may name.
	idsPerCall = 10_000
)

// probe asks whether Layer answers, and tells it what was written past it.
func (t *Transport) probe(ctx context.Context) error {
	if err := t.isReady(ctx); err != nil {
		// A connection over HTTP/2 that hangs looks idle once its calls are over: the next probe must not take it again.
		closeIdle(t.ownBase)
		return err
	}
	return t.tell(ctx)
}

// isReady wants the word of Layer itself: whatever stands before it may answer 200 too.
func (t *Transport) isReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	resp, _, err := t.ownCall(ctx, http.MethodGet, "/ready", "", nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get(headerServedBy) != servedByLayer {
		return &AnswerError{StatusCode: resp.StatusCode}
	}
	return nil
}

// tell tells Layer everything that is remembered. Whoever returns from it knows that what was remembered before is told,
// also where another goroutine has taken it. What could not be told is remembered again.
func (t *Transport) tell(ctx context.Context) error {
	select {
	case t.telling <- struct{}{}:
		defer func() { <-t.telling }()
	case <-ctx.Done():
		return t.untold(ctx.Err())
	}
	writes, everything := t.memory.Take()
	if everything {
		if err := t.tellEverything(ctx); err != nil {
			t.memory.AddEverything()
			return t.untold(err)
		}
	}
	for i, written := range writes {
		if err := t.tellOne(ctx, written); err != nil {
			for _, left := range writes[i:] {
				t.memory.Add(left)
			}
			return t.untold(err)
		}
	}
	return nil
}

func (t *Transport) untold(err error) error {
	t.emit(Event{Kind: EventUntold, Reason: ReasonUntold, Err: err})
	return err
}

func (t *Transport) tellOne(ctx context.Context, written operation.Written) error {
	if written.IDs == nil {
		return t.invalidate(ctx, written.Namespace, nil)
	}
	for ids := range slices.Chunk(written.IDs, idsPerCall) {
		if err := t.invalidate(ctx, written.Namespace, ids); err != nil {
			return err
		}
	}
	return nil
}

// invalidate makes the call. A refusal that will never turn into anything else counts as told: a namespace that Layer
// does not accept is not in its cache either.
func (t *Transport) invalidate(ctx context.Context, namespace string, ids []operation.ID) error {
	resp, _, err := t.ownCall(ctx, http.MethodPost, "/v2/namespaces/"+url.PathEscape(namespace)+"/invalidate", "", invalidation(ids))
	if err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
		if resp.Header.Get(headerServedBy) != "" {
			t.options.Logger.Warn("Layer does not take what was written past it", slog.Int("status", resp.StatusCode))
			return nil
		}
	}
	return fmt.Errorf("layer did not take what was written past it: %w", &AnswerError{StatusCode: resp.StatusCode})
}

func invalidation(ids []operation.ID) []byte {
	if ids == nil {
		return []byte("{}")
	}
	texts := make([]json.RawMessage, len(ids))
	for i, id := range ids {
		texts[i] = json.RawMessage(strconv.FormatUint(id.Number, 10))
		if id.IsText {
			texts[i], _ = json.Marshal(id.Text)
		}
	}
	body, _ := json.Marshal(map[string]any{"ids": texts})
	return body
}

// errNoProgress is the end of a list whose next page is the one that was just read.
var errNoProgress = errors.New("the list of namespaces goes on with the same page")

// tellEverything clears all namespaces that there are, however many: one that was left out would be served as it was, and
// nobody would know. So the number of pages has no bound of its own; each call has, a page that leads to itself is an error,
// and [Transport.Close] ends it. Until it is done Layer stays away, and after an error it begins anew: a million namespaces
// are as many calls, one after the other.
func (t *Transport) tellEverything(ctx context.Context) error {
	query := url.Values{"page_size": {"1000"}}
	for {
		page, err := t.namespaces(ctx, query)
		if err != nil {
			return err
		}
		for _, namespace := range page.Namespaces {
			if err := t.invalidate(ctx, namespace.ID, nil); err != nil {
				return err
			}
		}
		switch page.NextCursor {
		case "":
			return nil
		case query.Get("cursor"):
			return errNoProgress
		}
		query.Set("cursor", page.NextCursor)
	}
}

type namespacePage struct {
	Namespaces []struct {
		ID string `json:"id"`
	} `json:"namespaces"`
	NextCursor string `json:"next_cursor"`
}

func (t *Transport) namespaces(ctx context.Context, query url.Values) (page namespacePage, err error) {
	resp, body, err := t.ownCall(ctx, http.MethodGet, "/v1/namespaces", query.Encode(), nil)
	if err != nil {
		return page, err
	}
	if resp.StatusCode != http.StatusOK {
		return page, &AnswerError{StatusCode: resp.StatusCode}
	}
	return page, json.Unmarshal(body, &page)
}

// ownAnswerMax bounds answers to the transport's own calls.
const ownAnswerMax = 4 << 20

// ownCall makes a call of Layer that no application has made.
func (t *Transport) ownCall(ctx context.Context, method, path, query string, body []byte) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, ownTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, at(t.layerURL, path, query).String(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	t.toLayer(req.Header, 0)
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, ownAnswerMax))
	return resp, content, err
}
