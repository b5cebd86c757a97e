package core

import (
	"slices"
	"testing"
)

func TestFirstConversation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		sent := alice.send("bob", "hello")
		if sent.State != StateSent {
			t.Errorf("sent: got state %q, want sent", sent.State)
		}
		q := bob.request()
		if q.From != "alice@home.example" || q.Text != "hello" || q.Kind != KindDirect || q.Room != sent.Room {
			t.Errorf("request: got %+v", q)
		}
		bob.accept()
		events := bob.got()
		if got := texts(events); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("bob: got %q, want one hello (%+v)", got, events)
		}
		bob.send("alice", "hello back")
		if got := texts(alice.got()); !slices.Equal(got, []string{"hello back"}) {
			t.Errorf("alice: got %q", got)
		}
		alice.send(sent.Room, "and again")
		if got := texts(bob.got()); !slices.Equal(got, []string{"and again"}) {
			t.Errorf("bob: got %q", got)
		}
	})
}
