package core

import (
	"context"
	"errors"
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

// TestCaughtUpMeansAllOfIt: after CatchUp everything that was there is given
// out, without waiting.
func TestCaughtUpMeansAllOfIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "hello").Room
		alice.stop()
		bob.accept()
		bob.send(room, "m1")
		bob.send(room, "m2")
		alice.start()
		if err := alice.c.CatchUp(alice.ctx()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		var got []string
		err := alice.c.Receive(ctx, func(e Event) error {
			got = append(got, e.Type+" "+e.Text)
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("receive: %v", err)
		}
		if want := []string{"joined ", "message m1", "message m2"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
