// Apidoc writes the API reference of the Go SDK as Markdown, a page for each package, and an index.
//
// It reads the source alone, with the standard library's go/doc, as `go doc` does: it needs no module that the packages
// import. It fails where an exported name has no documentation, and with -check where a page is not current. It must never
// depend on the time or the machine: the same source gives the same pages.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// module is the module's path, of which the packages are named without it.
const module = "github.com/layer-mesh/layer/sdk/go"

// packages are what applications import, by their directories.
var packages = []string{".", "transport", "layer", "worker"}

func main() {
	check := flag.Bool("check", false, "write nothing, and fail where a page is not current")
	out := flag.String("out", "../../docs/api/sdk-go", "the directory of the pages")
	flag.Parse()
	if err := run(*out, *check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(out string, check bool) error {
	pages, err := pagesOf(".", packages)
	if err != nil {
		return err
	}
	if check {
		return compare(out, pages)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(out, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare names the pages that are missing, stale, or nobody's.
func compare(out string, pages map[string][]byte) error {
	var all error
	for name, text := range pages {
		if current, err := os.ReadFile(filepath.Join(out, name)); err != nil || !bytes.Equal(current, text) {
			all = errors.Join(all, fmt.Errorf("%s is not current: make sdk-go-docs", filepath.Join(out, name)))
		}
	}
	found, _ := filepath.Glob(filepath.Join(out, "*"))
	for _, path := range found {
		if _, known := pages[filepath.Base(path)]; !known {
			all = errors.Join(all, fmt.Errorf("%s is of no package", path))
		}
	}
	return all
}

// pagesOf answers the pages of packages under a root, by their file names.
func pagesOf(root string, directories []string) (map[string][]byte, error) {
	pages, index := map[string][]byte{}, &bytes.Buffer{}
	fmt.Fprint(index, "# The Go SDK: API reference\n\n", generated, "| package | what |\n|---|---|\n")
	var all error
	for _, directory := range directories {
		p, err := load(root, directory)
		if err != nil {
			all = errors.Join(all, err)
			continue
		}
		pages[p.file()] = p.page()
		fmt.Fprintf(index, "| [`%s`](%s) | %s |\n", p.doc.Name, p.file(), p.doc.Synopsis(p.doc.Doc))
	}
	fmt.Fprintf(index, "\nThe messages of Layer's own calls are in [`layerpb`](%s/layerpb), generated from the contract in [`proto`](../../../proto).\n", sources)
	pages["README.md"] = index.Bytes()
	return pages, all
}
