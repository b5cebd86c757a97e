package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth/core/vault"
	"hearth/core/vault/vaulttest"
	"hearth/wire"
)

// cheap is a cost for tests of what does not depend on it.
var cheap = vault.Cost{Passes: 1, Memory: 64, Lanes: 1}

func passphrase(t testing.TB, text string) vault.Credential {
	t.Helper()
	c, err := vault.Passphrase([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func guard(t testing.TB, key vault.KeyFile) *vault.Guard {
	t.Helper()
	g, err := vault.NewGuard(key)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// unlocked is a guard of key, opened.
func unlocked(t testing.TB, key vault.KeyFile, c vault.Credential) *vault.Guard {
	t.Helper()
	g := guard(t, key)
	if err := g.Unlock(c); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestALockedHomeOpensWithItsPassphraseAlone(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	g := guard(t, key)
	v := open(t, disk, g, start)
	put(t, v, "m", "the secret", start.Add(day))
	if g.Protection() != vault.Unprotected || g.Locked() {
		t.Fatalf("a new home is %v", g.Protection())
	}
	plain, _ := key.Load()
	if err := g.Protect(passphrase(t, "correct horse"), cheap); err != nil {
		t.Fatal(err)
	}
	sealed, _ := key.Load()
	// The plain file: version, kind, founding, home, generation, root, wrapping.
	for name, part := range map[string][]byte{"home": plain[3:19], "root": plain[27:59], "wrapping": plain[59:91]} {
		if bytes.Contains(sealed, part) {
			t.Errorf("the sealed file holds the %s in clear", name)
		}
	}
	put(t, v, "n", "goes on", time.Time{})
	v.Close()

	_, err := vault.Open(ctx, disk, key) // without a guard
	wantCode(t, err, wire.Locked)
	g = guard(t, key)
	if !g.Locked() || g.Protection() != vault.ByPassphrase {
		t.Fatalf("locked %v, %v", g.Locked(), g.Protection())
	}
	_, err = vault.Open(ctx, disk, g)
	wantCode(t, err, wire.Locked)
	wantCode(t, g.Store([]byte("x")), wire.Locked)
	wantCode(t, g.Protect(passphrase(t, "another one"), cheap), wire.Locked)
	wantCode(t, g.Unprotect(), wire.Locked)
	for _, wrong := range []string{"correct hors", "Correct horse", "correct horse ", "x"} {
		wantCode(t, g.Unlock(passphrase(t, wrong)), wire.Denied)
		wantCode(t, g.Check(passphrase(t, wrong)), wire.Denied)
	}
	stick, err := vault.FromKeyFile(vault.NewKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, g.Unlock(stick), wire.Denied)
	if !g.Locked() {
		t.Fatal("a wrong passphrase opened it")
	}
	if err := g.Check(passphrase(t, "correct horse")); err != nil || !g.Locked() {
		t.Fatalf("check: %v, locked %v", err, g.Locked())
	}
	if err := g.Unlock(passphrase(t, "correct horse")); err != nil {
		t.Fatal(err)
	}
	v = open(t, disk, g, start)
	if get(t, v, "m") != "the secret" || get(t, v, "n") != "goes on" {
		t.Error("something is missing")
	}
	v.Close()
	g.Lock()
	_, err = vault.Open(ctx, disk, g)
	wantCode(t, err, wire.Locked)
}

// The wrapping key moves on with nobody there to type, and what has expired
// stays shut to who has the passphrase and every old copy of the disk.
func TestExpiredStaysShutWithThePassphrase(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	c := passphrase(t, "correct horse")
	g := guard(t, key)
	if err := g.Protect(c, cheap); err != nil { // before anything was stored
		t.Fatal(err)
	}
	v := open(t, disk, g, start)
	if b, _ := key.Load(); b[1] != 2 {
		t.Fatal("the home was founded in clear")
	}
	put(t, v, "m", "the secret", start.Add(time.Minute))
	put(t, v, "longer", "ends later", start.Add(9*day))
	old, oldKey := disk.Copy(), key.Copy()
	if got := get(t, open(t, old.Copy(), unlocked(t, oldKey.Copy(), c), start), "m"); got != "the secret" {
		t.Fatalf("the copy doesn't work at all: %q", got)
	}
	sweep(t, v, start.Add(time.Hour))
	v.Close()

	_, err := vault.Open(ctx, old.Copy(), unlocked(t, key.Copy(), c))
	wantCode(t, err, wire.Damaged)
	if got := get(t, open(t, disk, unlocked(t, key, c), start), "longer"); got != "ends later" {
		t.Errorf("the present home: %q", got)
	}
	// And with a changed passphrase, an old copy of the file opens what it did
	// and nothing that has expired since.
	g = unlocked(t, key, c)
	if err := g.Protect(passphrase(t, "another one"), cheap); err != nil {
		t.Fatal(err)
	}
	now := disk.Copy()
	wantCode(t, guard(t, key).Unlock(c), wire.Denied)
	v = open(t, now, unlocked(t, oldKey, c), start)
	if got := get(t, v, "m"); got != "-" {
		t.Errorf("what has expired is %q", got)
	}
}

func TestACredentialIsReadAsItIsMeant(t *testing.T) {
	// RFC 8265 §4.2: the same passphrase from two keyboards.
	key := &vaulttest.Key{}
	open(t, &vaulttest.Memory{}, key, start)
	g := guard(t, key)
	if err := g.Protect(passphrase(t, "Käse\u3000und Brot"), cheap); err != nil {
		t.Fatal(err)
	}
	if err := guard(t, key).Unlock(passphrase(t, "Ka\u0308se und Brot")); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "with a\nline", "tab\tinside", "not \xff utf-8", strings.Repeat("x", 1025)} {
		_, err := vault.Passphrase([]byte(text))
		wantCode(t, err, wire.BadInput)
	}
	wantCode(t, g.Protect(passphrase(t, "shorter"), cheap), wire.BadInput)

	content := vault.NewKeyFile()
	stick, err := vault.FromKeyFile(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Protect(stick, cheap); err != nil {
		t.Fatal(err)
	}
	if g.Protection() != vault.ByKeyFile {
		t.Errorf("protected by %v", g.Protection())
	}
	if err := guard(t, key).Unlock(stick); err != nil {
		t.Error(err)
	}
	other, err := vault.FromKeyFile(vault.NewKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, guard(t, key).Unlock(other), wire.Denied)
	for _, bad := range [][]byte{nil, content[:len(content)-1], content[1:], append(bytes.Clone(content), '\n'), []byte("a photograph")} {
		_, err := vault.FromKeyFile(bad)
		wantCode(t, err, wire.BadInput)
	}
	for _, c := range []vault.Credential{stick, passphrase(t, "correct horse")} {
		if s := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); strings.Contains(s, "horse") || strings.Contains(s, "99") {
			t.Errorf("a credential prints %s", s)
		}
		c.Wipe()
		if err := guard(t, key).Unlock(c); err == nil {
			t.Error("a wiped credential opens")
		}
	}
}

func TestCosts(t *testing.T) {
	for memory, want := range map[uint64]uint32{0: 64 << 10, 512 << 20: 64 << 10, 1500 << 20: 96000, 64 << 30: 128 << 10} {
		if c := vault.CostFor(memory); c.Memory != want || c.Passes != 3 || c.Lanes != 4 {
			t.Errorf("for %d bytes: %+v", memory, c)
		}
	}
	// What somebody wrote into the file does not take all of the memory.
	key := &vaulttest.Key{}
	g := guard(t, key)
	for _, c := range []vault.Cost{{}, {Passes: 1, Memory: 1 << 30, Lanes: 1}, {Passes: 1 << 30, Memory: 64, Lanes: 1}, {Passes: 1, Memory: 64, Lanes: 0}, {Passes: 1, Memory: 8, Lanes: 2}} {
		wantCode(t, g.Protect(passphrase(t, "correct horse"), c), wire.Internal)
	}
}

// Every bit of a sealed file counts, and damage is not taken for a wrong
// passphrase.
func TestDamageToASealedKeyIsSaid(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	c := passphrase(t, "correct horse")
	g := guard(t, key)
	if err := g.Protect(c, cheap); err != nil {
		t.Fatal(err)
	}
	open(t, disk, g, start)
	whole, _ := key.Load()
	try := func(b []byte) error {
		k := &vaulttest.Key{}
		if err := k.Store(b); err != nil {
			t.Fatal(err)
		}
		g, err := vault.NewGuard(k)
		if err != nil {
			return err
		}
		if err := g.Unlock(c); err != nil {
			return err
		}
		_, err = vault.Open(ctx, disk.Copy(), g)
		return err
	}
	if err := try(whole); err != nil {
		t.Fatal(err)
	}
	for i := 2; i < len(whole); i++ {
		b := bytes.Clone(whole)
		b[i] ^= 1 << (i % 8)
		wantCode(t, try(b), wire.Damaged)
	}
	for _, cut := range []int{0, 1, 2, 30, len(whole) - 1} {
		wantCode(t, try(whole[:cut]), wire.Damaged)
	}
}

// The process dies, or the disk fails once, at each durable step of setting,
// changing and taking away a passphrase, with sweeps between: the home opens
// with the credential before or after, and holds everything.
func TestFaultsWhileAPassphraseChanges(t *testing.T) {
	first, second := passphrase(t, "correct horse"), passphrase(t, "another one")
	story := func(f *vaulttest.Faults, disk *vaulttest.Memory, key *vaulttest.Key) (creds []*vault.Credential, err error) {
		creds = []*vault.Credential{nil}
		g, err := vault.NewGuard(f.Key(key))
		if err != nil {
			return creds, err
		}
		v, err := vault.Open(ctx, f.Disk(disk), g)
		if err != nil {
			return creds, err
		}
		if err := v.Sweep(ctx, start, nil); err != nil {
			return creds, err
		}
		b := v.Batch()
		b.Put("kept", []byte("kept"))
		for i := range 4 {
			b.PutUntil(fmt.Sprint("short/", i), []byte("x"), start.Add(time.Duration(i+1)*time.Hour))
		}
		if err := v.Commit(ctx, b); err != nil {
			return creds, err
		}
		var failed error
		for i, c := range []*vault.Credential{&first, &second, nil} {
			creds = append(creds, c)
			var err error
			if c == nil {
				err = g.Unprotect()
			} else {
				err = g.Protect(*c, cheap)
			}
			if err == nil {
				creds = creds[len(creds)-1:]
			}
			// A disk that failed once goes on.
			if err := errors.Join(err, v.Sweep(ctx, start.Add(time.Duration(i+1)*time.Hour), nil)); err != nil && failed == nil {
				failed = err
			}
			if f.Kill && failed != nil {
				return creds, failed
			}
		}
		return creds, failed
	}
	var count vaulttest.Faults
	if _, err := story(&count, &vaulttest.Memory{}, &vaulttest.Key{}); err != nil {
		t.Fatal(err)
	}
	const want = 4 + 1 + 3*(1+2) // founding; a batch; a change and a sweep's two steps, thrice
	if count.Steps() != want {
		t.Fatalf("steps: got %d, want %d", count.Steps(), want)
	}
	for at := 6; at <= want; at++ {
		for _, kept := range []bool{false, true} {
			for _, kill := range []bool{false, true} {
				disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
				creds, err := story(&vaulttest.Faults{At: at, Kept: kept, Kill: kill}, disk, key)
				if !errors.Is(err, vaulttest.ErrFault) {
					t.Fatalf("step %d: %v", at, err)
				}
				opened := 0
				for _, c := range creds {
					g := guard(t, key.Copy())
					if (g.Protection() == vault.Unprotected) != (c == nil) {
						continue
					}
					if c != nil && g.Unlock(*c) != nil {
						continue
					}
					opened++
					if got := get(t, open(t, disk, g, start), "kept"); got != "kept" {
						t.Errorf("step %d, kept %v, kill %v: %q", at, kept, kill, got)
					}
				}
				if opened != 1 {
					t.Errorf("step %d, kept %v, kill %v: %d of %d credentials open it", at, kept, kill, opened, len(creds))
				}
			}
		}
	}
}

func BenchmarkUnlock(b *testing.B) {
	for _, memory := range []uint64{1 << 30, 2 << 30} {
		cost := vault.CostFor(memory)
		b.Run(fmt.Sprintf("%dMiB", cost.Memory>>10), func(b *testing.B) {
			key := &vaulttest.Key{}
			if _, err := vault.Open(ctx, &vaulttest.Memory{}, key); err != nil {
				b.Fatal(err)
			}
			c := passphrase(b, "correct horse")
			if err := guard(b, key).Protect(c, cost); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := guard(b, key).Unlock(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
