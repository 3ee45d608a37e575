package meshtest

import (
	"fmt"
	"testing"
)

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// StandIn starts the stand-in for Turbopuffer.
func StandIn(t testing.TB) *Program {
	t.Helper()
	port := freePort(t)
	return start(t, "layer", port, "origin", "--data-dir", t.TempDir(), "--listen", local(port))
}

// DocCache starts a document cache in memory.
func DocCache(t testing.TB) *Program {
	t.Helper()
	port := freePort(t)
	return start(t, "doc-cache", port,
		"--listen-address", local(port), "--admin-address", local(port+adminOffset), "--listen-workers", "2",
		"--drain-linger-ms", "100", "--proof-settle-ms", "0")
}

// Router starts a router before an origin; more settings as flags.
func Router(t testing.TB, originURL string, more ...string) *Program {
	t.Helper()
	port := freePort(t)
	return start(t, "query-router", port, append([]string{
		"--listen-address", local(port), "--admin-address", local(port + adminOffset), "--listen-workers", "2",
		"--origin-url", originURL, "--origin-api-key", Key, "--auth-internal-key", internalKey,
		"--drain-linger-ms", "100", "--drain-timeout-ms", "10000",
	}, more...)...)
}

// Mesh starts everything, with the stand-in as the origin.
func Mesh(t testing.TB) *Program {
	t.Helper()
	port := freePort(t)
	return start(t, "layer", port, "up", "--data-dir", t.TempDir(), "--router-address", local(port),
		"--stand-in-address", local(freePort(t)), "--doc-cache-address", local(freePort(t)), "--pipeline-worker-address", local(freePort(t)))
}
