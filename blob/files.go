package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"hearth/wire"
)

// Files is a Store in a folder:
//
//	0123/0123…        a blob, by its id in hexadecimal, whose first byte is the region
//	uploads/ID.END    an upload under way, and until when it may take, in Unix seconds
//
// What lies under an id was checked and synced before it got that name. One
// process at a time may use the folder.
type Files struct {
	dir string
	now func() time.Time

	mu      sync.Mutex
	uploads map[wire.UploadID]*upload
}

// upload is one upload under way. Whoever sets busy, under Files.mu, owns the
// rest until it is unset.
type upload struct {
	path   string
	end    time.Time
	length atomic.Int64
	busy   bool
	ended  bool      // abandoned while it was busy
	sum    hash.Hash // of length bytes; nil after a restart
}

// chunk is what an upload holds in memory.
const chunk = 256 << 10

var chunks = sync.Pool{New: func() any { b := make([]byte, chunk); return &b }}

// OpenFiles opens the folder, which it makes if absent, and finds the uploads
// that are under way. now is the clock.
func OpenFiles(dir string, now func() time.Time) (*Files, error) {
	f := &Files{dir: dir, now: now, uploads: map[wire.UploadID]*upload{}}
	if err := os.MkdirAll(f.uploading(), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of blobs: %w", asWire(err))
	}
	list, err := os.ReadDir(f.uploading())
	if err != nil {
		return nil, fmt.Errorf("read the folder of uploads: %w", err)
	}
	for _, e := range list {
		path := filepath.Join(f.uploading(), e.Name())
		info, err := e.Info()
		id, end, ok := parseUpload(e.Name())
		if err != nil || !ok || len(f.uploads) == MaxUploads {
			os.Remove(path)
			continue
		}
		u := &upload{path: path, end: end}
		u.length.Store(info.Size())
		f.uploads[id] = u
	}
	_, err = f.Uploads(context.Background())
	return f, err
}

func (f *Files) uploading() string { return filepath.Join(f.dir, "uploads") }

func parseUpload(name string) (id wire.UploadID, end time.Time, ok bool) {
	first, last, _ := strings.Cut(name, ".")
	b, err := hex.DecodeString(first)
	seconds, err2 := strconv.ParseInt(last, 10, 64)
	if err != nil || err2 != nil || len(b) != len(id) {
		return id, end, false
	}
	return wire.UploadID(b), time.Unix(seconds, 0), true
}

func (f *Files) path(id wire.BlobID) string {
	name := hex.EncodeToString(id[:])
	return filepath.Join(f.dir, name[:4], name)
}

// take makes an upload this goroutine's own.
func (f *Files) take(id wire.UploadID, begin bool) (*upload, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.uploads[id]
	switch {
	case u == nil && !begin:
		return nil, wire.ErrDenied
	case u == nil && len(f.uploads) >= MaxUploads:
		return nil, wire.ErrFull
	case u == nil:
		end := f.now().Add(wire.UploadWithin).Truncate(time.Second)
		name := hex.EncodeToString(id[:]) + "." + strconv.FormatInt(end.Unix(), 10)
		u = &upload{path: filepath.Join(f.uploading(), name), end: end, sum: sha256.New()}
		f.uploads[id] = u
	case u.busy || !f.now().Before(u.end):
		return nil, errBusy
	}
	u.busy = true
	return u, nil
}

var errBusy = wire.Errorf(wire.Stale, "that upload is being written to").WithNext("ask how far it is, then go on from there")

// give lets an upload go; drop ends it.
func (f *Files) give(id wire.UploadID, u *upload, drop bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u.busy = false
	if drop || u.ended {
		delete(f.uploads, id)
		destroy(u.path)
	}
}

// Append implements Store.
func (f *Files) Append(ctx context.Context, id wire.UploadID, at int64, r io.Reader, limit int64) (int64, error) {
	u, err := f.take(id, at == 0)
	if err != nil {
		return 0, err
	}
	empty := false
	defer func() { f.give(id, u, empty) }()
	if at != u.length.Load() {
		return u.length.Load(), wire.Errorf(wire.Stale, "that upload is at another place").WithNext("go on from where it is")
	}
	fresh := at == 0
	file, err := os.OpenFile(u.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		empty = fresh
		return 0, fmt.Errorf("open an upload: %w", asWire(err))
	}
	defer file.Close()
	if err := u.rehash(file); err != nil {
		return u.length.Load(), err
	}
	failed := u.fill(ctx, file, r, limit)
	if failed != nil && errors.As(failed, new(*os.PathError)) {
		file.Truncate(u.length.Load()) // a write that failed may have written something
	}
	if err := file.Sync(); err != nil {
		empty = true // what is on disk is not known any more
		return 0, fmt.Errorf("keep an upload: %w", asWire(err))
	}
	if fresh {
		if err := syncDir(f.uploading()); err != nil {
			return 0, err
		}
	}
	empty = u.length.Load() == 0
	return u.length.Load(), failed
}

// fill copies from r to the end of the upload.
func (u *upload) fill(ctx context.Context, file *os.File, r io.Reader, limit int64) error {
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := 0, error(nil)
		for n < len(*buf) && err == nil { // a body that broke off is not one that ended
			var m int
			m, err = r.Read((*buf)[n:])
			n += m
		}
		if int64(n) > limit {
			return ErrLimit
		}
		if n > 0 {
			if _, failed := file.WriteAt((*buf)[:n], u.length.Load()); failed != nil {
				return fmt.Errorf("write an upload: %w", asWire(failed))
			}
			u.sum.Write((*buf)[:n])
			u.length.Add(int64(n))
			limit -= int64(n)
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// rehash makes u.sum that of the bytes on disk, after a restart.
func (u *upload) rehash(file *os.File) error {
	if u.sum != nil {
		return nil
	}
	h := sha256.New()
	n, err := io.Copy(h, io.NewSectionReader(file, 0, u.length.Load()))
	if err != nil {
		return fmt.Errorf("read an upload: %w", err)
	}
	u.length.Store(n)
	u.sum = h
	return nil
}

// Length implements Store.
func (f *Files) Length(_ context.Context, id wire.UploadID) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.uploads[id]
	switch {
	case u == nil || !f.now().Before(u.end):
		return 0, wire.ErrDenied
	case u.busy:
		return 0, errBusy
	}
	return u.length.Load(), nil
}

// Finish implements Store.
func (f *Files) Finish(_ context.Context, id wire.UploadID, want wire.BlobID, note func(size int64) error) error {
	return f.finish(id, want, true, note)
}

// Replace implements Store.
func (f *Files) Replace(_ context.Context, id wire.UploadID, slot wire.BlobID, note func(size int64) error) error {
	return f.finish(id, slot, false, note)
}

func (f *Files) finish(id wire.UploadID, want wire.BlobID, check bool, note func(size int64) error) error {
	u, err := f.take(id, false)
	if err != nil {
		return err
	}
	over := false
	defer func() { f.give(id, u, over) }()
	if u.sum == nil {
		file, err := os.Open(u.path)
		if err != nil {
			return fmt.Errorf("open an upload: %w", err)
		}
		err = u.rehash(file)
		file.Close()
		if err != nil {
			return err
		}
	}
	if u.length.Load() == 0 || check && wire.BlobIDFrom(want.Region(), u.sum) != want {
		over = true
		return wire.Errorf(wire.BadInput, "a blob's bytes are not those of its id").WithNext("upload it again")
	}
	if err := note(u.length.Load()); err != nil {
		return err
	}
	path := f.path(want)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make a folder of blobs: %w", asWire(err))
	}
	// The same bytes may be there: then this puts them there again.
	if err := os.Rename(u.path, path); err != nil {
		return fmt.Errorf("name a blob: %w", asWire(err))
	}
	over = true
	for _, dir := range []string{filepath.Dir(path), f.dir, f.uploading()} {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// Open implements Store. It returns an *os.File, which the kernel can send by
// itself.
func (f *Files) Open(_ context.Context, id wire.BlobID) (io.ReadSeekCloser, int64, error) {
	file, err := os.Open(f.path(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, wire.ErrDenied
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open a blob: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, fmt.Errorf("open a blob: %w", err)
	}
	return file, info.Size(), nil
}

// Remove implements Store.
func (f *Files) Remove(_ context.Context, id wire.BlobID) error {
	path := f.path(id)
	if err := destroy(path); err != nil {
		return fmt.Errorf("remove a blob: %w", err)
	}
	return nil
}

// Abandon implements Store.
func (f *Files) Abandon(_ context.Context, id wire.UploadID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.uploads[id]
	if u == nil {
		return nil
	}
	if u.busy { // whoever has it takes it away
		u.ended = true
		return nil
	}
	delete(f.uploads, id)
	return destroy(u.path)
}

// Uploads implements Store.
func (f *Files) Uploads(context.Context) (bytes int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, u := range f.uploads {
		if !u.busy && !f.now().Before(u.end) {
			delete(f.uploads, id)
			err = errors.Join(err, destroy(u.path))
			continue
		}
		bytes += u.length.Load()
	}
	return bytes, err
}

// destroy removes a file. It is cut to nothing first, so that who has it open
// reads no more of it.
func destroy(path string) error {
	err := os.Truncate(path, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return errors.Join(err, os.Remove(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open a folder of blobs: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("keep a folder of blobs: %w", asWire(err))
	}
	return nil
}

func asWire(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return wire.Errorf(wire.DiskFull, "the server's disk is full: %w", err).WithNext("free space, then try again")
	}
	return err
}
