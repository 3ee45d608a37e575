package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// request is a write that is made once, whatever becomes of it.
func request(ctx context.Context, by caller, body any) *http.Request {
	text, _ := json.Marshal(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(by.via.BaseURL(), "/")+namespace, bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	return req
}
