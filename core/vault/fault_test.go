package vault_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"hearth/core/vault"
	"hearth/core/vault/vaulttest"
	"hearth/wire"
)

// story founds a vault, writes, and sweeps twice. It returns what was
// acknowledged and where it stopped.
func story(disk vault.Disk, key vault.KeyFile) (acked map[string]string, tried map[string]string, err error) {
	acked, tried = map[string]string{}, map[string]string{}
	v, err := vault.Open(ctx, disk, key)
	if err != nil {
		return
	}
	if err = v.Sweep(ctx, start, nil); err != nil {
		return
	}
	commit := func(pairs ...string) error {
		b := v.Batch()
		for i := 0; i < len(pairs); i += 2 {
			tried[pairs[i]] = pairs[i+1]
			switch pairs[i] {
			case "short":
				b.PutUntil(pairs[i], []byte(pairs[i+1]), start.Add(time.Minute))
			case "long":
				b.PutUntil(pairs[i], []byte(pairs[i+1]), start.Add(9*day))
			default:
				b.Put(pairs[i], []byte(pairs[i+1]))
			}
		}
		if err := v.Commit(ctx, b); err != nil {
			return err
		}
		for i := 0; i < len(pairs); i += 2 {
			acked[pairs[i]] = pairs[i+1]
		}
		return nil
	}
	each := func(b *vault.Batch, due vault.Item) error {
		b.PutUntil("mark/"+due.Name, []byte("expired"), start.Add(10*day))
		return nil
	}
	if err = commit("plain", "1"); err != nil {
		return
	}
	if err = commit("plain", "2", "short", "s"); err != nil {
		return
	}
	if err = commit("long", "l"); err != nil {
		return
	}
	if err = v.Sweep(ctx, start.Add(time.Hour), each); err != nil {
		return
	}
	acked["swept short"] = ""
	if err = commit("plain", "3"); err != nil {
		return
	}
	if err = v.Sweep(ctx, start.Add(9*day), each); err != nil {
		return
	}
	acked["swept long"] = ""
	err = commit("plain", "4")
	return
}

// checkStory opens what is left and checks that each batch is there whole or
// not at all, nothing acknowledged is lost, and the vault works on.
func checkStory(t *testing.T, disk vault.Disk, key vault.KeyFile, acked, tried map[string]string) {
	t.Helper()
	v := open(t, disk, key, start)
	plain := get(t, v, "plain")
	if want, ok := acked["plain"]; ok && plain != want && plain != tried["plain"] {
		t.Errorf("plain: got %q, acknowledged %q, tried %q", plain, want, tried["plain"])
	}
	for _, name := range []string{"short", "long"} {
		got, mark := get(t, v, name), get(t, v, "mark/"+name)
		_, wasAcked := acked[name]
		_, wasSwept := acked["swept "+name]
		switch {
		case wasSwept && (got != "-" || mark != "expired"):
			t.Errorf("%s was swept, is %q with mark %q", name, got, mark)
		case wasAcked && !wasSwept && (got == "-") != (mark == "expired"):
			t.Errorf("%s is %q with mark %q: half a sweep", name, got, mark)
		case !wasAcked && got != "-" && got != tried[name]:
			t.Errorf("%s: got %q", name, got)
		}
	}
	if (plain == "2") && get(t, v, "short") == "-" && get(t, v, "mark/short") == "-" {
		t.Error("half a batch was kept")
	}
	put(t, v, "after", "works", start.Add(30*day))
	if got := get(t, open(t, disk, key, start), "after"); got != "works" {
		t.Errorf("after: got %q", got)
	}
	v = open(t, disk, key, start.Add(31*day))
	items, err := v.Scan(ctx, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if !it.Expires.IsZero() {
			t.Errorf("%s outlived its end", it.Name)
		}
	}
}

func TestDeathAtEveryDurableStep(t *testing.T) {
	var count vaulttest.Faults
	if _, _, err := story(count.Disk(&vaulttest.Memory{}), count.Key(&vaulttest.Key{})); err != nil {
		t.Fatal(err)
	}
	// Founding: key, table, key, floor. Five batches. Two sweeps, disk and key.
	const want = 4 + 5 + 2*2
	if got := count.Steps(); got != want {
		t.Fatalf("durable steps: got %d, want %d", got, want)
	}
	for at := 1; at <= want; at++ {
		for _, kept := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d kept %v", at, kept), func(t *testing.T) {
				disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
				f := vaulttest.Faults{At: at, Kept: kept, Kill: true}
				acked, tried, err := story(f.Disk(disk), f.Key(key))
				if !errors.Is(err, vaulttest.ErrFault) {
					t.Fatalf("the story ended with %v", err)
				}
				checkStory(t, disk, key, acked, tried)
			})
		}
	}
}

// A disk that fails once and then works again: the same vault goes on.
func TestOneFailureAtEveryDurableStep(t *testing.T) {
	for at := 5; at <= 13; at++ {
		for _, kept := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d kept %v", at, kept), func(t *testing.T) {
				disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
				f := vaulttest.Faults{At: at, Kept: kept}
				v := open(t, f.Disk(disk), f.Key(key), start)
				retry := func(do func() error) {
					t.Helper()
					err := do()
					if errors.Is(err, vaulttest.ErrFault) {
						// Something else comes between, and must not undo.
						b := v.Batch()
						b.PutUntil("between", []byte("b"), start.Add(40*time.Second))
						b.PutUntil("between 2", []byte("b"), start.Add(20*day))
						if err := v.Commit(ctx, b); err != nil {
							t.Fatal(err)
						}
						err = do()
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				commit := func(name string, end time.Time) {
					retry(func() error {
						b := v.Batch()
						b.PutUntil(name, []byte(name), end)
						return v.Commit(ctx, b)
					})
				}
				mark := func(b *vault.Batch, due vault.Item) error {
					b.PutUntil("mark/"+due.Name, []byte("expired"), start.Add(10*day))
					return nil
				}
				commit("plain", time.Time{})
				commit("short", start.Add(time.Minute))
				commit("long", start.Add(9*day))
				retry(func() error { return v.Sweep(ctx, start.Add(time.Hour), mark) })
				commit("later", start.Add(11*day))
				retry(func() error { return v.Sweep(ctx, start.Add(9*day), mark) })
				commit("last", start.Add(11*day))
				if !f.Failed() {
					t.Fatalf("only %d steps", f.Steps())
				}
				for _, v := range []*vault.Vault{v, open(t, disk, key, start)} {
					for name, want := range map[string]string{"plain": "plain", "short": "-", "long": "-", "later": "later",
						"last": "last", "mark/short": "expired", "mark/long": "expired"} {
						if got := get(t, v, name); got != want {
							t.Errorf("%s: got %q, want %q", name, got, want)
						}
					}
				}
			})
		}
	}
}

// The key file fails once, and the process dies in the sweep behind that: the
// disk must never be two steps ahead of the key.
func TestKeyFileNeverFallsTwoStepsBehind(t *testing.T) {
	for step := 1; step <= 3; step++ { // key, disk, key
		for _, kept := range []bool{false, true} {
			disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
			v := open(t, disk, key, start)
			put(t, v, "plain", "p", time.Time{})
			put(t, v, "a", "a", start.Add(time.Minute))
			put(t, v, "b", "b", start.Add(time.Hour))
			once := &vaulttest.Faults{At: 2}
			death := &vaulttest.Faults{}
			v = open(t, death.Disk(once.Disk(disk)), death.Key(once.Key(key)), start)
			if err := v.Sweep(ctx, start.Add(2*time.Minute), nil); !errors.Is(err, vaulttest.ErrFault) {
				t.Fatalf("first sweep: %v", err)
			}
			death.At, death.Kept, death.Kill = death.Steps()+step, kept, true
			if err := v.Sweep(ctx, start.Add(2*time.Hour), nil); !errors.Is(err, vaulttest.ErrFault) {
				t.Fatalf("second sweep: %v", err)
			}
			if got := get(t, open(t, disk, key, start), "plain"); got != "p" {
				t.Errorf("plain: got %q", got)
			}
		}
	}
}

func TestDamageIsSaidAndNeverANewHome(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	put(t, v, "a", "one", time.Time{})
	put(t, v, "b", "two", start.Add(day))

	t.Run("key missing", func(t *testing.T) {
		_, err := vault.Open(ctx, disk, &vaulttest.Key{})
		wantCode(t, err, wire.Damaged)
	})
	t.Run("data missing", func(t *testing.T) {
		_, err := vault.Open(ctx, &vaulttest.Memory{}, key)
		wantCode(t, err, wire.Damaged)
	})
	t.Run("key of another home", func(t *testing.T) {
		other := &vaulttest.Key{}
		open(t, &vaulttest.Memory{}, other, start)
		_, err := vault.Open(ctx, disk, other)
		wantCode(t, err, wire.Damaged)
	})
	t.Run("table missing", func(t *testing.T) {
		d := disk.Copy()
		d.Change(func(k string, value []byte) []byte {
			if k == "t" {
				return nil
			}
			return value
		})
		_, err := vault.Open(ctx, d, key)
		wantCode(t, err, wire.Damaged)
	})
	t.Run("every byte of the key file", func(t *testing.T) {
		content, _ := key.Load()
		for i := range content {
			bad := &vaulttest.Key{}
			content[i] ^= 0x10
			bad.Store(content)
			content[i] ^= 0x10
			if _, err := vault.Open(ctx, disk, bad); err == nil {
				t.Fatalf("byte %d changed, and the home opens", i)
			}
			bad.Store(content[:i])
			if _, err := vault.Open(ctx, disk, bad); err == nil {
				t.Fatalf("cut at %d, and the home opens", i)
			}
		}
	})
	t.Run("every byte of every record", func(t *testing.T) {
		for i := range 2000 {
			reached := false
			d := disk.Copy()
			d.Change(func(k string, value []byte) []byte {
				if i < len(value) {
					reached = true
					value[i] ^= 1
				}
				return value
			})
			if !reached {
				return
			}
			if err := readAll(d, key); err == nil {
				t.Fatalf("byte %d of all records changed, and nobody noticed", i)
			}
		}
	})
	t.Run("records exchanged", func(t *testing.T) {
		d := disk.Copy()
		values := map[string][]byte{}
		d.Change(func(k string, value []byte) []byte { values[k] = value; return value })
		d.Change(func(k string, value []byte) []byte {
			for other, v := range values {
				if k[0] == 'r' && other[0] == 'r' && other != k {
					return v
				}
			}
			return value
		})
		wantCode(t, readAll(d, key), wire.Damaged)
	})
	t.Run("record repeated under another number", func(t *testing.T) {
		d, k := &vaulttest.Memory{}, &vaulttest.Key{}
		put(t, open(t, d, k, start), vault.Numbered("m", 1), "once", time.Time{})
		if err := readAll(d, k); err != nil {
			t.Fatal(err)
		}
		puts := map[string][]byte{}
		d.Change(func(key string, value []byte) []byte {
			if key[0] == 'r' {
				puts[key[:len(key)-1]+"2"] = value
			}
			return value
		})
		if err := d.Apply(ctx, puts, nil); err != nil {
			t.Fatal(err)
		}
		wantCode(t, readAll(d, k), wire.Damaged)
	})
	t.Run("table of an earlier time", func(t *testing.T) {
		old := disk.Copy()
		sweep(t, v, start.Add(3*day))
		_, err := vault.Open(ctx, old, key)
		wantCode(t, err, wire.Damaged)
	})
}

func readAll(disk vault.Disk, key vault.KeyFile) error {
	v, err := vault.Open(ctx, disk, key)
	if err != nil {
		return err
	}
	if err := v.Sweep(ctx, start, nil); err != nil {
		return err
	}
	if _, err := v.Scan(ctx, "", "", 1000); err != nil {
		return err
	}
	_, err = v.GetMany(ctx, []string{"a", "b"})
	return err
}

func TestNewerFormsAreRefusedByName(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	open(t, disk, key, start)
	content, _ := key.Load()
	content[0] = 2
	newer := &vaulttest.Key{}
	newer.Store(content)
	_, err := vault.Open(ctx, disk, newer)
	wantCode(t, err, wire.Unsupported)
	content[0], content[1] = 1, 2 // a passphrase
	newer.Store(content)
	_, err = vault.Open(ctx, disk, newer)
	wantCode(t, err, wire.Locked)
	d := disk.Copy()
	d.Change(func(_ string, value []byte) []byte { value[0] = 9; return value })
	_, err = vault.Open(ctx, d, key)
	wantCode(t, err, wire.Unsupported)
}
