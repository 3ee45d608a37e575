package layer

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	routerv1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/router/v1"
	typesv1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/types/v1"
)

// Document is a row as a fetch answers it.
type Document struct {
	// ID of the row: a uint64 or a string.
	ID any
	// Attributes by name; see [Plain].
	Attributes map[string]any
}

// FetchOption says how documents are fetched.
type FetchOption func(*fetch)

type fetch struct {
	attributes []string
	strong     bool
	types      map[string]string
}

// WithAttributes wants these attributes only.
func WithAttributes(names ...string) FetchOption {
	return func(f *fetch) { f.attributes = names }
}

// WithStrongConsistency reads from the origin, whatever the cache holds.
func WithStrongConsistency() FetchOption {
	return func(f *fetch) { f.strong = true }
}

// WithAttributeTypes gives the schema's types by name, so that datetimes, UUIDs, bytes and vectors come as such.
func WithAttributeTypes(types map[string]string) FetchOption {
	return func(f *fetch) { f.types = types }
}

func fetchOf(options []FetchOption) (f fetch) {
	for _, option := range options {
		option(&f)
	}
	return f
}

func (f fetch) consistency() *typesv1.Consistency {
	if !f.strong {
		return nil
	}
	return &typesv1.Consistency{Level: typesv1.ConsistencyLevel_CONSISTENCY_LEVEL_STRONG}
}

// NewID answers an id: a string, or an integer that is not negative.
func NewID(id any) (*typesv1.Id, error) {
	if text, is := id.(string); is {
		return &typesv1.Id{Kind: &typesv1.Id_StringValue{StringValue: text}}, nil
	}
	value, is := integer(id)
	if !is || value.GetIntValue() < 0 {
		return nil, fmt.Errorf("an id must be a string or an integer that is not negative, not %v (%T)", id, id)
	}
	return &typesv1.Id{Kind: &typesv1.Id_UintValue{UintValue: value.GetUintValue() + uint64(value.GetIntValue())}}, nil
}

// PlainID answers an id as a uint64 or a string.
func PlainID(id *typesv1.Id) any {
	if kind, is := id.GetKind().(*typesv1.Id_StringValue); is {
		return kind.StringValue
	}
	return id.GetUintValue()
}

func newIDs(ids []any) ([]*typesv1.Id, error) {
	all := make([]*typesv1.Id, len(ids))
	for i, one := range ids {
		id, err := NewID(one)
		if err != nil {
			return nil, fmt.Errorf("ids[%d]: %w", i, err)
		}
		all[i] = id
	}
	return all, nil
}

// FetchDocument answers a row by its id, from the cache or the origin; the error's code is NOT_FOUND where it is not there.
func (c *Calls) FetchDocument(ctx context.Context, namespace string, id any, options ...FetchOption) (*Document, error) {
	one, err := NewID(id)
	if err != nil {
		return nil, err
	}
	f := fetchOf(options)
	out, err := unary(ctx, c, "fetch_document", c.router.Fetch, &routerv1.FetchRequest{
		Namespace: namespace, Id: one, IncludeAttributes: f.attributes, Consistency: f.consistency(), AttributeTypes: f.types,
	})
	if err != nil {
		return nil, err
	}
	return documentOf(out.GetDocument()), nil
}

// FetchDocuments answers rows by their ids, and the ids that have no row, both in the order of the request.
func (c *Calls) FetchDocuments(ctx context.Context, namespace string, ids []any, options ...FetchOption) (documents []*Document, missing []any, err error) {
	wanted, err := newIDs(ids)
	if err != nil {
		return nil, nil, err
	}
	f := fetchOf(options)
	in := &routerv1.BatchFetchRequest{
		Namespace: namespace, Ids: wanted, IncludeAttributes: f.attributes, Consistency: f.consistency(), AttributeTypes: f.types,
	}
	err = c.guarded(ctx, "fetch_documents", func(ctx context.Context, options ...grpc.CallOption) error {
		stream, err := c.router.BatchFetch(ctx, in, options...)
		if err != nil {
			return err
		}
		return each(stream, func(part *routerv1.BatchFetchResponse) {
			for _, document := range part.GetDocuments() {
				documents = append(documents, documentOf(document))
			}
			for _, id := range part.GetMissing() {
				missing = append(missing, PlainID(id))
			}
		})
	})
	return documents, missing, err
}

func documentOf(document *routerv1.Document) *Document {
	return &Document{ID: PlainID(document.GetId()), Attributes: PlainAttributes(document.GetAttributes())}
}

// Invalidate clears what Layer has cached of rows that were written at the origin, past Layer and not by this client, which
// does that for its own writes. Without ids: the whole namespace.
func (c *Calls) Invalidate(ctx context.Context, namespace string, ids ...any) error {
	named, err := newIDs(ids)
	if err != nil {
		return err
	}
	_, err = unary(ctx, c, "invalidate", c.router.Invalidate, &routerv1.InvalidateRequest{Namespace: namespace, Ids: named})
	return err
}
