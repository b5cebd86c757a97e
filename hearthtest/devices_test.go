package hearthtest

import (
	"testing"
	"time"

	"hearth/core"
)

// phone links a second device to somebody's account.
func (w *World) phone(p *Person) *Person {
	w.T.Helper()
	d := w.Stranger(p.Name + "-phone")
	if err := p.LinkTo(d); err != nil {
		w.T.Fatal(err)
	}
	return d
}

// TestOneDeviceLeavesForAll: a device that was away while another left a group
// for the account hears so, though nobody who is still there had the right to
// remove it.
func TestOneDeviceLeavesForAll(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		phone := w.phone(alice)
		room := alice.Group("kitchen", bob)
		w.Sleep(time.Hour)
		w.Net.Offline(alice.Name)
		if _, err := phone.Client.GroupLeave(phone.Patience(), room); err != nil {
			t.Fatal(err)
		}
		w.Sleep(time.Hour)
		w.Net.Online(alice.Name)
		w.Sleep(day)
		if got := alice.State(room); got != core.RoomRemoved && got != core.RoomLeft {
			t.Errorf("alice's first device has the group as %s", got)
		}
	})
}
