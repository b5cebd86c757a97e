package home

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hearth/wire"
)

// Files are the sealed files of a home, in a folder of their own: core.Files. What
// they say, and to which messages they belong, the records know alone.
type Files struct{ dir string }

const filesName = "files"

// Files returns the home's sealed files.
func (h *Home) Files() *Files { return &Files{filepath.Join(h.dir, filesName)} }

// at returns where a file lies. Names are core's own; what is none is a bug.
func (f *Files) at(name string) (string, error) {
	if name == "" || name == "." || filepath.Base(name) != name || !filepath.IsLocal(name) {
		return "", wire.Errorf(wire.BadInput, "that is no file of a home")
	}
	return filepath.Join(f.dir, name), nil
}

// Append implements core.Files.
func (f *Files) Append(_ context.Context, name string, at int64, fill func(io.Writer) error) (length int64, err error) {
	path, err := f.at(name)
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return 0, fileError("make the folder for files", err)
	}
	flags := os.O_WRONLY
	if at == 0 {
		flags |= os.O_CREATE
	}
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return 0, fileError("write a file of the home", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() < at {
		return 0, fileError("write a file of the home", errors.Join(err, wire.ErrStale))
	}
	if err := file.Truncate(at); err != nil {
		return 0, fileError("write a file of the home", err)
	}
	if _, err := file.Seek(at, io.SeekStart); err != nil {
		return 0, fileError("write a file of the home", err)
	}
	w := &counter{w: file, n: at}
	err = fill(w)
	if w.err != nil {
		err = fileError("write a file of the home", w.err)
	}
	if synced := errors.Join(file.Sync(), file.Close()); synced != nil {
		return 0, fileError("write a file of the home", synced)
	}
	if at == 0 {
		if synced := syncDir(f.dir); synced != nil {
			return 0, fileError("write a file of the home", synced)
		}
	}
	return w.n, err
}

// counter counts what is written, and keeps the failure of that apart from others.
type counter struct {
	w   io.Writer
	n   int64
	err error
}

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.err = err
	return n, err
}

// Open implements core.Files.
func (f *Files) Open(_ context.Context, name string) (interface {
	io.ReaderAt
	io.Closer
}, int64, error) {
	path, err := f.at(name)
	if err != nil {
		return nil, 0, err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, wire.Errorf(wire.NotFound, "that file is not in the home")
	}
	if err != nil {
		return nil, 0, fileError("read a file of the home", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, fileError("read a file of the home", err)
	}
	return file, info.Size(), nil
}

// Remove implements core.Files. The file is cut to nothing first, so that nobody
// who has it open reads on.
func (f *Files) Remove(_ context.Context, name string) error {
	path, err := f.at(name)
	if err != nil {
		return err
	}
	err = os.Truncate(path, 0)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError("remove a file of the home", err)
	}
	return nil
}

// Names implements core.Files.
func (f *Files) Names(context.Context) ([]string, error) {
	list, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fileError("list the files of the home", err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names, nil
}
