package operation

import (
	"bytes"
	"encoding/json"
)

// layerMembers are members of a query that only Layer understands.
var layerMembers = []string{"nearest_to_id", "cursor", "as_of", "between", "vector", "include_leg_breakdown"}

// layerRankings are rankings that only Layer understands.
var layerRankings = []string{"HybridText", "Auto"}

// repeatable are the members of a write that may be done twice.
var repeatable = map[string]bool{
	"upsert_rows": true, "upsert_columns": true, "patch_rows": true, "patch_columns": true, "deletes": true,
	"schema": true, "distance_metric": true, "create_namespace": true, "encryption": true, "sharding": true,
	"disable_backpressure": true, "return_affected_ids": true,
}

// ReadsBody says whether the body can change what the operation is, so that callers read it only where it does.
func (o Operation) ReadsBody() bool {
	return o.Effect == ByBody || o.extensions && !o.NeedsLayer
}

// Inspect answers the operation as its body makes it. The body is JSON without content encoding; one that cannot be
// read makes a write unrepeatable, and a query what it is without a body: Turbopuffer refuses it as Layer does.
func (o Operation) Inspect(body []byte) Operation {
	if !o.ReadsBody() {
		return o
	}
	members, err := membersOf(body)
	if o.Effect == ByBody {
		o.Effect = effectOf(members, err)
	}
	if o.extensions && err == nil {
		o.NeedsLayer = o.NeedsLayer || queryNeedsLayer(members)
	}
	return o
}

func membersOf(body []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	return members, nil
}

func effectOf(members map[string]json.RawMessage, err error) Effect {
	if err != nil || members == nil {
		return UnrepeatableWrite
	}
	for name, value := range members {
		if !repeatable[name] && !isNull(value) {
			return UnrepeatableWrite
		}
	}
	return IdempotentWrite
}

func queryNeedsLayer(members map[string]json.RawMessage) bool {
	if legNeedsLayer(members) {
		return true
	}
	var legs []map[string]json.RawMessage
	if json.Unmarshal(members["queries"], &legs) != nil {
		return false
	}
	for _, leg := range legs {
		if legNeedsLayer(leg) {
			return true
		}
	}
	return false
}

func legNeedsLayer(members map[string]json.RawMessage) bool {
	for _, name := range layerMembers {
		if value, there := members[name]; there && !isNull(value) {
			return true
		}
	}
	return rankingNeedsLayer(members["rank_by"])
}

// rankingNeedsLayer looks at the second element, where a ranking's name stands.
func rankingNeedsLayer(ranking json.RawMessage) bool {
	var elements []json.RawMessage
	if json.Unmarshal(ranking, &elements) != nil || len(elements) < 2 {
		return false
	}
	var name string
	if json.Unmarshal(elements[1], &name) != nil {
		return false
	}
	for _, own := range layerRankings {
		if name == own {
			return true
		}
	}
	return false
}

func isNull(value json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(value), []byte("null")) }
