package layer

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
)

// Blob is what was stored.
type Blob struct {
	// Ref names the blob, for an attribute of a row.
	Ref string `json:"ref"`
	// SHA256 of the bytes, in hexadecimal digits.
	SHA256 string `json:"sha256"`
	// Size in bytes.
	Size int64 `json:"size"`
}

// PutBlob stores bytes under their own hash; doing it twice changes nothing. warm also puts them into the cache.
func (c *Calls) PutBlob(ctx context.Context, namespace string, content []byte, warm bool) (*Blob, error) {
	query := url.Values{}
	if warm {
		query.Set("warm", "true")
	}
	resp, cancel, err := c.send(ctx, http.MethodPut, blobsPath(namespace), query, content)
	if err != nil {
		return nil, err
	}
	defer cancel()
	defer resp.Body.Close()
	blob := &Blob{}
	return blob, json.NewDecoder(resp.Body).Decode(blob)
}

// GetBlob answers a blob's bytes.
func (c *Calls) GetBlob(ctx context.Context, namespace, sha256 string) ([]byte, error) {
	resp, cancel, err := c.send(ctx, http.MethodGet, blobsPath(namespace)+"/"+url.PathEscape(sha256), nil, nil)
	if err != nil {
		return nil, err
	}
	defer cancel()
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func blobsPath(namespace string) string {
	return "/v1/namespaces/" + url.PathEscape(namespace) + "/blobs"
}
