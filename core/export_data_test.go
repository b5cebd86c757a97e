package core

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestExport(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		if _, err := v.alice.c.Send(v.alice.ctx(), SendOptions{To: "bob", Text: "gone in a minute", Expire: time.Minute}); err != nil {
			t.Fatal(err)
		}
		v.bob.send("alice", "up\x1b[2J\u202edown\nnext line")
		v.alice.got()
		time.Sleep(2 * time.Minute)
		out, err := v.alice.c.Export(v.alice.ctx(), "mine")
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(v.places["mine/room_"+v.room+".jsonl"])), "\n")
		if out.Rooms != 1 || out.Items != len(lines) || out.Items < 3 {
			t.Errorf("exported %+v, %d lines", out, len(lines))
		}
		var said []string
		for _, l := range lines {
			var e Event
			if err := json.Unmarshal([]byte(l), &e); err != nil {
				t.Fatalf("%q: %v", l, err)
			}
			if e.Type == EventMessage {
				said = append(said, e.Text)
			}
		}
		if len(said) != 3 || said[0] != "MARKER hello" {
			t.Errorf("messages: %q", said)
		}
		text := string(v.places["mine/room_"+v.room+".txt"])
		if !strings.HasPrefix(text, "bob@home.example\n") || !strings.Contains(text, "alice@home.example: MARKER hello") ||
			!strings.Contains(text, "up<U+001B>[2J<U+202E>down\n    next line") {
			t.Errorf("the text: %q", text)
		}
		for name, b := range v.places {
			if !strings.HasPrefix(name, "mine/") {
				continue
			}
			if strings.Contains(string(b), "gone in a minute") {
				t.Errorf("%s holds what has ended", name)
			}
		}
		if b := string(v.places["mine/README.txt"]); !strings.Contains(b, "not protected") {
			t.Errorf("README: %q", b)
		}
		for _, name := range []string{"account.json", "people.json", "rooms.json"} {
			var x any
			if err := json.Unmarshal(v.places["mine/"+name], &x); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !strings.Contains(string(v.places["mine/people.json"]), "bob@home.example") {
			t.Error("bob is not among the people")
		}
		if _, err := v.home("nobody").export(); code(err) == "" {
			t.Error("a home without an account was exported")
		}
	})
}

func (h *home) export() (Exported, error) {
	h.start()
	return h.c.Export(h.ctx(), "x")
}
