package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const documented = `// Package p is for a test; see docs/api.md.
package p

// T is what [T.Field] is in.
type T struct {
	// Field of it.
	Field int
	hidden int
}

// Do does it. See [T.Do].
func (T) Do() {}

func (T) undone() {}
`

func pageFrom(t *testing.T, source string) (string, error) {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "p"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "p", "p.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	pages, err := pagesOf(root, []string{"p"})
	return string(pages["p.md"]), err
}

func TestShowsWhatIsExported(t *testing.T) {
	page, err := pageFrom(t, documented)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Package p", "[docs/api.md](../../api.md)", `<a id="T.Do"></a>`, "func (T) Do()", "[T.Field](#T)", "[T.Do](#T.Do)", "// Field of it."} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in\n%s", want, page)
		}
	}
	if strings.Contains(page, "undone") || strings.Contains(page, "hidden") {
		t.Error("it shows what is not exported")
	}
}

func TestWantsEverythingDocumented(t *testing.T) {
	for _, comment := range []string{"// Package p is for a test; see docs/api.md.\n", "// T is what [T.Field] is in.\n", "\t// Field of it.\n", "// Do does it. See [T.Do].\n"} {
		if _, err := pageFrom(t, strings.Replace(documented, comment, "", 1)); err == nil {
			t.Errorf("without %q there is no error", comment)
		}
	}
}

func TestFindsStalePages(t *testing.T) {
	out := t.TempDir()
	pages := map[string][]byte{"a.md": []byte("a")}
	if compare(out, pages) == nil {
		t.Error("a page that is missing is taken for current")
	}
	if err := os.WriteFile(filepath.Join(out, "a.md"), []byte("a"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := compare(out, pages); err != nil {
		t.Error(err)
	}
	if compare(out, map[string][]byte{"a.md": []byte("b")}) == nil || compare(out, map[string][]byte{}) == nil {
		t.Error("a stale page, or one of no package, is taken for current")
	}
}
