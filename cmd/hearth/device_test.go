package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hearth/server"
)

// deviceHouse starts a server in this process.
func deviceHouse(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{Dir: t.TempDir(), Domain: l.Addr().String(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- s.Run(ctx) }()
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	return "http://" + l.Addr().String()
}

// TestThreeDevices is one person's story: a phone and a tablet are linked, all
// three talk, and the tablet is taken out.
func TestThreeDevices(t *testing.T) {
	at := deviceHouse(t)
	dir := t.TempDir()
	home := func(name string) string { return filepath.Join(dir, name) }
	process(t, "--home", home("alice"), "register", "alice", "--server", at)
	process(t, "--home", home("bob"), "register", "bob", "--server", at)
	process(t, "--home", home("alice"), "send", "bob", "hello bob")
	request := process(t, "--home", home("bob"), "requests")[0]["id"].(string)
	process(t, "--home", home("bob"), "accept", request)
	room := process(t, "--home", home("bob"), "send", "alice", "hello alice")[0]["room"].(string)

	link := func(from, to string) map[string]any {
		t.Helper()
		old := exec.Command("hearth", "--home", home(from), "device", "link", "--json", "--yes")
		var errs bytes.Buffer
		old.Stderr = &errs
		out, err := old.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := old.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		next := func() map[string]any {
			t.Helper()
			if !lines.Scan() {
				old.Wait()
				t.Fatalf("the old device says no more: %v\n%s", lines.Err(), errs.String())
			}
			return object(t, lines.Text())
		}
		code := next()["code"].(string)
		if !strings.HasPrefix(code, "hearth-device:"+at+"#") {
			t.Fatalf("the code is %q", code)
		}
		here := process(t, "--home", home(to), "device", "link", code, "--name", to)
		asks, linked := next(), next()
		if err := old.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, errs.String())
		}
		if asks["number"] != here[0]["number"] || asks["name"] != to || here[1]["state"] != "ready" || linked["name"] != to {
			t.Fatalf("the old device said %v and %v, the new one %v", asks, linked, here)
		}
		// A second use of the code is refused.
		if exit, out := fails(t, "--home", home("thief"), "device", "link", code); exit != 1 || !strings.Contains(out, `"code":"denied"`) {
			t.Errorf("a code used twice: %d, %s", exit, out)
		}
		return linked
	}
	link("alice", "phone")
	tablet := link("phone", "tablet")

	history := func(name string) (texts []string) {
		t.Helper()
		process(t, "--home", home(name), "recv", "--wait", "1s")
		for _, e := range process(t, "--home", home(name), "history", room) {
			if s, ok := e["text"].(string); ok {
				texts = append(texts, s)
			}
		}
		return texts
	}
	if got := strings.Join(history("tablet"), ", "); got != "hello bob, hello alice" {
		t.Errorf("the tablet has %q", got)
	}
	process(t, "--home", home("tablet"), "send", "bob", "from the tablet")
	process(t, "--home", home("bob"), "send", "alice", "to all three")
	for _, name := range []string{"alice", "phone", "tablet"} {
		if got := strings.Join(history(name), ", "); got != "hello bob, hello alice, from the tablet, to all three" {
			t.Errorf("%s has %q", name, got)
		}
		if list := process(t, "--home", home(name), "device", "list"); len(list) != 3 {
			t.Errorf("%s lists %v", name, list)
		}
	}

	// What one sets, all have.
	process(t, "--home", home("phone"), "arrange", "bob", "--name", "Uncle Bob", "--pin", "on")
	process(t, "--home", home("phone"), "draft", room, "not yet")
	process(t, "--home", home("tablet"), "settings", "--receipts", "off", "--retention", "7d")
	for _, name := range []string{"alice", "phone", "tablet"} {
		if got := process(t, "--home", home(name), "arrange", room)[0]; got["nickname"] != "Uncle Bob" || got["pinned"] != true {
			t.Errorf("%s has %v", name, got)
		}
		if got := process(t, "--home", home(name), "draft", "bob")[0]; got["text"] != "not yet" {
			t.Errorf("%s has %v", name, got)
		}
		if got := process(t, "--home", home(name), "settings")[0]; got["receipts"] != false || got["retention"] != "7d" {
			t.Errorf("%s has %v", name, got)
		}
	}

	process(t, "--home", home("alice"), "device", "revoke", tablet["device"].(string))
	process(t, "--home", home("bob"), "send", "alice", "to two")
	if code, out := fails(t, "--home", home("tablet"), "history", room); code == 0 && strings.Contains(out, "to two") {
		t.Errorf("a revoked device reads on: %s", out)
	}
	process(t, "--home", home("tablet"), "recv", "--wait", "1s")
	if code, out := fails(t, "--home", home("tablet"), "send", "bob", "still here?"); code != 1 || !strings.Contains(out, "was removed from the account") {
		t.Errorf("a revoked device sends: %d, %s", code, out)
	}
	if got := strings.Join(history("phone"), ", "); !strings.HasSuffix(got, "to two") {
		t.Errorf("the phone has %q", got)
	}
}

// fails runs the program as a process and returns its exit code and output.
func fails(t *testing.T, args ...string) (int, string) {
	t.Helper()
	out, err := exec.Command("hearth", append(args, "--json")...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(out)
}
