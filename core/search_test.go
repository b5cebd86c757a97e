package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

func (h *home) search(words string) []string {
	h.t.Helper()
	events, err := h.c.Search(h.ctx(), SearchOptions{Words: words})
	if err != nil {
		h.t.Fatalf("%s: search: %v", h.name, err)
	}
	return texts(events)
}

// TestSearch: what is found is what the messages say now, the newest first, and
// what has ended or was deleted is not found, nor is there a copy of it.
func TestSearch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "Rendez-vous at the Café").Room
		bob.accept()
		look := func(words string, want ...string) {
			t.Helper()
			synctest.Wait()
			if got := bob.search(words); !slices.Equal(got, want) {
				t.Errorf("%q finds %q, want %q", words, got, want)
			}
		}
		look("CAFE\u0301 rend", "Rendez-vous at the Café")
		look("nothing")
		time.Sleep(time.Second)
		m := alice.send(room, "the old cafe")
		look("caf", "the old cafe", "Rendez-vous at the Café")
		look("caf alice@", "the old cafe", "Rendez-vous at the Café")
		look("caf bob@")
		alice.amend(AmendOptions{Room: room, ID: m.ID, Text: "the new bar"})
		look("old")
		look("new bar", "the new bar")
		time.Sleep(time.Second)
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "a short word", Expire: time.Minute}); err != nil {
			t.Fatal(err)
		}
		look("short", "a short word")
		bob.stop() // in memory alone: another process reads it again
		bob.start()
		look("new", "the new bar")
		look("short", "a short word")
		time.Sleep(2 * time.Minute)
		for _, lines := range bob.c.texts.lines {
			for _, l := range lines {
				if strings.Contains(l.text, "short") {
					t.Error("what has ended is still in memory")
				}
			}
		}
		look("short")
		alice.amend(AmendOptions{Room: room, ID: m.ID, Delete: true})
		look("new")
		for _, lines := range bob.c.texts.lines {
			for _, l := range lines {
				if l.text != fold("Rendez-vous at the Café") {
					t.Errorf("%q is still in memory", l.text)
				}
			}
		}
		for _, o := range []SearchOptions{{}, {Words: " "}, {Words: fmt.Sprint(make([]int, 40))}, {Words: "x", Limit: -1}} {
			if _, err := bob.c.Search(bob.ctx(), o); code(err) != wire.BadInput {
				t.Errorf("%+v: %v", o, err)
			}
		}
	})
}

// TestSearchInGroups: a group's name finds what is said in it, and a search may
// look in one conversation only.
func TestSearchInGroups(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		direct := alice.send("bob", "tea in the garden").Room
		bob.accept()
		g, err := alice.c.GroupNew(alice.ctx(), "Garden club", []string{"bob"})
		if err != nil {
			t.Fatal(err)
		}
		bob.accept()
		time.Sleep(time.Second)
		alice.send(g.Room, "bring spades")
		synctest.Wait()
		if got := bob.search("garden"); !slices.Equal(got, []string{"bring spades", "tea in the garden"}) {
			t.Errorf("found %q", got)
		}
		events, err := bob.c.Search(bob.ctx(), SearchOptions{Words: "garden", Room: direct})
		if err != nil || !slices.Equal(texts(events), []string{"tea in the garden"}) {
			t.Errorf("in one room: %q, %v", texts(events), err)
		}
		if events, _ = bob.c.Search(bob.ctx(), SearchOptions{Words: "garden", Limit: 1}); len(events) != 1 {
			t.Errorf("a limit of 1 gives %d", len(events))
		}
	})
}

// BenchmarkSearch searches 100,000 messages that were read before.
func BenchmarkSearch(b *testing.B) {
	const messages = 100_000
	w := newWorld(b)
	alice := w.person("alice")
	w.person("bob")
	id, _ := parseConv(alice.send("bob", "hello bob").Room)
	if got := alice.search("hello"); len(got) != 1 {
		b.Fatalf("found %q", got)
	}
	peer := must(alice.c.find(alice.ctx(), "bob")).Account
	for i := range messages {
		alice.c.texts.lines[id][1000+uint64(i)] = searchText{from: peer, text: fold(fmt.Sprint(i, strings.Repeat(" words", 20)))}
	}
	for b.Loop() {
		alice.search("no such words")
	}
}
