package home

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"hearth/wire"
)

// TestFiles: what is written is there at once and goes on where it was; what is
// removed is gone for who has it open too; and no name leads out of the folder.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	h, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	f := h.Files()
	if names, err := f.Names(t.Context()); err != nil || len(names) != 0 {
		t.Fatalf("a new home has %q, %v", names, err)
	}
	put := func(at int64, text string, then error) (int64, error) {
		return f.Append(t.Context(), "a", at, func(w io.Writer) error { _, err := io.WriteString(w, text); return errors.Join(err, then) })
	}
	read := func() string {
		r, size, err := f.Open(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		b, err := io.ReadAll(io.NewSectionReader(r, 0, size))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	broke := errors.New("broke off")
	if n, err := put(0, "hello", broke); n != 5 || !errors.Is(err, broke) {
		t.Errorf("cut short: %d, %v", n, err)
	}
	if n, err := put(5, " world", nil); n != 11 || err != nil || read() != "hello world" {
		t.Errorf("went on: %d, %v, %q", n, err, read())
	}
	if n, err := put(2, "!", nil); n != 3 || err != nil || read() != "he!" {
		t.Errorf("went back: %d, %v, %q", n, err, read())
	}
	if _, err := put(9, "x", nil); err == nil || read() != "he!" {
		t.Errorf("with a hole: %v, %q", err, read())
	}
	info, err := os.Stat(filepath.Join(dir, filesName, "a"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
	r, _, err := f.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 2 {
		if err := f.Remove(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	}
	if n, _ := r.ReadAt(make([]byte, 3), 0); n != 0 {
		t.Error("who has it open reads on")
	}
	if _, _, err := f.Open(t.Context(), "a"); !errors.Is(err, &wire.Error{Code: wire.NotFound}) {
		t.Errorf("after its end: %v", err)
	}
	for _, name := range []string{"", ".", "..", "../key", "/etc/passwd", "a/b"} {
		if _, _, err := f.Open(t.Context(), name); err == nil {
			t.Errorf("%q was opened", name)
		}
		if _, err := f.Append(t.Context(), name, 0, func(io.Writer) error { return nil }); err == nil {
			t.Errorf("%q was written", name)
		}
		if err := f.Remove(t.Context(), name); err == nil {
			t.Errorf("%q was removed", name)
		}
	}
}
