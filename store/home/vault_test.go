package home_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hearth/core/vault"
	"hearth/core/vault/vaulttest"
	"hearth/store/home"
	"hearth/wire"
)

// The vault on real files: what a thief finds in the folder.

var (
	ctx   = context.Background()
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func open(t *testing.T, dir string, now time.Time) (*home.Home, *vault.Vault) {
	t.Helper()
	h, err := home.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	v, err := vault.Open(ctx, h, h.Key())
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Sweep(ctx, now, nil); err != nil {
		t.Fatal(err)
	}
	return h, v
}

func copyDir(t *testing.T, from string) (to string) {
	t.Helper()
	to = t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func contains(t *testing.T, dir string, what []byte) (file string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, what) {
			file = d.Name()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFolderShowsNoTextAndExpiredMessagesStayShut(t *testing.T) {
	dir := t.TempDir()
	h, v := open(t, dir, start)
	b := v.Batch()
	b.Put("contact/Zanzibar", []byte("a friend's name"))
	for i := range 100 {
		b.PutUntil(vault.Numbered("message/Zanzibar", uint64(i)), fmt.Appendf(nil, "meet me at noon %d", i), start.Add(30*time.Second))
	}
	if err := v.Commit(ctx, b); err != nil {
		t.Fatal(err)
	}
	sealed, _, err := h.Scan(ctx, "r/", "", 200)
	if err != nil || len(sealed) != 101 {
		t.Fatalf("%d records, %v", len(sealed), err)
	}
	_, values, err := h.Scan(ctx, "r/", "", 200)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"Zanzibar", "contact", "message", "noon", "friend"} {
		if f := contains(t, dir, []byte(word)); f != "" {
			t.Errorf("%q is in %s", word, f)
		}
	}
	oldKey, err := h.Key().Load()
	if err != nil {
		t.Fatal(err)
	}
	stolen := copyDir(t, dir)

	if err := v.Sweep(ctx, start.Add(30*time.Second), nil); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	// Even the ciphertext is in no file any more, and the key that led to it
	// neither: its last 40 bytes are the wrapping key and the check.
	gone := 0
	for _, value := range values {
		if contains(t, dir, value[40:]) == "" {
			gone++
		}
	}
	if gone != 100 {
		t.Errorf("the ciphertext of %d records is gone, want 100", gone)
	}
	if f := contains(t, dir, oldKey[len(oldKey)-40:len(oldKey)-8]); f != "" {
		t.Errorf("the old wrapping key is in %s", f)
	}
	// The stolen folder worked, and does not open with the present key.
	whole := copyDir(t, stolen)
	h2, v2 := open(t, whole, start)
	if _, ok, err := v2.Get(ctx, vault.Numbered("message/Zanzibar", 7)); !ok || err != nil {
		t.Fatalf("the copy never worked: %v", err)
	}
	h2.Close()
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stolen, "key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	h3, err := home.Open(ctx, stolen)
	if err != nil {
		t.Fatal(err)
	}
	defer h3.Close()
	var e *wire.Error
	if _, err := vault.Open(ctx, h3, h3.Key()); !errors.As(err, &e) || e.Code != wire.Damaged {
		t.Errorf("the stolen folder with the present key: %v", err)
	}
}

// The process dies at each durable step; what is left is copied away as it lies
// and opened.
func TestDeathAtEveryStepOnRealFiles(t *testing.T) {
	story := func(h *home.Home, f *vaulttest.Faults) (acked int, err error) {
		v, err := vault.Open(ctx, f.Disk(h), f.Key(h.Key()))
		if err != nil {
			return 0, err
		}
		if err := v.Sweep(ctx, start, nil); err != nil {
			return 0, err
		}
		for i := 1; i <= 3; i++ {
			b := v.Batch()
			b.Put("count", fmt.Append(nil, i))
			b.PutUntil(fmt.Sprintf("short/%d", i), []byte("x"), start.Add(time.Duration(i)*time.Minute))
			if err := v.Commit(ctx, b); err != nil {
				return acked, err
			}
			acked = i
			if err := v.Sweep(ctx, start.Add(time.Duration(i)*time.Minute), nil); err != nil {
				return acked, err
			}
		}
		return acked, nil
	}
	run := func(f *vaulttest.Faults) (dir string, acked int, err error) {
		dir = t.TempDir()
		h, err := home.Open(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		acked, err = story(h, f)
		return copyDir(t, dir), acked, err
	}
	var count vaulttest.Faults
	if _, acked, err := run(&count); err != nil || acked != 3 {
		t.Fatalf("%d, %v", acked, err)
	}
	const want = 4 + 3*(1+2) // founding; a batch and a sweep's two steps, thrice
	if count.Steps() != want {
		t.Fatalf("steps: got %d, want %d", count.Steps(), want)
	}
	for at := 1; at <= want; at++ {
		for _, kept := range []bool{false, true} {
			dir, acked, err := run(&vaulttest.Faults{At: at, Kept: kept, Kill: true})
			if !errors.Is(err, vaulttest.ErrFault) {
				t.Fatalf("step %d: %v", at, err)
			}
			_, v := open(t, dir, start)
			got, ok, err := v.Get(ctx, "count")
			if err != nil || ok != (acked > 0 || kept && at == 5) || ok && string(got) != fmt.Sprint(acked) && string(got) != fmt.Sprint(acked+1) {
				t.Errorf("step %d, kept %v: count %q, acknowledged %d, %v", at, kept, got, acked, err)
			}
		}
	}
}
