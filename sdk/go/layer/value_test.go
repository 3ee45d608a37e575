package layer_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/layer-mesh/layer/sdk/go/layer"
)

// What goes in comes out, but for the width of integers and floats, which the contract does not keep.
func TestValuesComeBack(t *testing.T) {
	kinds := []*rapid.Generator[any]{
		rapid.String().AsAny(), rapid.Int64().AsAny(), rapid.Uint64().AsAny(), rapid.Float64().AsAny(), rapid.Bool().AsAny(),
		rapid.SliceOfN(rapid.Byte(), 1, 9).AsAny(), rapid.Map(rapid.String(), func(s string) any { return layer.UUID(s) }),
		rapid.Map(rapid.Int64Range(-1e11, 1e11), func(s int64) any { return time.Unix(s, 5).UTC() }),
		rapid.SliceOfN(rapid.String(), 1, 9).AsAny(), rapid.SliceOfN(rapid.Int64(), 1, 9).AsAny(), rapid.SliceOfN(rapid.Uint64(), 1, 9).AsAny(),
		rapid.SliceOfN(rapid.Float64(), 1, 9).AsAny(), rapid.SliceOfN(rapid.Bool(), 1, 9).AsAny(), rapid.SliceOfN(rapid.Float32(), 1, 9).AsAny(),
		rapid.SliceOfN(rapid.SliceOfN(rapid.Float32(), 2, 2), 1, 9).AsAny(), rapid.MapOfN(rapid.String(), rapid.Float32(), 1, 9).AsAny(),
		rapid.Just[any](nil), rapid.Just[any]([]layer.UUID{"a"}), rapid.Just[any]([]time.Time{time.Unix(1, 0).UTC()}),
	}
	rapid.Check(t, func(t *rapid.T) {
		plain := kinds[rapid.IntRange(0, len(kinds)-1).Draw(t, "kind")].Draw(t, "value")
		value, err := layer.NewValue(plain)
		if err != nil {
			t.Fatal(err)
		}
		if back := layer.Plain(value); !reflect.DeepEqual(back, plain) {
			t.Fatalf("%#v came back as %#v", plain, back)
		}
	})
}

func TestIDs(t *testing.T) {
	for plain, want := range map[any]any{"a": "a", "": "", 7: uint64(7), uint8(7): uint64(7), uint64(1<<64 - 1): uint64(1<<64 - 1), int64(0): uint64(0)} {
		id, err := layer.NewID(plain)
		if err != nil || layer.PlainID(id) != want {
			t.Errorf("%v became %v, %v", plain, layer.PlainID(id), err)
		}
	}
	for _, plain := range []any{-1, 1.5, nil, []byte("a"), true} {
		if _, err := layer.NewID(plain); err == nil {
			t.Errorf("%v (%T) was taken for an id", plain, plain)
		}
	}
}

func TestRefusesWhatIsNoValue(t *testing.T) {
	if _, err := layer.NewAttributes(map[string]any{"x": struct{}{}}); err == nil {
		t.Fatal("a struct was taken")
	}
}
