package layer_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/layer-mesh/layer/sdk/go/internal/operation"
)

// Each call goes by a name that the list of operations has: by it is decided what may be unknown about its outcome.
func TestCallsAreNamedAsInTheList(t *testing.T) {
	files, _ := filepath.Glob("*.go")
	named, found := regexp.MustCompile(`(?:unary\(ctx, c|guarded\(ctx), "([a-z_]+)"`), 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range named.FindAllSubmatch(text, -1) {
			found++
			if !slices.Contains(operation.Names(), string(match[1])) {
				t.Errorf("%s: %s is not in the list", file, match[1])
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d calls were found", found)
	}
}
