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

func (r *row) operation(path string, segments []string, rawQuery string) Operation {
	found := Operation{
		Name:       r.name,
		Effect:     r.effect,
		NeedsLayer: r.away == fail || r.queryNeedsLayer(rawQuery),
		DirectPath: path,
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

// queryNeedsLayer reads the query as net/url does: what it cannot read is left out.
func (r *row) queryNeedsLayer(rawQuery string) bool {
	if rawQuery == "" || len(r.queryKeys) == 0 && !r.includeLayer {
		return false
	}
	query, _ := url.ParseQuery(rawQuery)
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
	if strings.IndexByte(segment, '%') < 0 {
		return segment
	}
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
}

func at(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }
