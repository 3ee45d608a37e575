package hevlayer_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/layer-mesh/layer/sdk/go/internal/meshtest"
)

// The examples of the documentation, against the real mesh, and the first of them without Layer.
func TestExamplesRun(t *testing.T) {
	meshtest.Need(t)
	origin := meshtest.StandIn(t)
	router := meshtest.Router(t, origin.URL())
	for name, value := range map[string]string{
		"LAYER_GATEWAY_URL": router.URL(), "LAYER_GATEWAY_API_KEY": meshtest.Key,
		"TURBOPUFFER_API_KEY": meshtest.Key, "TURBOPUFFER_BASE_URL": origin.URL(),
	} {
		t.Setenv(name, value)
	}
	got := printed(t, Example)
	// The example has the default time to connect, which a slow machine takes for Layer's absence.
	for tries := 1; tries < 3 && strings.Contains(got, "it is away"); tries++ {
		got = printed(t, Example)
	}
	// The second word is true where the machine was so slow that Turbopuffer was asked too.
	if !strings.HasPrefix(got, "7 ") || !strings.HasSuffix(got, "\nblue whale\n") {
		t.Errorf("the first example prints %q", got)
	}
	t.Setenv("LAYER_GATEWAY_URL", meshtest.Mesh(t).URL())
	if got, want := printed(t, Example_worker), "PIPELINE_NOT_FOUND\n"; got != want {
		t.Errorf("the worker's example prints %q, want %q", got, want)
	}
	t.Setenv("LAYER_GATEWAY_URL", "http://127.0.0.1:1")
	if got := printed(t, Example); !strings.HasPrefix(got, "7 true\nfetches by id are Layer's own") {
		t.Errorf("without Layer the first example prints %q", got)
	}
}

func printed(t *testing.T, example func()) string {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	screen := os.Stdout
	os.Stdout = writer
	example()
	os.Stdout = screen
	_ = writer.Close()
	text, _ := io.ReadAll(reader)
	return string(text)
}

// What the README shows is the example that runs.
func TestTheReadmeShowsTheExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "func Example() {\n")
	body, _, _ := strings.Cut(rest, "\n}\n")
	if !strings.Contains(string(readme), body) {
		t.Error("README.md does not show the body of Example as it is in example_test.go")
	}
}
