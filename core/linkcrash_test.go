package core

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/vault/vaulttest"
	"hearth/wire"
)

// linkNew is the story of a device that is being linked, killed at some step.
func linkNew(t *testing.T, f *vaulttest.Faults) {
	st := newStory(t, f, "phone")
	alice, bob := st.w.person("alice"), st.w.person("bob")
	alice.send("bob", "d1")
	room := bob.accept()
	link := alice.linkCode()
	st.do("join", func() error {
		_, err := st.me.c.LinkJoin(st.me.ctx(), link.Code, "phone")
		return err
	}, nil)
	asked, err := alice.c.LinkAsked(alice.ctx())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alice.c.LinkConfirm(alice.ctx(), asked.ID); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		time.Sleep(time.Minute)
		synctest.Wait()
		st.wake()
	}
	bob.send("alice", "to both")
	st.settle()
	st.linked(room, []string{"d1", "to both"}, alice, bob)
}

// linkOld is the story of the device that links another one.
func linkOld(t *testing.T, f *vaulttest.Faults) {
	st := newStory(t, f, "alice")
	bob, phone := st.w.person("bob"), st.w.home("phone")
	phone.start()
	st.register("alice")
	st.say("bob", "d1")
	st.settle()
	room := bob.accept()
	var link LinkCode
	st.do("link", func() (err error) {
		link, err = st.me.c.LinkDevice(st.me.ctx())
		return err
	}, nil)
	var here LinkPending
	for try := 0; ; try++ {
		var err error
		if here, err = phone.c.LinkJoin(phone.ctx(), link.Code, "phone"); err == nil {
			break
		}
		if st.wake(); try > 0 { // the subject was killed as it was asked
			t.Fatal(err)
		}
	}
	synctest.Wait()
	st.wake()
	st.do("confirm", func() error {
		asked, err := st.me.c.LinkAsked(st.me.ctx())
		if code(err) == wire.NotFound && st.killed {
			return nil // it was confirmed, and that was carried out
		}
		if err != nil {
			return err
		}
		if asked.Number != here.Number {
			return errors.New("another number")
		}
		_, err = st.me.c.LinkConfirm(st.me.ctx(), asked.ID)
		return err
	}, nil)
	for range 4 {
		time.Sleep(time.Minute)
		synctest.Wait()
		st.wake()
	}
	bob.send("alice", "to both")
	st.settle()
	st.linked(room, []string{"d1", "to both"}, phone, bob)
	if got, _ := st.me.c.Devices(st.me.ctx()); len(got) != 2 {
		t.Errorf("devices: %+v", got)
	}
}

// linked checks that the subject and another device of its account are equal.
func (st *story) linked(room string, want []string, other, bob *home) {
	st.t.Helper()
	synctest.Wait()
	st.wake()
	synctest.Wait()
	agree(st.t, room, st.me, other, bob)
	for _, h := range []*home{st.me, other} {
		var events []Event
		read := func() (err error) {
			events, err = h.c.History(h.ctx(), room, 0)
			return err
		}
		if h == st.me {
			st.do("history", read, nil) // a look marks what was read: a step, too
		} else if err := read(); err != nil {
			st.t.Error(err)
		}
		if got := texts(events); !slices.Equal(got, want) {
			st.t.Errorf("%s has %q, want %q", h.name, got, want)
		}
		if got, err := h.c.Devices(h.ctx()); err != nil || len(got) != 2 {
			st.t.Errorf("%s lists %+v, %v", h.name, got, err)
		}
	}
}

func TestLinkKilledAtEveryStep(t *testing.T) {
	for _, c := range []struct {
		name  string
		story func(*testing.T, *vaulttest.Faults)
		least int
	}{{"new", linkNew, 20}, {"old", linkOld, 30}} {
		t.Run(c.name, func(t *testing.T) {
			var count vaulttest.Faults
			bubble(t, func(t *testing.T) { c.story(t, &count) })
			steps := count.Steps()
			t.Logf("%d durable steps", steps)
			if t.Failed() || steps < c.least {
				t.Fatalf("counted %d durable steps, want at least %d", steps, c.least)
			}
			killedAt(t, steps, 8, c.story)
		})
	}
}
