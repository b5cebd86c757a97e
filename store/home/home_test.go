package home

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/wire"
)

var ctx = context.Background()

func open(t *testing.T, dir string) *Home {
	t.Helper()
	h, err := Open(ctx, dir)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func apply(t *testing.T, h *Home, puts map[string][]byte, deletes ...string) {
	t.Helper()
	if err := h.Apply(ctx, puts, deletes); err != nil {
		t.Fatalf("apply: %v", err)
	}
}

func wantCode(t *testing.T, err error, code wire.Code) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != code || e.Message == "" || e.Next == "" {
		t.Fatalf("error: got %v, want code %s with a next step", err, code)
	}
}

// image returns every byte of the folder's files.
func image(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func copyDir(t *testing.T, from string) (to string) {
	t.Helper()
	to = t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestWhatWasAppliedIsThereAfterReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a home?", "100%")
	h := open(t, dir)
	apply(t, h, map[string][]byte{"a": []byte("1"), "b": {}, "c": []byte("3")})
	apply(t, h, map[string][]byte{"a": []byte("2")}, "c", "never there")
	for range 2 {
		got, err := h.GetMany(ctx, []string{"a", "absent", "b", "c"})
		if err != nil {
			t.Fatal(err)
		}
		if string(got[0]) != "2" || got[1] != nil || got[2] == nil || len(got[2]) != 0 || got[3] != nil {
			t.Fatalf("got %q", got)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		h = open(t, dir)
	}
	if info, err := os.Stat(filepath.Join(dir, dataName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the data's mode: %v, %v", info.Mode(), err)
	}
}

func TestScanIsInOrderAndBounded(t *testing.T) {
	h := open(t, t.TempDir())
	puts := map[string][]byte{}
	for i := range 50 {
		puts[fmt.Sprintf("r/x/#%03d", i)] = []byte{byte(i)}
	}
	puts["r/x"], puts["r/xa/#1"], puts["r/-"], puts["t"], puts["r/x/~"] = nil, nil, nil, nil, nil
	apply(t, h, puts)
	var got []string
	after := ""
	for {
		keys, values, err := h.Scan(ctx, "r/x/", after, 7)
		if err != nil || len(keys) != len(values) {
			t.Fatal(err)
		}
		got = append(got, keys...)
		if len(keys) < 7 {
			break
		}
		after = keys[len(keys)-1]
	}
	var want []string
	for k := range puts {
		if strings.HasPrefix(k, "r/x/") {
			want = append(want, k)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("scan: got %v, want %v", got, want)
	}
	if keys, _, err := h.Scan(ctx, "", "", 1000); err != nil || len(keys) != len(puts) {
		t.Errorf("scan of all: %d, %v", len(keys), err)
	}
	if keys, _, err := h.Scan(ctx, "r/x/", "r/x/~", 10); err != nil || len(keys) != 0 {
		t.Errorf("scan behind the last: %v, %v", keys, err)
	}
}

func TestOneOwner(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	_, err := Open(ctx, dir)
	wantCode(t, err, wire.HomeInUse)
	h.Close()
	open(t, dir)
}

func TestDeletedAndReplacedBytesAreInNoFile(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	marker := []byte("MARKER-16-bytes!")
	puts := map[string][]byte{}
	var deletes []string
	for i := range 2000 {
		k := fmt.Sprintf("r/%04d", i)
		puts[k], deletes = bytes.Repeat(marker, 64), append(deletes, k)
	}
	apply(t, h, puts)
	apply(t, h, map[string][]byte{"kept": marker})
	apply(t, h, map[string][]byte{"kept": []byte("replaced")}, deletes...)
	if !bytes.Contains(image(t, dir), marker) {
		t.Fatal("the marker was never there: this test shows nothing")
	}
	waitTidy(t, h)
	if n := bytes.Count(image(t, dir), marker); n != 0 {
		t.Errorf("%d copies are left", n)
	}
	if info, _ := os.Stat(filepath.Join(dir, dataName)); info.Size() > 1<<20 {
		t.Errorf("the file keeps %d bytes", info.Size())
	}
	if info, err := os.Stat(filepath.Join(dir, dataName+"-wal")); err == nil && info.Size() != 0 {
		t.Errorf("the log keeps %d bytes", info.Size())
	}
}

// waitTidy waits for the home's own timer, which must be set.
func waitTidy(t *testing.T, h *Home) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		h.mu.Lock()
		set := h.timer != nil
		h.mu.Unlock()
		if !set { // it has gone off; its work is done once the log is empty
			if info, err := os.Stat(filepath.Join(h.dir, dataName+"-wal")); err == nil && info.Size() == 0 {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the home never tidied")
		}
		<-time.After(20 * time.Millisecond)
	}
}

// A process that dies leaves the folder as it is at that moment.
func TestDeathLosesNothingAppliedAndKeepsNoHalf(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	for i := range 60 {
		n := fmt.Append(nil, i)
		apply(t, h, map[string][]byte{"one": n, "two": n, fmt.Sprintf("log/%03d", i): bytes.Repeat(n, 500)}, fmt.Sprintf("log/%03d", i-10))
		if i%7 != 0 {
			continue
		}
		h2 := open(t, copyDir(t, dir))
		got, err := h2.GetMany(ctx, []string{"one", "two"})
		if err != nil || string(got[0]) != fmt.Sprint(i) || string(got[1]) != fmt.Sprint(i) {
			t.Fatalf("after %d: got %q, %v", i, got, err)
		}
		keys, _, err := h2.Scan(ctx, "log/", "", 100)
		if err != nil || len(keys) != min(i+1, 10) {
			t.Fatalf("after %d: %d entries, %v", i, len(keys), err)
		}
		h2.Close()
	}
}

// A log cut anywhere is a death within a write: a whole earlier state.
func TestCutLogIsAnEarlierStateOrDamage(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	for i := range 8 {
		n := fmt.Append(nil, i)
		apply(t, h, map[string][]byte{"one": n, "two": n})
	}
	wal, err := os.ReadFile(filepath.Join(dir, dataName+"-wal"))
	if err != nil || len(wal) == 0 {
		t.Fatalf("no log: %v", err)
	}
	for cut := 0; cut < len(wal); cut += len(wal)/13 + 1 {
		dir2 := copyDir(t, dir)
		if err := os.WriteFile(filepath.Join(dir2, dataName+"-wal"), wal[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		h2, err := Open(ctx, dir2)
		if err != nil {
			wantCode(t, err, wire.Damaged)
			continue
		}
		got, err := h2.GetMany(ctx, []string{"one", "two"})
		if err != nil || !bytes.Equal(got[0], got[1]) {
			t.Errorf("cut at %d: %q, %v", cut, got, err)
		}
		h2.Close()
	}
}

// TestALargeHomeIsCheckedWhenItWasNotClosed: its start must not grow with the
// history, so a file that was closed in order is not read whole.
func TestALargeHomeIsCheckedWhenItWasNotClosed(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	puts := map[string][]byte{}
	for i := range 3 * checkBelow / 2 / 1024 {
		puts[fmt.Sprintf("r/%06d", i)] = bytes.Repeat([]byte{byte(i)}, 1024)
	}
	apply(t, h, puts)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, dataName)
	whole, err := os.ReadFile(name)
	if err != nil || len(whole) <= checkBelow {
		t.Fatalf("%d bytes, %v", len(whole), err)
	}
	page := len(whole) / 2 / 4096 * 4096
	clear(whole[page : page+4096])
	if err := os.WriteFile(name, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if h, err = Open(ctx, dir); err != nil {
		t.Fatalf("after it was closed in order: %v", err)
	}
	apply(t, h, map[string][]byte{"s": nil})
	died := copyDir(t, dir) // as it is when its process dies
	if h, err := Open(ctx, died); err == nil {
		h.Close()
		t.Fatal("after a crash the damage was not seen")
	}
	_, err = Open(ctx, died)
	wantCode(t, err, wire.Damaged)
}

func TestDamagedFileIsSaid(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	want := map[string][]byte{}
	for i := range 300 {
		want[fmt.Sprintf("r/%03d", i)] = bytes.Repeat([]byte{byte(i)}, 700)
	}
	apply(t, h, want)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, dataName))
	if err != nil {
		t.Fatal(err)
	}
	read := func(content []byte) (got map[string][]byte, err error) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, dataName), content, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := Open(ctx, dir)
		if err != nil {
			return nil, err
		}
		defer h.Close()
		keys, values, err := h.Scan(ctx, "", "", 1000)
		if err != nil {
			return nil, err
		}
		got = map[string][]byte{}
		for i, k := range keys {
			got[k] = values[i]
		}
		byKey, err := h.GetMany(ctx, keys)
		for i, k := range keys {
			if err == nil && !bytes.Equal(byKey[i], got[k]) {
				t.Errorf("%s differs by way of reading", k)
			}
		}
		return got, err
	}
	said, value := 0, 0
	judge := func(bad []byte) {
		t.Helper()
		got, err := read(bad)
		if err != nil {
			wantCode(t, err, wire.Damaged)
			said++
			return
		}
		// A changed value is for the vault's seal to notice; a missing or
		// foreign key must not pass.
		if len(got) != len(want) {
			t.Fatalf("%d records of %d, and no error", len(got), len(want))
		}
		for k, v := range want {
			if got[k] == nil {
				t.Fatalf("a record is gone, and no error")
			}
			if !bytes.Equal(got[k], v) {
				value++
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		bad := bytes.Clone(whole)
		bad[100+r.IntN(len(bad)-100)] ^= 1 << r.IntN(8)
		judge(bad)
	}
	if said == 0 || value == 0 {
		t.Errorf("said %d, in values %d: the test doesn't reach both", said, value)
	}
	// One letter of a key, in the table or in its index: the record would be
	// missed by one way of reading and found by the other.
	for at, places := 0, 0; ; places++ {
		i := bytes.Index(whole[at:], []byte("r/150"))
		if i < 0 {
			if places < 2 {
				t.Errorf("the key stands in %d places, want table and index", places)
			}
			break
		}
		bad := bytes.Clone(whole)
		bad[at+i+3] = '0'
		_, err := read(bad)
		wantCode(t, err, wire.Damaged)
		at += i + 1
	}
	for _, cut := range []int{len(whole) - 1, len(whole) - 4096, len(whole) / 2, 5000, 4096, 512, 50} {
		before := said
		judge(whole[:cut])
		if said == before && cut != len(whole)-1 { // a last byte may be in a value
			t.Errorf("cut at %d of %d, and no error", cut, len(whole))
		}
	}
	_, err = read(bytes.Repeat([]byte("not a database! "), 1000))
	wantCode(t, err, wire.Damaged)
}

func TestFullDiskIsSaidAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	apply(t, h, map[string][]byte{"a": []byte("1")})
	if _, err := h.w.Exec("PRAGMA max_page_count = 40"); err != nil {
		t.Fatal(err)
	}
	err := h.Apply(ctx, map[string][]byte{"a": []byte("2"), "big": make([]byte, 1<<20)}, nil)
	wantCode(t, err, wire.DiskFull)
	for range 2 {
		got, err := h.GetMany(ctx, []string{"a", "big"})
		if err != nil || string(got[0]) != "1" || got[1] != nil {
			t.Fatalf("got %.20q, %v", got, err)
		}
		h.Close()
		h = open(t, dir)
	}
	apply(t, h, map[string][]byte{"big": make([]byte, 1<<20)})
}

func TestUnwritableFolderAndNewerForm(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(ctx, filepath.Join(file, "home"))
	wantCode(t, err, wire.Denied)
	dir := t.TempDir()
	h := open(t, dir)
	if _, err := h.w.Exec("PRAGMA user_version = 2"); err != nil {
		t.Fatal(err)
	}
	h.Close()
	_, err = Open(ctx, dir)
	wantCode(t, err, wire.Unsupported)
}

func TestKeyFileIsReplacedWholeAndTheOldOneErased(t *testing.T) {
	dir := t.TempDir()
	k := &KeyFile{path: filepath.Join(dir, keyName)}
	if b, err := k.Load(); b != nil || err != nil {
		t.Fatalf("a fresh key file: %q, %v", b, err)
	}
	if err := k.Store([]byte("first key")); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(k.path) // the old blocks, after they are freed
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := k.Store([]byte("second")); err != nil {
		t.Fatal(err)
	}
	if b, err := k.Load(); string(b) != "second" || err != nil {
		t.Errorf("load: %q, %v", b, err)
	}
	b := make([]byte, 9)
	if _, err := old.ReadAt(b, 0); err != nil || !bytes.Equal(b, make([]byte, 9)) {
		t.Errorf("the old blocks hold %q, %v", b, err)
	}
	if info, err := os.Stat(k.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("files left behind: %v", names)
	}
}

func TestKeyFileAfterDeathAnywhereInStore(t *testing.T) {
	for name, c := range map[string]struct {
		leave func(path string) error
		want  string
	}{
		"new written in part": {func(p string) error { return os.WriteFile(p+".new", []byte("sec"), 0o600) }, "first"},
		"linked, not renamed": {func(p string) error {
			return errors.Join(os.WriteFile(p+".new", []byte("second"), 0o600), os.Link(p, p+".old"))
		}, "first"},
		"renamed, not erased": {func(p string) error {
			return errors.Join(os.Link(p, p+".old"), os.WriteFile(p+".new", []byte("second"), 0o600), os.Rename(p+".new", p))
		}, "second"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			k := &KeyFile{path: filepath.Join(dir, keyName)}
			if err := k.Store([]byte("first")); err != nil {
				t.Fatal(err)
			}
			if err := c.leave(k.path); err != nil {
				t.Fatal(err)
			}
			if b, err := k.Load(); string(b) != c.want || err != nil {
				t.Errorf("load: got %q, %v; want %q", b, err, c.want)
			}
			if err := k.Store([]byte("third")); err != nil {
				t.Errorf("store: %v", err)
			}
			if b, _ := k.Load(); string(b) != "third" {
				t.Errorf("load: got %q", b)
			}
			if names, _ := os.ReadDir(dir); len(names) != 1 {
				t.Errorf("files left behind: %v", names)
			}
		})
	}
}

// The lock must hold between processes, and end with a killed one.
func TestLockEndsWithItsProcess(t *testing.T) {
	if dir := os.Getenv("HEARTH_TEST_HOME"); dir != "" { // the other process
		if _, err := Open(ctx, dir); err != nil {
			t.Fatal(err)
		}
		fmt.Println("open")
		select {}
	}
	dir := t.TempDir()
	other := exec.Command(os.Args[0], "-test.run=^TestLockEndsWithItsProcess$")
	other.Env = append(os.Environ(), "HEARTH_TEST_HOME="+dir)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 5)
	if _, err := out.Read(line); err != nil || string(line) != "open\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	_, err = Open(ctx, dir)
	wantCode(t, err, wire.HomeInUse)
	other.Process.Kill()
	other.Wait()
	open(t, dir)
}
