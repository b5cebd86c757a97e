package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/wire"
)

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("%s: not after 10 s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestManyCommandsAtOnceShareOneHome(t *testing.T) {
	h := &fakeHome{}
	dir := t.TempDir()
	var all sync.WaitGroup
	const commands = 24
	for i := range commands {
		all.Go(func() {
			text := fmt.Sprintf("m%d", i)
			if r := h.hearthWith(t.Context(), dir, "", "send", "bob", text, "--json"); r.code != 0 || !strings.Contains(r.out, `"id":"id-`+text+`"`) {
				t.Errorf("%+v", r)
			}
		})
	}
	all.Wait()
	if h.sends != commands {
		t.Errorf("%d sends reached the client, want %d: none lost, none twice", h.sends, commands)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestTheOwnerFinishesWhatOthersAsked(t *testing.T) {
	h := &fakeHome{hold: make(chan struct{})}
	dir := t.TempDir()
	sends := func() int { h.mu.Lock(); defer h.mu.Unlock(); return h.sends }
	results := make(chan output, 2)
	ctx, stop := context.WithCancel(t.Context())
	go func() { results <- h.hearthWith(ctx, dir, "", "send", "bob", "first", "--json") }()
	eventually(t, "the first send", func() bool { return sends() == 1 })
	joined := make(chan output, 1)
	go func() { joined <- h.hearthWith(t.Context(), dir, "", "send", "bob", "second", "--json") }()
	eventually(t, "the second send", func() bool { return sends() == 2 })
	stop() // the owner's own command ends; it still owes the second its answer
	close(h.hold)
	if r := <-joined; r.code != 0 || !strings.Contains(r.out, "id-second") {
		t.Errorf("the second: %+v", r)
	}
	<-results
	if h.opens != 1 {
		t.Errorf("the home was opened %d times, want once", h.opens)
	}
}

// startDaemon runs a daemon of h until the test ends or stop is called.
func startDaemon(t *testing.T, h *fakeHome, dir string) (stop func() output) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan output, 1)
	go func() { done <- h.hearthWith(ctx, dir, "", "daemon") }()
	path, err := socketPath(dir, homeSocket)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the daemon's socket", func() bool { _, err := os.Stat(path); return err == nil })
	var once sync.Once
	var r output
	stop = func() output { once.Do(func() { cancel(); r = <-done }); return r }
	t.Cleanup(func() { stop() })
	return stop
}

func TestCommandsGoThroughTheDaemon(t *testing.T) {
	h := &fakeHome{}
	dir := t.TempDir()
	stop := startDaemon(t, h, dir)
	for range 3 {
		if r := h.hearth(t, dir, "whoami", "--json"); r.code != 0 {
			t.Errorf("%+v", r)
		}
	}
	if h.opens != 1 {
		t.Errorf("the home was opened %d times, want once", h.opens)
	}
	if r := h.hearth(t, dir, "daemon", "--json"); r.code != 1 || !strings.Contains(r.out, `"home_in_use"`) {
		t.Errorf("a second daemon: %+v", r)
	}
	if r := stop(); r.code != 0 {
		t.Errorf("the daemon ended with %+v", r)
	}
	if r := h.hearth(t, dir, "whoami"); r.code != 0 || h.opens != 2 {
		t.Errorf("after the daemon: %+v, opened %d times", r, h.opens)
	}
}

func TestAHomeWhoseOwnerIsSilentIsInUse(t *testing.T) {
	h := &fakeHome{}
	h.lock.Lock() // an owner without a socket
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	dir := t.TempDir()
	a := &app{home: dir, open: h.open}
	if _, err := a.own(ctx, dir, passing); !isCode(err, wire.HomeInUse) {
		t.Errorf("own: %v", err)
	}
	if _, err := a.connect(ctx, passing); err == nil {
		t.Error("connected to nobody")
	}
}

func isCode(err error, c wire.Code) bool { return err != nil && asError(err).Code == c }

func TestASocketOfADeadOwnerIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path, err := socketPath(dir, homeSocket)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if r := (&fakeHome{}).hearth(t, dir, "whoami"); r.code != 0 {
		t.Errorf("%+v", r)
	}
}

// shortTemp is t.TempDir with a path that a socket's may begin with.
func shortTemp(t *testing.T) string {
	dir, err := os.MkdirTemp("", "h")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestTheSocketIsTheOwnersAlone(t *testing.T) {
	for name, dir := range map[string]string{
		"short": t.TempDir(),
		"long":  filepath.Join(t.TempDir(), strings.Repeat("long/", 40)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_RUNTIME_DIR", shortTemp(t))
			h := &fakeHome{}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			startDaemon(t, h, dir)
			path, err := socketPath(dir, homeSocket)
			if err != nil || len(path) > maxSocketPath {
				t.Fatalf("%s, %v", path, err)
			}
			for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
				if name == "short" && p == filepath.Dir(path) {
					continue // the test's own folder
				}
				// Somebody may be let in before the mode is set: the folder keeps
				// everybody else away meanwhile.
				eventually(t, fmt.Sprintf("mode %v of %s", want, p), func() bool {
					info, err := os.Stat(p)
					return err == nil && info.Mode().Perm() == want
				})
			}
			eventually(t, "joining", func() bool { r := h.hearth(t, dir, "whoami"); return r.code == 0 && h.opens == 1 })
		})
	}
}

func TestAFolderThatAnybodyMadeHoldsNoSocket(t *testing.T) {
	base := shortTemp(t)
	t.Setenv("XDG_RUNTIME_DIR", base)
	if err := os.Mkdir(filepath.Join(base, "hearth"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(base, "hearth"), 0o777); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	r := (&fakeHome{}).hearth(t, dir, "whoami", "--json")
	if r.code != 1 || !strings.Contains(r.out, `"denied"`) {
		t.Errorf("%+v, want denied", r)
	}
}

func TestRPCOnStdio(t *testing.T) {
	in := `{"jsonrpc":"2.0","id":1,"method":"whoami"}` + "\n" + `{"jsonrpc":"2.0","id":2,"method":"nope"}` + "\n"
	check := func(t *testing.T, r output) {
		t.Helper()
		if r.code != 0 || r.err != "" || !strings.Contains(r.out, `"account":"acc"`) || !strings.Contains(r.out, `-32601`) || strings.Count(r.out, "\n") != 2 {
			t.Errorf("%+v, want two answers", r)
		}
	}
	t.Run("alone", func(t *testing.T) {
		check(t, (&fakeHome{}).hearthWith(t.Context(), t.TempDir(), in, "rpc"))
	})
	t.Run("through a daemon", func(t *testing.T) {
		h, dir := &fakeHome{}, t.TempDir()
		startDaemon(t, h, dir)
		check(t, h.hearthWith(t.Context(), dir, in, "rpc"))
		if h.opens != 1 {
			t.Errorf("the home was opened %d times", h.opens)
		}
	})
}
