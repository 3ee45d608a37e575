package layer

import (
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	typesv1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/types/v1"
)

// UUID is a UUID as text, told apart from other text.
type UUID string

// NewValue answers the value of an attribute: nil, a bool, a string, an integer or float of any width, a []byte, a
// [time.Time], a [UUID], a slice of one of these, a vector ([]float32), several ([][]float32), a sparse one
// (map[string]float32), or a *typesv1.Value as it is. []float64 is a list of numbers, not a vector.
func NewValue(plain any) (*typesv1.Value, error) {
	if value, is := scalar(plain); is {
		return value, nil
	}
	if value, is := list(plain); is {
		return value, nil
	}
	switch v := plain.(type) {
	case *typesv1.Value:
		return v, nil
	case []float32:
		return &typesv1.Value{Kind: &typesv1.Value_DenseVector{DenseVector: dense(v)}}, nil
	case [][]float32:
		vectors := &typesv1.MultiVector{}
		for _, one := range v {
			vectors.Vectors = append(vectors.Vectors, dense(one))
		}
		return &typesv1.Value{Kind: &typesv1.Value_MultiVector{MultiVector: vectors}}, nil
	case map[string]float32:
		return &typesv1.Value{Kind: &typesv1.Value_SparseVector{SparseVector: &typesv1.SparseVector{Weights: v}}}, nil
	}
	return nil, fmt.Errorf("an attribute cannot be a %T", plain)
}

// NewAttributes answers the values of attributes by name; see [NewValue].
func NewAttributes(plain map[string]any) (map[string]*typesv1.Value, error) {
	values := make(map[string]*typesv1.Value, len(plain))
	for name, one := range plain {
		value, err := NewValue(one)
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", name, err)
		}
		values[name] = value
	}
	return values, nil
}

func dense(elements []float32) *typesv1.DenseVector {
	return &typesv1.DenseVector{Elements: &typesv1.DenseVector_Floats{Floats: &typesv1.Floats{Values: elements}}}
}

func scalar(plain any) (*typesv1.Value, bool) {
	switch v := plain.(type) {
	case nil:
		return &typesv1.Value{Kind: &typesv1.Value_NullValue{NullValue: structpb.NullValue_NULL_VALUE}}, true
	case bool:
		return &typesv1.Value{Kind: &typesv1.Value_BoolValue{BoolValue: v}}, true
	case string:
		return &typesv1.Value{Kind: &typesv1.Value_StringValue{StringValue: v}}, true
	case UUID:
		return &typesv1.Value{Kind: &typesv1.Value_UuidValue{UuidValue: string(v)}}, true
	case []byte:
		return &typesv1.Value{Kind: &typesv1.Value_BytesValue{BytesValue: v}}, true
	case time.Time:
		return &typesv1.Value{Kind: &typesv1.Value_DatetimeValue{DatetimeValue: timestamppb.New(v)}}, true
	case float32:
		return &typesv1.Value{Kind: &typesv1.Value_FloatValue{FloatValue: float64(v)}}, true
	case float64:
		return &typesv1.Value{Kind: &typesv1.Value_FloatValue{FloatValue: v}}, true
	}
	return integer(plain)
}

func integer(plain any) (*typesv1.Value, bool) {
	switch v := plain.(type) {
	case int:
		return signed(int64(v)), true
	case int8:
		return signed(int64(v)), true
	case int16:
		return signed(int64(v)), true
	case int32:
		return signed(int64(v)), true
	case int64:
		return signed(v), true
	case uint:
		return unsigned(uint64(v)), true
	case uint8:
		return unsigned(uint64(v)), true
	case uint16:
		return unsigned(uint64(v)), true
	case uint32:
		return unsigned(uint64(v)), true
	case uint64:
		return unsigned(v), true
	}
	return nil, false
}

func signed(v int64) *typesv1.Value {
	return &typesv1.Value{Kind: &typesv1.Value_IntValue{IntValue: v}}
}

func unsigned(v uint64) *typesv1.Value {
	return &typesv1.Value{Kind: &typesv1.Value_UintValue{UintValue: v}}
}

func list(plain any) (*typesv1.Value, bool) {
	switch v := plain.(type) {
	case []string:
		return &typesv1.Value{Kind: &typesv1.Value_StringArray{StringArray: &typesv1.StringArray{Values: v}}}, true
	case []int:
		wide := make([]int64, len(v))
		for i := range v {
			wide[i] = int64(v[i])
		}
		return list(wide)
	case []int64:
		return &typesv1.Value{Kind: &typesv1.Value_IntArray{IntArray: &typesv1.IntArray{Values: v}}}, true
	case []uint64:
		return &typesv1.Value{Kind: &typesv1.Value_UintArray{UintArray: &typesv1.UintArray{Values: v}}}, true
	case []float64:
		return &typesv1.Value{Kind: &typesv1.Value_FloatArray{FloatArray: &typesv1.FloatArray{Values: v}}}, true
	case []bool:
		return &typesv1.Value{Kind: &typesv1.Value_BoolArray{BoolArray: &typesv1.BoolArray{Values: v}}}, true
	case []time.Time:
		times := &typesv1.DatetimeArray{}
		for _, one := range v {
			times.Values = append(times.Values, timestamppb.New(one))
		}
		return &typesv1.Value{Kind: &typesv1.Value_DatetimeArray{DatetimeArray: times}}, true
	case []UUID:
		uuids := &typesv1.UuidArray{}
		for _, one := range v {
			uuids.Values = append(uuids.Values, string(one))
		}
		return &typesv1.Value{Kind: &typesv1.Value_UuidArray{UuidArray: uuids}}, true
	}
	return nil, false
}

// Plain answers a value in Go's own types: what [NewValue] takes, [json.RawMessage] for a value that the contract has no
// kind for, []byte for a packed vector, and the message itself for highlights.
func Plain(value *typesv1.Value) any {
	switch kind := value.GetKind().(type) {
	case *typesv1.Value_StringValue:
		return kind.StringValue
	case *typesv1.Value_IntValue:
		return kind.IntValue
	case *typesv1.Value_UintValue:
		return kind.UintValue
	case *typesv1.Value_FloatValue:
		return kind.FloatValue
	case *typesv1.Value_BoolValue:
		return kind.BoolValue
	case *typesv1.Value_BytesValue:
		return kind.BytesValue
	case *typesv1.Value_DatetimeValue:
		return kind.DatetimeValue.AsTime()
	case *typesv1.Value_UuidValue:
		return UUID(kind.UuidValue)
	case *typesv1.Value_JsonValue:
		return json.RawMessage(kind.JsonValue)
	default:
		return plainList(value)
	}
}

func plainList(value *typesv1.Value) any {
	switch kind := value.GetKind().(type) {
	case *typesv1.Value_StringArray:
		return kind.StringArray.GetValues()
	case *typesv1.Value_IntArray:
		return kind.IntArray.GetValues()
	case *typesv1.Value_UintArray:
		return kind.UintArray.GetValues()
	case *typesv1.Value_FloatArray:
		return kind.FloatArray.GetValues()
	case *typesv1.Value_BoolArray:
		return kind.BoolArray.GetValues()
	case *typesv1.Value_DatetimeArray:
		times := make([]time.Time, len(kind.DatetimeArray.GetValues()))
		for i, one := range kind.DatetimeArray.GetValues() {
			times[i] = one.AsTime()
		}
		return times
	case *typesv1.Value_UuidArray:
		uuids := make([]UUID, len(kind.UuidArray.GetValues()))
		for i, one := range kind.UuidArray.GetValues() {
			uuids[i] = UUID(one)
		}
		return uuids
	case *typesv1.Value_EmptyArray:
		return []any{}
	default:
		return plainVector(value)
	}
}

func plainVector(value *typesv1.Value) any {
	switch kind := value.GetKind().(type) {
	case *typesv1.Value_DenseVector:
		return plainDense(kind.DenseVector)
	case *typesv1.Value_SparseVector:
		return kind.SparseVector.GetWeights()
	case *typesv1.Value_MultiVector:
		vectors := make([][]float32, len(kind.MultiVector.GetVectors()))
		for i, one := range kind.MultiVector.GetVectors() {
			vectors[i] = one.GetFloats().GetValues()
		}
		return vectors
	case *typesv1.Value_Highlights:
		return kind.Highlights
	default:
		return nil
	}
}

func plainDense(vector *typesv1.DenseVector) any {
	if packed := vector.GetLittleEndian(); packed != nil {
		return packed
	}
	return vector.GetFloats().GetValues()
}

// PlainAttributes answers attributes in Go's own types; see [Plain].
func PlainAttributes(values map[string]*typesv1.Value) map[string]any {
	plain := make(map[string]any, len(values))
	for name, value := range values {
		plain[name] = Plain(value)
	}
	return plain
}
