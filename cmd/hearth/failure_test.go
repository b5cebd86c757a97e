package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"hearth/wire"
)

func TestWrongCommandLines(t *testing.T) {
	for _, c := range []struct{ args, code, says, next string }{
		{"snd bob hi", "bad_input", "hearth snd", "did you mean hearth send?"},
		{"group ad room bob", "bad_input", "hearth group ad", "did you mean hearth group add?"},
		{"xyzzy", "bad_input", "xyzzy", "see hearth --help"},
		{"send bob hi --expires 3d", "bad_input", "--expires", "did you mean --expire?"},
		{"recv -x", "bad_input", "-x", "see hearth recv --help"},
		{"send bob", "bad_input", "TO and TEXT", "see hearth send --help"},
		{"send", "bad_input", "TO and TEXT", "see hearth send --help"},
		{"whoami me", "bad_input", "nothing more", "see hearth whoami --help"},
		{"register bob", "bad_input", "house is missing", "--server URL"},
		{"invite --uses many", "bad_input", "many", "see hearth invite --help"},
		{"invite --expire soon", "bad_input", "soon", "check the parameters"},
		{"group set room", "bad_input", "nothing to change", "--retention"},
		{"story post --anything x", "unsupported", "hearth story", "later version"},
		{"lock --after soon", "bad_input", "soon", "check the parameters"},
		{"audit web", "unsupported", "hearth audit", "later version"},
	} {
		h := &fakeHome{}
		r := h.hearth(t, t.TempDir(), append(strings.Fields(c.args), "--json")...)
		if r.code != 1 || r.err != "" || strings.Count(r.out, "\n") != 1 {
			t.Errorf("%s: code %d, stdout %q, stderr %q", c.args, r.code, r.out, r.err)
			continue
		}
		e := object(t, r.out)["error"].(map[string]any)
		if e["code"] != c.code || !strings.Contains(e["message"].(string), c.says) || !strings.Contains(e["next"].(string), c.next) {
			t.Errorf("%s: %v, want %s, %q, %q", c.args, e, c.code, c.says, c.next)
		}
		people := h.hearth(t, t.TempDir(), strings.Fields(c.args)...)
		if people.code != 1 || people.out != "" || strings.Count(people.err, "\n") != 2 {
			t.Errorf("%s for people: %+v, want message and next step on stderr", c.args, people)
		}
	}
}

func TestEveryFailureHasACodeAndANextStep(t *testing.T) {
	for code, err := range map[wire.Code]error{
		wire.DiskFull:    fmt.Errorf("write: %w", &os.PathError{Op: "write", Err: syscall.ENOSPC}),
		wire.Unreachable: wire.Errorf(wire.Unreachable, "no connection"),
		wire.Damaged:     fmt.Errorf("open: %w", wire.Errorf(wire.Damaged, "the home is damaged")),
		wire.Taken:       wire.ErrTaken,
		wire.Internal:    errors.New("odd"),
	} {
		r := (&fakeHome{fails: err}).hearth(t, t.TempDir(), "send", "bob", "hi", "--json")
		if r.code != 1 {
			t.Errorf("%v: code %d", err, r.code)
		}
		e := object(t, r.out)["error"].(map[string]any)
		if e["code"] != string(code) || e["message"] == "" || e["next"] == "" {
			t.Errorf("%v: %v, want %s and a next step", err, e, code)
		}
	}
}

func TestGlobalFlagsStandAnywhere(t *testing.T) {
	h := &fakeHome{}
	dir := t.TempDir()
	for _, args := range [][]string{{"--json", "whoami"}, {"whoami", "--json"}, {"--home", dir, "--json", "whoami"}, {"whoami", "--home=" + dir, "--json"}} {
		if r := h.hearth(t, dir, args...); r.code != 0 || object(t, r.out)["account"] != "acc" {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if r := h.hearth(t, dir, "send", "bob", "--", "--json"); r.code != 0 || !strings.Contains(r.out, "id-") || strings.HasPrefix(r.out, "{") {
		t.Errorf("a text that looks like a flag: %+v", r)
	}
}

func TestAnIDMayBeginWithADash(t *testing.T) {
	h, dir := &fakeHome{}, t.TempDir()
	id := "-" + strings.Repeat("x", 21)
	room := "--" + strings.Repeat("y", 41)
	if r := h.hearth(t, dir, "accept", id, "--json"); r.code != 0 || object(t, r.out)["id"] != id {
		t.Errorf("accept: %+v", r)
	}
	if r := h.hearth(t, dir, "--json", "group", "leave", room); r.code != 0 || object(t, r.out)["room"] != room {
		t.Errorf("group leave: %+v", r)
	}
	if r := h.hearth(t, dir, "send", "bob", "hi", "--reply", room); r.code != 0 || h.last.Reply != room || h.last.Text != "hi" {
		t.Errorf("send: %+v, %+v", r, h.last)
	}
}

func TestWithoutAConnectionListsSaySo(t *testing.T) {
	h := &fakeHome{fails: wire.Errorf(wire.Unreachable, "no connection")}
	if r := h.hearth(t, t.TempDir(), "rooms", "--json"); r.code != 0 || r.out != "" || r.err == "" {
		t.Errorf("rooms: %+v, want an empty list and a note", r)
	}
	if r := h.hearth(t, t.TempDir(), "recv", "--json"); r.code != 1 || object(t, r.out)["error"].(map[string]any)["code"] != "unreachable" {
		t.Errorf("recv: %+v, want unreachable", r)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"send", "serve", "safety", "recv", "requests"}
	for word, want := range map[string]string{"sned": "send", "Send": "send", "reqests": "requests", "rcv": "recv", "frobnicate": "", "": ""} {
		if got := nearest(word, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}
