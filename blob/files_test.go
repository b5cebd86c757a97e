package blob_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hearth/blob"
	"hearth/blob/blobtest"
	"hearth/wire"
)

func TestFiles(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) func(func() time.Time) (blob.Store, error) {
		dir := filepath.Join(t.TempDir(), "blobs")
		return func(now func() time.Time) (blob.Store, error) { return blob.OpenFiles(dir, now) }
	})
}

// TestFilesLeaveNothingBehind: what an upload or a removal leaves in the folder.
func TestFilesLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	f, err := blob.OpenFiles(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "uploads", "what is no upload"), []byte("x"), 0o600)
	b := []byte("MARKER")
	up, id := wire.NewUploadID(), wire.BlobIDOf(1, b)
	if _, err := f.Append(context.Background(), up, 0, bytes.NewReader(b), 10); err != nil {
		t.Fatal(err)
	}
	if err := f.Finish(context.Background(), up, id, func(int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if n := files(t, dir); n != 2 {
		t.Errorf("%d files, want 2", n)
	}
	if f, err = blob.OpenFiles(dir, time.Now); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files, want none", n)
	}
}

func files(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
