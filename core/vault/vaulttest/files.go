package vaulttest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"sync"

	"hearth/wire"
)

// Files is a home's sealed files in memory: core.Files. The zero value is ready.
type Files struct {
	mu sync.Mutex
	m  map[string][]byte
	// Fail, if not nil, is asked before each write of some bytes to a file that has
	// so many.
	Fail func(have int64) error
}

type openFile struct{ *bytes.Reader }

func (openFile) Close() error { return nil }

type fileWriter struct {
	f    *Files
	name string
}

// Write implements io.Writer.
func (w fileWriter) Write(b []byte) (int, error) {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if w.f.Fail != nil {
		if err := w.f.Fail(int64(len(w.f.m[w.name]))); err != nil {
			return 0, err
		}
	}
	w.f.m[w.name] = append(w.f.m[w.name], b...)
	return len(b), nil
}

// Append implements core.Files.
func (f *Files) Append(_ context.Context, name string, at int64, fill func(io.Writer) error) (int64, error) {
	f.mu.Lock()
	if int64(len(f.m[name])) < at {
		f.mu.Unlock()
		return 0, wire.ErrStale
	}
	if f.m == nil {
		f.m = map[string][]byte{}
	}
	f.m[name] = slices.Clone(f.m[name][:at])
	f.mu.Unlock()
	err := fill(fileWriter{f, name})
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.m[name])), err
}

// Open implements core.Files.
func (f *Files) Open(_ context.Context, name string) (interface {
	io.ReaderAt
	io.Closer
}, int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.m[name]
	if !ok {
		return nil, 0, wire.Errorf(wire.NotFound, "no such file")
	}
	return openFile{bytes.NewReader(b)}, int64(len(b)), nil
}

// Remove implements core.Files.
func (f *Files) Remove(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.m, name)
	return nil
}

// Names implements core.Files.
func (f *Files) Names(context.Context) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.m)), nil
}

// Change replaces the bytes of every file; nil takes one away.
func (f *Files) Change(change func(name string, b []byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, b := range f.m {
		if b = change(name, b); b == nil {
			delete(f.m, name)
		} else {
			f.m[name] = b
		}
	}
}

// Copy returns the same files once more.
func (f *Files) Copy() *Files {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &Files{m: maps.Clone(f.m)}
}
