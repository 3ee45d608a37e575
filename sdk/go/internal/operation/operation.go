// Package operation knows every call of the API: what it is named, what it changes, and whether it can be made of
// Turbopuffer directly.
//
// It exists so that the decision "may this call go past Layer" stands in one place and can be tested against
// sdk/operations.json, the list that all SDKs share. It must never guess: what it does not know, needs Layer.
package operation

import (
	"net/http"
	"strings"
)

// Effect says what a call changes, and so whether it may be made again when its outcome is unknown.
type Effect int

const (
	// Read changes nothing.
	Read Effect = iota
	// IdempotentWrite leaves, done twice, what it leaves done once.
	IdempotentWrite
	// UnrepeatableWrite may do or answer something else the second time.
	UnrepeatableWrite
	// ByBody is a write whose body decides; [Operation.Inspect] turns it into one of the other two.
	ByBody
)

// String is the effect's name in sdk/operations.json.
func (e Effect) String() string {
	return [...]string{"read", "idempotent_write", "unrepeatable_write", "by_body"}[e]
}

// Operation is one call of the API as its method, path and query show it.
type Operation struct {
	// Name of the operation in sdk/operations.json; empty for a call that the list does not have.
	Name string
	// Effect of the call; ByBody until the body was inspected.
	Effect Effect
	// NeedsLayer says that Turbopuffer cannot answer the call.
	NeedsLayer bool
	// Namespace that the call is about; empty where it is about none.
	Namespace string
	// DirectPath is the path to ask Turbopuffer under, still encoded, without a region.
	DirectPath string

	extensions bool
}

// Of finds the operation of a method and an encoded path, such as `/v2/namespaces/n/query`, with its query as it stands
// after the question mark. It is asked for every call, and so allocates nothing for most.
func Of(method, path, rawQuery string) Operation {
	plain := withoutRegion(path)
	var into [segmentsMax]string
	segments := split(plain, into[:0])
	for i := range table {
		if table[i].method == method && table[i].matches(segments) {
			return table[i].operation(plain, segments, rawQuery)
		}
	}
	return unknown(method, path)
}

// segmentsMax is more than any path of the table has.
const segmentsMax = 8

// split answers the segments of a path, as far as there is room for them.
func split(path string, into []string) []string {
	rest, more := strings.TrimPrefix(path, "/"), true
	for more && len(into) < cap(into) {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		into = append(into, segment)
	}
	return into
}

func unknown(method, path string) Operation {
	effect := UnrepeatableWrite
	if method == http.MethodGet || method == http.MethodHead {
		effect = Read
	}
	return Operation{Effect: effect, NeedsLayer: true, DirectPath: path}
}

// withoutRegion takes a segment before the version off a path, as Layer does.
func withoutRegion(path string) string {
	if isVersioned(path) || !strings.HasPrefix(path, "/") {
		return path
	}
	if end := strings.IndexByte(path[1:], '/'); end >= 0 && isVersioned(path[1+end:]) {
		return path[1+end:]
	}
	return path
}

func isVersioned(path string) bool {
	return strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/v2/")
}
