package operation

import (
	"bytes"
	"encoding/json"
)

// ID is a document's id as it stands in a request: JSON text of a number or a string, spelled one way.
type ID struct {
	// Number is the id where it is an unsigned integer.
	Number uint64
	// Text is the id where it is a string.
	Text string
	// IsText tells the two apart.
	IsText bool
}

// Written says which documents a write may have changed.
type Written struct {
	// Namespace that was written to; empty where nothing was.
	Namespace string
	// IDs of the documents; nil where it can be any document of the namespace.
	IDs []ID
}

// WrittenBy answers what a call with this body changes among the documents. Calls that change none, such as one of the
// schema alone, answer an empty namespace. Whatever is not understood is taken for the whole namespace.
func (o Operation) WrittenBy(body []byte) Written {
	switch o.Name {
	case "start_copy":
		return Written{Namespace: o.Namespace}
	case "write":
		return writtenRows(o.Namespace, body)
	default:
		return Written{}
	}
}

func writtenRows(namespace string, body []byte) Written {
	members, err := membersOf(body)
	if err != nil || members == nil {
		return Written{Namespace: namespace}
	}
	ids, known := []ID{}, true
	for name, value := range members {
		more, ok := idsOf(name, value)
		ids, known = append(ids, more...), known && ok
	}
	switch {
	case !known:
		return Written{Namespace: namespace}
	case len(ids) == 0:
		return Written{}
	default:
		return Written{Namespace: namespace, IDs: ids}
	}
}

// idsOf answers the ids in one member of a write, and whether these are all that it can change.
func idsOf(member string, value json.RawMessage) ([]ID, bool) {
	if isNull(value) {
		return nil, true
	}
	switch member {
	case "upsert_rows", "patch_rows":
		return idsOfRows(value)
	case "upsert_columns", "patch_columns":
		columns, err := membersOf(value)
		if err != nil {
			return nil, false
		}
		return idsOfList(columns["id"])
	case "deletes":
		return idsOfList(value)
	case "upsert_condition", "patch_condition", "delete_condition":
		return nil, true
	default:
		return nil, repeatable[member]
	}
}

// idsOfRows keeps rows as maps: a struct's field would also take an attribute named `ID`.
func idsOfRows(value json.RawMessage) ([]ID, bool) {
	var rows []map[string]json.RawMessage
	if json.Unmarshal(value, &rows) != nil {
		return nil, false
	}
	raw := make([]json.RawMessage, len(rows))
	for i, row := range rows {
		raw[i] = row["id"]
	}
	return parseIDs(raw)
}

func idsOfList(value json.RawMessage) ([]ID, bool) {
	var raw []json.RawMessage
	if json.Unmarshal(value, &raw) != nil {
		return nil, false
	}
	return parseIDs(raw)
}

func parseIDs(raw []json.RawMessage) ([]ID, bool) {
	ids := make([]ID, len(raw))
	for i := range raw {
		id, ok := parseID(raw[i])
		if !ok {
			return nil, false
		}
		ids[i] = id
	}
	return ids, true
}

func parseID(raw json.RawMessage) (ID, bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '"' {
		id := ID{IsText: true}
		return id, json.Unmarshal(raw, &id.Text) == nil
	}
	var id ID
	return id, len(raw) > 0 && json.Unmarshal(raw, &id.Number) == nil && !isNull(raw)
}
