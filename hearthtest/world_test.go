package hearthtest

import (
	"testing"
	"time"

	"hearth/core"
	"hearth/wire"
)

// day is a day of the world's time.

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

// Who is in a group is nothing a server may learn from what it is asked: fellow
// members are named inside the group, the directory is never asked about them.
func TestMembersAreNamedWithoutAskingTheServer(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob, carol, dave := w.Person("alice"), w.Person("bob"), w.Person("carol"), w.Person("dave")
		alice.Befriend(bob)
		alice.Befriend(carol)
		w.Sleep(time.Minute)
		asked := 0
		w.Net.Tamper(func(l *Link, d Direction, f wire.Frame) []wire.Frame {
			var get wire.AccountGet
			if d == ToServer && f.Op == wire.OpAccountGet && wire.Decode(f.Body, &get) == nil && (l.Person == "bob" || l.Person == "carol") {
				asked++
			}
			return []wire.Frame{f}
		})
		group := alice.Group("kitchen", bob, carol)
		alice.Send(group, "welcome")
		bob.Expect("welcome")
		carol.Expect("welcome")
		if _, err := alice.Client.GroupAdd(alice.Patience(), group, []string{"dave"}); err != nil {
			t.Fatal(err)
		}
		dave.Accept()
		dave.Send(group, "late")
		for _, p := range []*Person{bob, carol} {
			if e := p.Expect("late"); e.From != "dave@home.example" {
				t.Errorf("%s sees a message of %q, want dave's handle", p.Name, e.From)
			}
		}
		for _, m := range dave.Members(group) {
			if m.Handle == "" {
				t.Error("dave, who came late, does not know everybody's name")
			}
		}
		if asked != 0 {
			t.Errorf("the directory was asked %d times about members", asked)
		}
	})
}
