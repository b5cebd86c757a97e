package core

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestARestoredOwnerIsLetIntoItsGroup: roles stay with the account, and what was
// said while it was away is not there.
func TestARestoredOwnerIsLetIntoItsGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		bob, carol := w.person("bob"), w.person("carol")
		v := newOwner(t, w, "dora", bob, carol)
		g := v.room
		if _, err := v.alice.c.BackupCreate(v.alice.ctx(), BackupOptions{To: "d"}); err != nil {
			t.Fatal(err)
		}
		v.alice.stop()
		bob.send(g, "while dora was away")
		h, _, err := v.restore(RestoreOptions{From: "d", Words: v.recovery})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		h.send(g, "dora again")
		for _, m := range []*home{bob, carol} {
			if got := texts(m.got()); !slices.Contains(got, "dora again") {
				t.Errorf("%s: %q", m.name, got)
			}
		}
		carol.send(g, "hello dora")
		got := texts(h.got())
		if !slices.Contains(got, "hello dora") || slices.Contains(got, "while dora was away") {
			t.Errorf("dora: %q", got)
		}
		seven := "7d"
		if _, err := h.c.GroupSet(h.ctx(), g, GroupSettings{Retention: &seven}); err != nil {
			t.Errorf("the owner's right: %v", err)
		}
	})
}
