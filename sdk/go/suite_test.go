package hevlayer_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layer-mesh/layer/sdk/go/internal/meshtest"
)

// liveTest is the official client's own test against a live service.
const liveTest = "TestTurbopufferFullTextSearchSchema"

// carrier is added to a copy of the official client: its default HTTP client then carries calls as this SDK does. The
// client takes the default transport as it is where that is not net/http's own.
const carrier = `package turbopuffer

import (
	"net/http"
	"os"
	"time"

	"github.com/layer-mesh/layer/sdk/go/transport"
)

func init() {
	made, err := transport.New(transport.Options{
		LayerURL: os.Getenv("SUITE_LAYER_URL"), LayerKey: os.Getenv("TURBOPUFFER_API_KEY"),
		DirectURL: os.Getenv("SUITE_DIRECT_URL"), DirectKey: os.Getenv("TURBOPUFFER_API_KEY"),
		ConnectTimeout: 5 * time.Second, // On a slow machine the default takes Layer for away.
	})
	if err != nil {
		panic(err)
	}
	http.DefaultTransport = made.Client().Transport
}
`

// The official client's own live tests pass through Layer, and past it while nobody listens there.
func TestTheOfficialClientsOwnTests(t *testing.T) {
	checkout := os.Getenv("LAYER_GO_SDK_DIR")
	if checkout == "" {
		t.Skip("LAYER_GO_SDK_DIR names no checkout of the official client")
	}
	meshtest.Need(t)
	origin := meshtest.StandIn(t)
	router := meshtest.Router(t, origin.URL())
	suite := copySuite(t, checkout)
	for name, layerURL := range map[string]string{"through Layer": router.URL(), "past Layer": "http://127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			command := exec.Command("go", "test", "-count=1", "-v", "-mod=mod", "-run", "^"+liveTest+"$", ".")
			command.Dir = suite
			command.Env = append(os.Environ(), "GOWORK=off", "TURBOPUFFER_API_KEY="+meshtest.Key,
				// The test names a region, and then the client wants REGION in the address. As the user's name it changes no path.
				"TURBOPUFFER_BASE_URL="+strings.Replace(layerURL, "://", "://REGION@", 1),
				"SUITE_LAYER_URL="+layerURL, "SUITE_DIRECT_URL="+origin.URL())
			output, err := command.CombinedOutput()
			if err != nil || strings.Count(string(output), "--- PASS") < 4 {
				t.Errorf("%v\n%s", err, output)
			}
			if past := strings.Contains(string(output), "Layer is away"); past != (name == "past Layer") {
				t.Errorf("calls went past Layer: %v\n%s", past, output)
			}
		})
	}
}

// copySuite answers a copy of the checkout that uses this module's transport.
func copySuite(t *testing.T, checkout string) string {
	t.Helper()
	suite := filepath.Join(t.TempDir(), "suite")
	here, err := os.Getwd()
	if err == nil {
		err = os.CopyFS(suite, os.DirFS(checkout))
	}
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(suite, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := func(directory, name string) string {
		text, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	write("zz_layer_test.go", carrier)
	const module = "github.com/layer-mesh/layer/sdk/go"
	declared := strings.Replace(read(suite, "go.mod"), "go 1.22", "go 1.25.0", 1)
	write("go.mod", declared+"\nrequire "+module+" v0.0.0\nreplace "+module+" => "+here+"\n")
	write("go.sum", read(suite, "go.sum")+read(here, "go.sum"))
	return suite
}
