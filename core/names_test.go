package core_test

import (
	"testing"

	"hearth/core"
	"hearth/hearthtest"
)

// TestLinkNamesWhoLetsIn: who follows a group's link is told by the Welcome who has
// let them in. Their own server does not know, and no other is asked.
func TestLinkNamesWhoLetsIn(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		bob, carol := w.Person("bob"), w.PersonAt("carol", "away")
		alice, room := kitchen(w, bob)
		link, err := alice.Client.GroupLink(alice.Patience(), room, core.GroupLinkOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if j, err := carol.Client.GroupJoin(carol.Patience(), link.Link, ""); err != nil || j.State != core.JoinJoined {
			t.Fatalf("carol follows the link: %+v, %v", j, err)
		}
		names := map[string]string{}
		for _, m := range carol.Members(room) {
			names[m.Account] = m.Handle
		}
		for _, p := range []*hearthtest.Person{alice, bob} {
			if got, want := names[account(p).String()], p.Name+"@home.example"; got != want {
				t.Errorf("carol sees %q, want %q", got, want)
			}
		}
		reaches(w, room, "hello", alice, bob, carol)
		for _, e := range carol.Seen() {
			if e.Text == "hello" && e.From != "alice@home.example" {
				t.Errorf("carol reads a message of %q", e.From)
			}
		}
	})
}
