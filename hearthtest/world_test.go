package hearthtest

import (
	"testing"
	"time"

	"hearth/core"
)

// day is a day of the world's time.
const day = 24 * time.Hour

func TestThreePeopleTalkAndTheServerForgets(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob, carol := w.Person("alice"), w.Person("bob"), w.Person("carol")
		room := alice.Befriend(bob)
		bob.Send(room, "and hello back")
		alice.Expect("and hello back")

		group := alice.Group("kitchen", bob, carol)
		carol.Send(group, "who brings the bread")
		alice.Expect("who brings the bread")
		bob.Expect("who brings the bread")

		w.Sleep(10 * time.Second)
		w.Server("home").Stop()
		w.Server("home").MustNotContain("a text", []byte("who brings the bread"), []byte("and hello back"), []byte("kitchen"))
	})
}

func TestMessagesEndWhereverTheyAre(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		room := alice.Befriend(bob)
		alice.Send(room, "gone in a month")
		bob.Expect("gone in a month")
		bob.Stop()
		alice.Send(room, "never fetched")
		w.Sleep(31 * day)
		if err := bob.Start(); err != nil {
			t.Fatal(err)
		}
		bob.ExpectNever("never fetched", time.Hour)
		for _, p := range []*Person{alice, bob} {
			events, err := p.Client.History(p.Patience(), room, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.Type == core.EventMessage {
					t.Errorf("%s still shows %q", p.Name, e.Text)
				}
			}
		}
	})
}
