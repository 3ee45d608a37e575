package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// caller calls through a transport as the official client does: it tries answers again that say so, and never errors.
type caller struct{ via *transport.Transport }

func newCaller(t testing.TB, options transport.Options) caller {
	t.Helper()
	made, err := transport.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Close() })
	return caller{made}
}

// call answers the status and body of the last of up to five attempts.
func (c caller) call(ctx context.Context, method, path string, body any) (int, []byte, error) {
	text := []byte{}
	if body != nil {
		text, _ = json.Marshal(body)
	}
	for attempt := 0; ; attempt++ {
		status, answer, err := c.once(ctx, method, path, text)
		retry := err == nil && (status == 429 || status >= 500) && attempt < 5
		if !retry {
			return status, answer, err
		}
		time.Sleep(time.Duration(50<<attempt)*time.Millisecond + rand.N(50*time.Millisecond))
	}
}

func (c caller) once(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	target := strings.TrimSuffix(c.via.BaseURL(), "/") + path
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.via.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// must makes a call that has to succeed.
func (c caller) must(ctx context.Context, method, path string, body any) ([]byte, error) {
	status, answer, err := c.call(ctx, method, path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %d %s", method, path, status, answer)
	}
	return answer, nil
}
