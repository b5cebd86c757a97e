package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// find returns which of the named values stand in b, as they are or as hex.
func find(b []byte, values map[string][]byte) (names []string) {
	for name, v := range values {
		if bytes.Contains(b, v) || bytes.Contains(b, []byte(hex.EncodeToString(v))) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// lived makes a home that has lived a little, in front of a server, and returns
// its folder and what a thief would like to find.
func lived(t *testing.T) (home string, values map[string][]byte) {
	t.Helper()
	s := startServer(t)
	dir := t.TempDir()
	home = filepath.Join(dir, "home")
	other := filepath.Join(dir, "other")
	me := process(t, "--home", home, "register", "alexandrina", "--server", s.url())[0]
	friend := process(t, "--home", other, "register", "bartholomew", "--server", s.url())[0]
	sent := process(t, "--home", home, "send", "bartholomew", "we meet behind the old mill")[0]
	for _, r := range process(t, "--home", other, "requests") {
		process(t, "--home", other, "accept", r["id"].(string))
	}
	process(t, "--home", other, "send", "alexandrina", "and I bring the lantern")
	process(t, "--home", home, "recv")
	group := process(t, "--home", home, "group", "new", "the choir of saint cecilia", "bartholomew")[0]
	values = map[string][]byte{
		"own name":     []byte("alexandrina"),
		"friend":       []byte("bartholomew"),
		"text sent":    []byte("behind the old mill"),
		"text heard":   []byte("bring the lantern"),
		"group's name": []byte("choir of saint"),
		"house":        []byte(s.at),
	}
	for name, id := range map[string]any{
		"account": me["account"], "device": me["device"], "friend's account": friend["account"],
		"conversation": sent["room"], "message": sent["id"], "group": group["room"],
	} {
		text := id.(string)
		values[name+" as text"] = []byte(text)
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		values[name] = raw
	}
	// The plain key file: see core/vault/keyring.go.
	key, err := os.ReadFile(filepath.Join(home, "key"))
	if err != nil {
		t.Fatal(err)
	}
	values["root key"], values["wrapping key"] = key[27:59], key[59:91]
	return home, values
}

// pass writes a passphrase into a file outside of the home.
func pass(t *testing.T, text string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const lockedWith = "correct horse battery staple"

func TestALockedFolderShowsNobody(t *testing.T) {
	home, values := lived(t)
	values["passphrase"] = []byte(lockedWith)
	search := func() (found []string) {
		err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			found = append(found, find([]byte(path), values)...)
			if d.IsDir() {
				return nil
			}
			b, err := os.ReadFile(path)
			for _, name := range find(b, values) {
				found = append(found, name+" in "+d.Name())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := search(); !slices.Equal(found, []string{"root key in key", "wrapping key in key"}) {
		t.Fatalf("before: found %v; the search doesn't work", found)
	}
	process(t, "--home", home, "passphrase", "set", "--new-passphrase-file", pass(t, lockedWith))
	process(t, "--home", home, "lock", "--after", "15m", "--passphrase-file", pass(t, lockedWith))
	if found := search(); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	// What lies there, and no more, is what docs/threats.md says.
	var names []string
	entries, err := os.ReadDir(home)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", e.Name(), info.Mode())
		}
		names = append(names, e.Name())
	}
	if want := []string{"home.db", "key", "lock", "settings"}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	settings, err := os.ReadFile(filepath.Join(home, "settings"))
	if err != nil || string(settings) != `{"version":1,"lock_after":"15m0s"}`+"\n" {
		t.Errorf("settings: %s, %v", settings, err)
	}
}

func TestALockedDaemonHoldsNothing(t *testing.T) {
	home, values := lived(t)
	values["passphrase"] = []byte(lockedWith)
	file := pass(t, lockedWith)
	process(t, "--home", home, "passphrase", "set", "--new-passphrase-file", file)
	daemon := startReadable(t, "--home", home, "daemon")
	eventually(t, "the daemon", func() bool {
		at, err := socketPath(home, homeSocket)
		return err == nil && answers("unix", at) == nil
	})
	for _, m := range process(t, "--home", home, "unlock", "--passphrase-file", file) {
		if m["locked"] != false {
			t.Fatalf("unlock: %v", m)
		}
	}
	for _, r := range process(t, "--home", home, "rooms") {
		process(t, "--home", home, "history", r["room"].(string))
	}
	if found := find(memoryOf(t, daemon), values); !slices.Contains(found, "root key") || !slices.Contains(found, "text heard") {
		t.Fatalf("open: found %v; the search doesn't work", found)
	}
	for _, m := range process(t, "--home", home, "lock") {
		if m["locked"] != true {
			t.Fatalf("lock: %v", m)
		}
	}
	delete(values, "house") // nothing private, and nothing to find either; but a port may be any four bytes
	if found := find(memoryOf(t, daemon), values); len(found) != 0 {
		t.Errorf("locked: found %v", found)
	}
	if m := process(t, "--home", home, "whoami"); len(m) != 1 || m[0]["locked"] != true || len(m[0]) != 1 {
		t.Errorf("whoami: %v", m)
	}
}

// A program's own hearth rpc lives on through a lock: its keys are gone; texts
// may stay until Go uses their place again (docs/threats.md).
func TestALockedProgramHoldsNoKey(t *testing.T) {
	home, values := lived(t)
	file := pass(t, lockedWith)
	process(t, "--home", home, "passphrase", "set", "--new-passphrase-file", file)
	t.Setenv(readable, "1")
	b := startBot(t, home)
	must := func(method string, params any) {
		t.Helper()
		if err := b.Call(context.Background(), method, params, nil); err != nil {
			t.Fatalf("%s: %v\n%s", method, err, b.said())
		}
	}
	must("unlock", map[string]string{"passphrase": lockedWith})
	must("rooms", map[string]string{})
	if found := find(memoryOf(t, b.cmd.Process.Pid), values); !slices.Contains(found, "root key") {
		t.Fatalf("open: found %v; the search doesn't work", found)
	}
	must("lock", map[string]string{})
	found := find(memoryOf(t, b.cmd.Process.Pid), values)
	t.Logf("left in the memory of a locked program: %v", found)
	for _, name := range found {
		if strings.Contains(name, "key") {
			t.Errorf("found the %s", name)
		}
	}
}
