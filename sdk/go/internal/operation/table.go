package operation

import (
	"net/url"
	"strings"
)

// row is one operation of the table.
type row struct {
	name, method string
	path         []string
	effect       Effect
	away         away
	directPath   []string
	// extensions says that members of the body may need Layer.
	extensions bool
	// queryKeys are parameters that need Layer, whatever their value.
	queryKeys []string
	// includeLayer says that `include=layer` needs Layer.
	includeLayer bool
}

// away says what becomes of an operation while Layer is away.
type away bool

const (
	direct away = true
	fail   away = false
)

func (r *row) matches(segments []string) bool {
	if len(segments) != len(r.path) {
		return false
	}
	for i, want := range r.path {
		if isVariable(want) {
			if segments[i] == "" {
				return false
			}
		} else if want != segments[i] {
			return false
		}
	}
	return true
}

func (r *row) operation(segments []string, query url.Values) Operation {
	found := Operation{
		Name:       r.name,
		Effect:     r.effect,
		NeedsLayer: r.away == fail || r.queryNeedsLayer(query),
		DirectPath: "/" + strings.Join(segments, "/"),
		extensions: r.extensions,
	}
	if len(segments) > 2 && segments[1] == "namespaces" {
		found.Namespace = decoded(segments[2])
	}
	if r.directPath != nil {
		found.DirectPath = "/" + strings.Join(filled(r.directPath, segments), "/")
	}
	return found
}

func (r *row) queryNeedsLayer(query url.Values) bool {
	for _, key := range r.queryKeys {
		if query.Has(key) {
			return true
		}
	}
	if r.includeLayer {
		for _, value := range query["include"] {
			if value == "layer" {
				return true
			}
		}
	}
	return false
}

// filled puts the variable segments of a path, which stand at the same places, into another pattern.
func filled(pattern, segments []string) []string {
	path := make([]string, len(pattern))
	for i, want := range pattern {
		path[i] = want
		if isVariable(want) {
			path[i] = segments[i]
		}
	}
	return path
}

func isVariable(segment string) bool { return strings.HasPrefix(segment, "{") }

func decoded(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
}

func at(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }
