package core

import "testing"

// TestADoorThatShowsAnOlderChain: what the door of a device gave is left out when
// another door of the person shows that it is revoked since.
func TestADoorThatShowsAnOlderChain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, phone, erin := w.person("alice"), w.home("phone"), w.person("erin")
		phone.start()
		linkTo(t, alice, phone, "phone")
		phone.ready()
		p, err := erin.c.find(erin.ctx(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		old, err := erin.c.claim(erin.ctx(), p, nil)
		if err != nil || len(old) != 2 {
			t.Fatalf("got %d, %v, want a KeyPackage of each device", len(old), err)
		}
		me, err := phone.c.Whoami()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := alice.c.RevokeDevice(alice.ctx(), me.Device); err != nil {
			t.Fatal(err)
		}
		var now [][]byte
		err = alice.c.look(alice.ctx(), func(s *step) error {
			a, err := s.me()
			now = a.Chain
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		left, err := stillLive(append([]invitee{}, old...))
		if err != nil || len(left) != 2 {
			t.Errorf("by the chain of then: got %d, %v, want 2", len(left), err)
		}
		old[0].Chain = now
		if left, err = stillLive(old); err != nil || len(left) != 1 {
			t.Errorf("by the chain of now: got %d, %v, want 1", len(left), err)
		}
	})
}
