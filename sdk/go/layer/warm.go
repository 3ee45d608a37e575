package layer

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// WarmJob reads a namespace into the document cache.
type WarmJob struct {
	// ID of the job.
	ID string `json:"id"`
	// Namespace that is read.
	Namespace string `json:"namespace"`
	// Status is `running`, `completed`, `failed` or `cancelled`.
	Status string `json:"status"`
	// Progress from 0 to 1, by the origin's estimate of its rows.
	Progress float64 `json:"progress"`
	// DocumentsScanned is how many ids the job has gone through.
	DocumentsScanned int64 `json:"documents_scanned"`
	// DocumentsWarmed is how many rows were handed to the cache.
	DocumentsWarmed int64 `json:"documents_warmed"`
	// CreatedAt is when it began.
	CreatedAt time.Time `json:"created_at"`
	// CompletedAt is when it ended; nil while it runs.
	CompletedAt *time.Time `json:"completed_at"`
	// Error says why it failed.
	Error string `json:"error"`
}

// WarmStep is one step of a warm hint.
type WarmStep struct {
	// Enabled says whether the step was wanted.
	Enabled bool `json:"enabled"`
	// Status is `skipped`, `completed`, `started` or `no_snapshot`.
	Status string `json:"status"`
	// Job that was started, or that runs already; only of Documents.
	Job *WarmJob `json:"job"`
}

// WarmHint is what a hint has set off.
type WarmHint struct {
	// Namespace that is warmed.
	Namespace string `json:"namespace"`
	// Turbopuffer is the origin's own hint.
	Turbopuffer WarmStep `json:"turbopuffer"`
	// Documents is the warm job of the document cache.
	Documents WarmStep `json:"documents"`
	// Snapshots are not there yet.
	Snapshots WarmStep `json:"snapshots"`
	// Blobs are not warmed yet.
	Blobs WarmStep `json:"blobs"`
}

// WarmHintOptions say what a hint warms; nil is the router's default.
type WarmHintOptions struct {
	// Turbopuffer sends the hint to the origin; default true.
	Turbopuffer *bool
	// Documents starts a warm job; default true.
	Documents *bool
	// PageSize of the job: 1 to 10,000; 0: 10,000.
	PageSize int
}

func (o WarmHintOptions) query() url.Values {
	query := url.Values{}
	for name, value := range map[string]*bool{"turbopuffer": o.Turbopuffer, "documents": o.Documents} {
		if value != nil {
			query.Set(name, strconv.FormatBool(*value))
		}
	}
	if o.PageSize > 0 {
		query.Set("page_size", strconv.Itoa(o.PageSize))
	}
	if len(query) == 0 {
		// Without any option the call would be the origin's own.
		query.Set("documents", "true")
	}
	return query
}

// HintCacheWarm warms the origin's cache and Layer's.
func (c *Calls) HintCacheWarm(ctx context.Context, namespace string, options WarmHintOptions) (*WarmHint, error) {
	hint := &WarmHint{}
	return hint, c.http(ctx, http.MethodGet, "/v1/namespaces/"+url.PathEscape(namespace)+"/hint_cache_warm", options.query(), nil, hint)
}

// WarmCache starts a job that reads a namespace into the document cache, or answers the one that runs. A pageSize of 0 is
// the router's default.
func (c *Calls) WarmCache(ctx context.Context, namespace string, pageSize int) (*WarmJob, error) {
	query := url.Values{}
	if pageSize > 0 {
		query.Set("page_size", strconv.Itoa(pageSize))
	}
	job := &WarmJob{}
	return job, c.http(ctx, http.MethodPost, namespacePath(namespace)+"/warm", query, nil, job)
}

// ListWarmJobs answers the last 50 jobs of a namespace.
func (c *Calls) ListWarmJobs(ctx context.Context, namespace string) ([]*WarmJob, error) {
	var page struct {
		WarmJobs []*WarmJob `json:"warm_jobs"`
	}
	err := c.http(ctx, http.MethodGet, namespacePath(namespace)+"/warm-jobs", nil, nil, &page)
	return page.WarmJobs, err
}

// GetWarmJob answers one job.
func (c *Calls) GetWarmJob(ctx context.Context, namespace, jobID string) (*WarmJob, error) {
	job := &WarmJob{}
	return job, c.http(ctx, http.MethodGet, namespacePath(namespace)+"/warm-jobs/"+url.PathEscape(jobID), nil, nil, job)
}

// CancelWarmJob ends a job; what was read stays cached.
func (c *Calls) CancelWarmJob(ctx context.Context, namespace, jobID string) (*WarmJob, error) {
	job := &WarmJob{}
	return job, c.http(ctx, http.MethodDelete, namespacePath(namespace)+"/warm-jobs/"+url.PathEscape(jobID), nil, nil, job)
}

func namespacePath(namespace string) string { return "/v2/namespaces/" + url.PathEscape(namespace) }
