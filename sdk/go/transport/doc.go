// Package transport is an [http.RoundTripper] for Turbopuffer's official client that survives Layer's absence.
//
// Calls go to Layer. When Layer cannot answer, those that need nothing of Layer go to Turbopuffer directly, with the
// Turbopuffer key, until Layer is back; docs/api/client-fall-through.md lists what becomes of each call. It stands below
// the official client, so that everything of that client (types, retries, options) stays as it is:
//
//	t, err := transport.New(transport.Options{
//		LayerURL: "http://localhost:8080", LayerKey: "...",
//		DirectURL: "https://aws-us-east-1.turbopuffer.com", DirectKey: "...",
//	})
//	client := turbopuffer.NewClient(option.WithHTTPClient(t.Client()), option.WithBaseURL(t.BaseURL()), option.WithAPIKey("-"))
//
// What it must never do: make a call of Layer or of Turbopuffer more than once each, send one's key to the other, ask
// Turbopuffer behind Layer's back after Layer or Turbopuffer has answered, or repeat a write whose outcome is unknown and
// that may do something else the second time. (net/http itself may send a GET again, on another connection, where the first
// was closed while it was idle.)
package transport
