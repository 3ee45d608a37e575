package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
)

// pkg is a package as its source documents it.
type pkg struct {
	doc   *doc.Package
	files *token.FileSet
	// fields by `Type.Field`; they have no place of their own on the page.
	fields map[string]bool
}

// load reads a package, its examples too, and wants all of it documented.
func load(root, directory string) (*pkg, error) {
	names, err := filepath.Glob(filepath.Join(root, directory, "*.go"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("%s: no source", directory)
	}
	p := &pkg{files: token.NewFileSet(), fields: map[string]bool{}}
	var parsed []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(p.files, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, file)
	}
	if p.doc, err = doc.NewFromFiles(p.files, parsed, path.Join(module, directory)); err != nil {
		return nil, err
	}
	return p, p.undocumented()
}

// undocumented names what is exported and says nothing of itself, and notes fields on the way.
func (p *pkg) undocumented() (all error) {
	missing := func(name, text string) {
		if text == "" {
			all = errors.Join(all, fmt.Errorf("%s: %s is exported and has no documentation", p.doc.ImportPath, name))
		}
	}
	missing("the package", p.doc.Doc)
	for _, function := range p.doc.Funcs {
		missing(function.Name, function.Doc)
	}
	values := append(p.doc.Consts, p.doc.Vars...)
	for _, one := range p.doc.Types {
		missing(one.Name, one.Doc)
		values = append(append(values, one.Consts...), one.Vars...)
		for _, function := range append(one.Funcs, one.Methods...) {
			missing(one.Name+"."+function.Name, function.Doc)
		}
		for _, field := range fieldsOf(one.Decl) {
			p.fields[one.Name+"."+field.Names[0].Name] = true
			missing(one.Name+"."+field.Names[0].Name, field.Doc.Text())
		}
	}
	for _, value := range values {
		for _, spec := range value.Decl.Specs {
			of := spec.(*ast.ValueSpec)
			missing(of.Names[0].Name, value.Doc+of.Doc.Text())
		}
	}
	return all
}

// fieldsOf answers the named fields of a struct; go/doc has taken those off that are not exported.
func fieldsOf(declared *ast.GenDecl) (named []*ast.Field) {
	for _, spec := range declared.Specs {
		structure, is := spec.(*ast.TypeSpec).Type.(*ast.StructType)
		if !is {
			continue
		}
		for _, field := range structure.Fields.List {
			if len(field.Names) > 0 {
				named = append(named, field)
			}
		}
	}
	return named
}
