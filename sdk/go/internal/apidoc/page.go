package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/printer"
	"path"
	"strings"
)

const (
	generated = "<!-- Generated from the source by sdk/go/internal/apidoc: make sdk-go-docs. -->\n\n"
	// sources is where the module is, seen from the pages.
	sources = "../../../sdk/go"
)

func (p *pkg) file() string { return p.doc.Name + ".md" }

// page is a package's page: its own words, its examples, then all that it exports.
func (p *pkg) page() []byte {
	out := &bytes.Buffer{}
	fmt.Fprintf(out, "# Package %s\n\n%s```go\nimport %s%q\n```\n\n", p.doc.Name, generated, p.alias(), p.doc.ImportPath)
	out.Write(p.markdown(p.doc.Doc))
	p.index(out)
	p.examples(out, p.doc.Examples)
	p.values(out, "## Constants", p.doc.Consts)
	p.values(out, "## Variables", p.doc.Vars)
	for _, function := range p.doc.Funcs {
		p.function(out, "##", function)
	}
	for _, one := range p.doc.Types {
		p.section(out, "##", one.Name, "type "+one.Name, one.Decl, one.Doc)
		p.examples(out, one.Examples)
		p.values(out, "", one.Consts)
		p.values(out, "", one.Vars)
		for _, function := range append(one.Funcs, one.Methods...) {
			p.function(out, "###", function)
		}
	}
	return append(bytes.TrimRight(out.Bytes(), "\n"), '\n')
}

// alias is what an import must say where the path does not end in the package's name.
func (p *pkg) alias() string {
	if path.Base(p.doc.ImportPath) == p.doc.Name {
		return ""
	}
	return p.doc.Name + " "
}

func (p *pkg) index(out *bytes.Buffer) {
	fmt.Fprint(out, "\n## Index\n\n")
	for _, function := range p.doc.Funcs {
		fmt.Fprintf(out, "- [`%s`](#%s)\n", signature(p, function), function.Name)
	}
	for _, one := range p.doc.Types {
		fmt.Fprintf(out, "- [`type %s`](#%s)\n", one.Name, one.Name)
		for _, function := range append(one.Funcs, one.Methods...) {
			fmt.Fprintf(out, "  - [`%s`](#%s)\n", signature(p, function), anchor(function))
		}
	}
	fmt.Fprintln(out)
}

func (p *pkg) function(out *bytes.Buffer, level string, function *doc.Func) {
	title := "func " + function.Name
	if function.Recv != "" {
		title = fmt.Sprintf("func (%s) %s", function.Recv, function.Name)
	}
	p.section(out, level, anchor(function), title, function.Decl, function.Doc)
	p.examples(out, function.Examples)
}

func (p *pkg) section(out *bytes.Buffer, level, id, title string, declared ast.Decl, text string) {
	fmt.Fprintf(out, "<a id=%q></a>\n\n%s %s\n\n```go\n%s\n```\n\n", id, level, title, p.source(declared))
	out.Write(p.markdown(text))
	fmt.Fprintln(out)
}

func (p *pkg) values(out *bytes.Buffer, title string, values []*doc.Value) {
	if len(values) > 0 && title != "" {
		fmt.Fprintf(out, "%s\n\n", title)
	}
	for _, value := range values {
		for _, name := range value.Names {
			fmt.Fprintf(out, "<a id=%q></a>", name)
		}
		fmt.Fprintf(out, "\n\n```go\n%s\n```\n\n", p.source(value.Decl))
		out.Write(p.markdown(value.Doc))
		fmt.Fprintln(out)
	}
}

func (p *pkg) examples(out *bytes.Buffer, examples []*doc.Example) {
	for _, one := range examples {
		// The body of the function, without its braces and their tab.
		body := strings.Trim(strings.TrimSuffix(strings.TrimPrefix(p.source(&printer.CommentedNode{Node: one.Code, Comments: one.Comments}), "{"), "}"), "\n")
		fmt.Fprintf(out, "Example%s:\n\n", suffixed(one.Suffix))
		out.Write(p.markdown(one.Doc))
		fmt.Fprintf(out, "\n```go\n%s\n```\n\n", strings.ReplaceAll(strings.TrimPrefix(body, "\t"), "\n\t", "\n"))
	}
}

func suffixed(suffix string) string {
	if suffix == "" {
		return ""
	}
	return " (" + suffix + ")"
}

// markdown turns a comment into Markdown, with links to the pages of this module and to the sources of its messages.
func (p *pkg) markdown(text string) []byte {
	print := p.doc.Printer()
	print.HeadingLevel = 3
	print.HeadingID = func(*comment.Heading) string { return "" }
	print.DocLinkURL = func(link *comment.DocLink) string {
		name := strings.TrimPrefix(link.Recv+"."+link.Name, ".")
		if p.fields[name] {
			name = link.Recv
		}
		inside, ours := strings.CutPrefix(link.ImportPath, module)
		switch {
		case link.ImportPath == "" || link.ImportPath == p.doc.ImportPath:
			return "#" + name
		case ours && strings.HasPrefix(inside, "/layerpb/"):
			return sources + inside
		case ours:
			return path.Base(link.ImportPath) + ".md#" + name
		default:
			return link.DefaultURL("https://pkg.go.dev")
		}
	}
	return []byte(pagesOfDocs.Replace(string(print.Markdown(p.doc.Parser().Parse(text)))))
}

// pagesOfDocs are other pages that comments name.
var pagesOfDocs = strings.NewReplacer(
	"docs/api/client-fall-through.md", "[docs/api/client-fall-through.md](../client-fall-through.md)",
	"docs/grpc-errors.md", "[docs/grpc-errors.md](../../grpc-errors.md)",
	"docs/api.md", "[docs/api.md](../../api.md)",
)

func (p *pkg) source(node any) string {
	out := &bytes.Buffer{}
	// Writing to memory does not fail, and the source was parsed before.
	_ = (&printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 4}).Fprint(out, p.files, node)
	return out.String()
}

func signature(p *pkg, function *doc.Func) string {
	return strings.Join(strings.Fields(p.source(function.Decl)), " ")
}

func anchor(function *doc.Func) string {
	return strings.TrimPrefix(strings.TrimLeft(function.Recv, "*")+"."+function.Name, ".")
}
