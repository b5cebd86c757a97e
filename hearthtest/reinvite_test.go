package hearthtest

import (
	"slices"
	"testing"
	"time"

	"hearth/core"
	"hearth/wire"
)

// TestWhoCannotBeInvitedNow: the others go on, and who was skipped follows when
// it passes; who was taken back from the list does not.
func TestWhoCannotBeInvitedNow(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		away := w.Server("away")
		far := func(name string) (p *Person, link string) {
			p = w.Stranger(name)
			if _, err := p.Client.Register(p.Patience(), core.RegisterOptions{Server: away.URL}); err != nil {
				t.Fatal(err)
			}
			inv, err := p.Client.Invite(p.Patience(), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			return p, inv.Link
		}
		carol, toCarol := far("carol")
		dave, toDave := far("dave")
		away.Stop()

		g, err := alice.Client.GroupNew(alice.Patience(), "street", []string{"bob", toCarol, "nobody"})
		if err != nil {
			t.Fatal(err)
		}
		want := []core.Skipped{{Handle: toCarol, Code: string(wire.Unreachable), Retry: true}, {Handle: "nobody", Code: string(wire.NotFound)}}
		if !slices.Equal(g.Skipped, want) {
			t.Fatalf("skipped: %+v", g.Skipped)
		}
		bob.Accept()
		bob.Send(g.Room, "we go on")
		alice.Expect("we go on")
		ch, err := alice.Client.GroupAdd(alice.Patience(), g.Room, []string{toDave})
		if err != nil || len(ch.Skipped) != 1 || !ch.Skipped[0].Retry {
			t.Fatalf("add: %+v, %v", ch, err)
		}
		if ch, err = alice.Client.GroupRemove(alice.Patience(), g.Room, []string{toDave}); err != nil || len(ch.Skipped) != 0 {
			t.Fatalf("take dave from the list: %+v, %v", ch, err)
		}

		w.Sleep(time.Hour)
		alice.Restart() // the list is on the disk
		w.Sleep(12 * time.Hour)
		away.Start()
		w.Sleep(7 * time.Hour)
		carol.Accept()
		carol.Send(g.Room, "at last")
		bob.Expect("at last")
		if rs, _ := dave.Client.Requests(dave.Patience()); len(rs) != 0 {
			t.Errorf("dave was invited: %+v", rs)
		}
	})
}
