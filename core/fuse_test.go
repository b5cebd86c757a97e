package core

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestFromReading: a message whose end is counted from reading stays until it is
// read, then goes in time: on each of the reader's devices from the first that
// showed it, on the sender's from the sending.
func TestFromReading(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "kept").Room
		bob.accept()
		bob.got()
		phone := w.link(bob, "phone")
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "burns", Expire: time.Minute, FromReading: true}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(5 * 24 * time.Hour)
		if got := texts(alice.own(room)); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("the sender has %q after a minute", got)
		}
		events := bob.got()
		if got := texts(events); !slices.Equal(got, []string{"burns"}) {
			t.Fatalf("bob got %q", got)
		}
		for _, e := range events {
			if e.Text == "burns" && (e.AfterReading != 60 || e.Expires == nil || time.Until(*e.Expires) < 24*time.Hour) {
				t.Errorf("bob was told %+v", e)
			}
		}
		time.Sleep(30 * time.Second)
		if got := bob.told(room); !slices.Equal(got, []string{"kept", "burns"}) {
			t.Errorf("half a minute later bob has %q", got)
		}
		time.Sleep(40 * time.Second)
		if got := bob.told(room); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("after its minute bob has %q", got)
		}
		// The phone heard of the reading in a batch, and counts from there.
		time.Sleep(2 * time.Minute)
		if got := phone.told(room); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("the phone has %q", got)
		}
		for _, h := range []*home{alice, bob, phone} {
			h.holdsNone(t, "burns")
		}
	})
}

// TestFromReadingShownInAHistory: a history shows what it lists and no more.
func TestFromReadingShownInAHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "kept").Room
		bob.accept()
		for _, text := range []string{"one", "two"} {
			if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: text, Expire: time.Minute, FromReading: true}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if h := must(bob.c.History(bob.ctx(), room, 1)); len(h) != 1 || h[0].Text != "two" {
			t.Fatalf("bob sees %+v", h)
		}
		time.Sleep(2 * time.Minute)
		if got := bob.told(room); !slices.Equal(got, []string{"kept", "one"}) {
			t.Errorf("bob has %q", got)
		}
		time.Sleep(2 * time.Minute)
		if got := bob.told(room); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("then bob has %q", got)
		}
	})
}

// TestFromReadingWaitsForWhoIsAway: a message that is for seconds once it is read
// waits on the server for as long as any other.
func TestFromReadingWaitsForWhoIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "kept").Room
		bob.accept()
		bob.got()
		bob.stop()
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "burns", Expire: 10 * time.Second, FromReading: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * 24 * time.Hour)
		bob.start()
		if got := texts(bob.got()); !slices.Equal(got, []string{"burns"}) {
			t.Errorf("bob got %q", got)
		}
	})
}
