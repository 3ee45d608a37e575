package layer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/layer-mesh/layer/sdk/go/internal/operation"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

// errorMax bounds how much of an error's body is read.
const errorMax = 64 << 10

// HTTPError is an answer over HTTP that is no success.
type HTTPError struct {
	// StatusCode of the answer.
	StatusCode int
	// Code is Layer's word for it, such as `cache_cold` (docs/api.md); the origin has none.
	Code string
	// Message for people.
	Message string
}

// Error says all of it.
func (e *HTTPError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("status %d: %s %s", e.StatusCode, e.Code, e.Message))
}

// http makes a call that gRPC does not have, and reads its JSON answer.
func (c *Calls) http(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	resp, cancel, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer cancel()
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into)
}

// send answers a success; cancel ends the call's deadline once the body was read.
func (c *Calls) send(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Response, context.CancelFunc, error) {
	cancel, caller := context.CancelFunc(func() {}), ctx
	if _, bounded := ctx.Deadline(); !bounded {
		ctx, cancel = context.WithTimeout(ctx, c.options.Timeout)
	}
	target := strings.TrimSuffix(c.options.Transport.BaseURL(), "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		cancel()
		return nil, nil, err
	}
	resp, err := c.options.Transport.RoundTrip(req)
	switch {
	case err == nil && resp.StatusCode >= http.StatusMultipleChoices:
		err = errorOf(resp)
	case errors.Is(err, context.DeadlineExceeded) && caller.Err() == nil && ctx != caller:
		// The time was the client's own, as over gRPC.
		err = c.away(operation.Of(method, path, query.Encode()).Name, transport.ReasonSilent, err)
	}
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return resp, cancel, nil
}

func errorOf(resp *http.Response) error {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, errorMax))
	if err != nil {
		return err
	}
	var envelope struct{ Error, Message string }
	if json.Unmarshal(text, &envelope) != nil {
		return &HTTPError{StatusCode: resp.StatusCode, Message: string(text)}
	}
	if envelope.Message == "" {
		return &HTTPError{StatusCode: resp.StatusCode, Message: envelope.Error}
	}
	return &HTTPError{StatusCode: resp.StatusCode, Code: envelope.Error, Message: envelope.Message}
}
