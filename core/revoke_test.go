package core

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/lane"
	"hearth/core/vault/vaulttest"
	"hearth/identity"
	"hearth/wire"
)

// alone checks that a home's device is the only live one of its account, in its
// chain at the server and in all of its rooms.
func (h *home) alone(t *testing.T, room string, others ...*home) {
	t.Helper()
	me, err := h.c.self(h.ctx())
	if err != nil {
		t.Fatal(err)
	}
	key, err := me.key()
	if err != nil {
		t.Fatal(err)
	}
	chain := h.shown()
	for _, d := range chain.Devices() {
		if d.Live != (d.ID == key.ID()) {
			t.Errorf("of %d devices, a wrong one is live: %v", len(chain.Devices()), d.Live)
		}
	}
	for _, at := range append(others, h) {
		in, err := at.c.Inside(room)
		if err != nil {
			t.Errorf("%s: %v", at.name, err)
			continue
		}
		leaves := in.Roster.LeavesOf(me.ID)
		if len(leaves) != 1 || leaves[0].Device != key.ID() {
			t.Errorf("%s sees %d devices in the conversation", at.name, len(leaves))
		}
	}
	together(t, 1, h)
}

// shown is the account's chain as its server shows it.
func (h *home) shown() *identity.Chain {
	h.t.Helper()
	me, err := h.c.self(h.ctx())
	if err != nil {
		h.t.Fatal(err)
	}
	var rec wire.AccountRecord
	if err := h.c.net.To(testServer, lane.Accounts).Do(h.ctx(), wire.OpAccountGet, wire.AccountGet{Account: &me.ID}, &rec); err != nil {
		h.t.Fatal(err)
	}
	chain, err := identity.VerifyFor(me.ID, rec.Chain)
	if err != nil {
		h.t.Fatal(err)
	}
	return chain
}

// TestRevokeOthersLeavesOneDevice, whose self room goes on.
func TestRevokeOthersLeavesOneDevice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		alice.send("bob", "hello")
		room := bob.accept()
		phone := w.link(alice, "phone")
		tablet := w.link(phone, "tablet")
		settle(alice, bob, phone, tablet)
		before, _, _ := alice.self()
		gone, err := alice.c.RevokeOthers(alice.ctx())
		if err != nil || len(gone) != 2 || gone[0].Name != "phone" || gone[1].Name != "tablet" {
			t.Fatalf("gone: %+v, %v", gone, err)
		}
		settle(alice, bob)
		alice.alone(t, room, bob)
		if id, _, _ := alice.self(); id != before {
			t.Error("another self room was founded")
		}
		for _, h := range []*home{phone, tablet} {
			if got := codes(h.got()); !slices.Contains(got, NoticeDeviceRevoked) {
				t.Errorf("%s says %q", h.name, got)
			}
		}
		if gone, err := alice.c.RevokeOthers(alice.ctx()); err != nil || len(gone) != 0 {
			t.Errorf("a second time: %+v, %v", gone, err)
		}
	})
}

// TestARestoredDeviceTakesTheOthersOut: those that its backup knows and one that a
// thief has linked since.
func TestARestoredDeviceTakesTheOthersOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		phone := v.link(v.alice, "phone")
		settle(v.alice, phone)
		v.backup("a")
		spy := v.link(phone, "spy")
		settle(v.alice, phone, spy, v.bob)
		v.alice.stop()
		h, _, err := v.restore(RestoreOptions{From: "a", Words: v.recovery, RevokeOthers: true})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		together(t, 1, h) // by itself, at once
		v.bob.send(v.room, "to alice alone")
		quiet()
		settle(h, v.bob)
		h.alone(t, v.room, v.bob)
		v.bob.send(v.room, "again")
		settle(h, v.bob)
		if got := v.history(h); !slices.Contains(got, "again") {
			t.Errorf("history: %q", got)
		}
		for _, d := range []*home{phone, spy} {
			if got := d.got(); !slices.Contains(codes(got), NoticeDeviceRevoked) || slices.Contains(texts(got), "again") {
				t.Errorf("%s got %q, says %q", d.name, texts(got), codes(got))
			}
		}
		tablet := v.link(h, "tablet")
		settle(h, tablet)
		together(t, 2, h, tablet)
		tells(t, h, tablet)
	})
}

// acting is a connection on which something happens before a question about an
// account leaves.
type acting struct {
	wire.Conn
	before func(wire.Op)
}

func (c acting) Write(ctx context.Context, frame []byte) error {
	var f wire.Frame
	if wire.Decode(frame, &f) == nil {
		c.before(f.Op)
	}
	return c.Conn.Write(ctx, frame)
}

// TestARestoredDeviceOutranksAThief who removes it, and adds another, as soon as it
// is there.
func TestARestoredDeviceOutranksAThief(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		phone := v.link(v.alice, "phone")
		settle(v.alice, phone)
		v.backup("a")
		thief, err := phone.c.self(phone.ctx())
		if err != nil {
			t.Fatal(err)
		}
		stolen, err := thief.key()
		if err != nil {
			t.Fatal(err)
		}
		h := v.home("again")
		added, acted := false, false
		h.wrap = func(c wire.Conn) wire.Conn {
			return acting{c, func(op wire.Op) {
				now := added && !acted && (op == wire.OpAccountAppend || op == wire.OpAccountGet)
				added = added || op == wire.OpAccountAppend
				if !now {
					return
				}
				acted = true
				chain := phone.shown()
				put := func(next *identity.Chain, entry []byte, err error) {
					if err == nil {
						err = phone.c.net.To(testServer, lane.Accounts).Do(phone.ctx(), wire.OpAccountAppend,
							wire.AccountAppend{Account: thief.ID, Head: wire.SecretHash(chain.Head()), Entry: entry}, nil)
					}
					if err != nil {
						t.Error(err)
					}
					chain = next
				}
				put(chain.AddDevice(stolen, identity.NewDeviceKey().Candidate(thief.ID)))
				put(chain.RevokeDevice(stolen, chain.Devices()[2].ID))
			}}
		}
		h.start()
		if _, err := h.c.BackupRestore(h.ctx(), RestoreOptions{From: "a", Words: v.recovery, RevokeOthers: true}); err != nil {
			t.Fatal(err)
		}
		quiet()
		h.alone(t, v.room, v.bob)
	})
}

// TestWhoeverARestoredDeviceTakesOutIsTold, in no conversation but its own.
func TestWhoeverARestoredDeviceTakesOutIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.home("alice")
		alice.start()
		r, err := alice.c.Register(alice.ctx(), RegisterOptions{Server: testServer})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := alice.c.BackupCreate(alice.ctx(), BackupOptions{To: "a"}); err != nil {
			t.Fatal(err)
		}
		h := w.home("again")
		h.start()
		if _, err := h.c.BackupRestore(h.ctx(), RestoreOptions{From: "a", Words: r.Recovery, RevokeOthers: true}); err != nil {
			t.Fatal(err)
		}
		settle(h)
		if _, err := alice.c.Whoami(); err != errRevoked {
			t.Errorf("the one that was taken out: %v", err)
		}
	})
}

// TestARestoredDeviceFindsRoomInAFullAccount, for what fills it goes.
func TestARestoredDeviceFindsRoomInAFullAccount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		me, err := v.alice.c.self(v.alice.ctx())
		if err != nil {
			t.Fatal(err)
		}
		key, err := me.key()
		if err != nil {
			t.Fatal(err)
		}
		err = v.alice.c.appendChain(v.alice.ctx(), func(_ *step, _ *account, chain *identity.Chain) ([]byte, error) {
			if len(chain.Devices()) == identity.MaxDevices {
				return nil, nil
			}
			_, entry, err := chain.AddDevice(key, identity.NewDeviceKey().Candidate(me.ID))
			return entry, err
		})
		if err != nil {
			t.Fatal(err)
		}
		v.alice.stop()
		if _, _, err := v.restore(RestoreOptions{From: "a", Words: v.recovery}); err == nil {
			t.Error("one device too many")
		}
		h, _, err := v.restore(RestoreOptions{From: "a", Words: v.recovery, RevokeOthers: true})
		if err != nil {
			t.Fatal(err)
		}
		quiet()
		h.alone(t, v.room, v.bob)
	})
}

// begin lets the faults count from here on: the subject is opened again.
func (st *story) begin() {
	st.me.stop()
	st.me.disk, st.me.key = st.f.Disk(st.disk), st.f.Key(st.key)
	st.do("open", func() error { return nil }, nil)
}

// alone lets some time pass, and checks that the subject is its account's only
// device, and hears what is said.
func (st *story) alone(room string, bob *home) (steps int) {
	st.t.Helper()
	steps = st.f.Steps()
	for range 4 {
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		st.wake()
	}
	bob.send("alice", "to one")
	st.settle()
	st.wake()
	synctest.Wait()
	var events []Event
	st.do("history", func() (err error) { // a look marks what was read: a step, too
		events, err = st.me.c.History(st.me.ctx(), room, 0)
		return err
	}, nil)
	if !slices.Contains(texts(events), "to one") {
		st.t.Errorf("history: %q", texts(events))
	}
	synctest.Wait()
	st.wake()
	synctest.Wait()
	st.me.alone(st.t, room, bob)
	agree(st.t, room, st.me, bob)
	return steps
}

// revokeOthers is the story of a device that takes two others out, killed at some
// step: it goes on by itself.
func revokeOthers(t *testing.T, f *vaulttest.Faults) int {
	st := newStory(t, f, "alice")
	st.me.disk, st.me.key = st.disk, st.key
	bob := st.w.person("bob")
	st.me.start()
	if _, err := st.me.c.Register(st.me.ctx(), RegisterOptions{Name: "alice", Server: testServer}); err != nil {
		t.Fatal(err)
	}
	st.me.send("bob", "hello")
	room := bob.accept()
	phone := st.w.link(st.me, "phone")
	tablet := st.w.link(st.me, "tablet")
	settle(st.me, bob, phone, tablet)
	st.begin()
	begun := false
	st.do("revoke others", func() error {
		if begun { // the subject was killed: it was said once
			devices, err := st.me.c.Devices(st.me.ctx())
			if busy, _ := st.me.busy(revokingName); err != nil || busy || len(devices) < 3 {
				return err
			}
		}
		begun = true
		_, err := st.me.c.RevokeOthers(st.me.ctx())
		return err
	}, nil)
	return st.alone(room, bob)
}

func (h *home) busy(name string) (busy bool, err error) {
	err = h.c.look(h.ctx(), func(s *step) (err error) {
		busy, err = s.has(name)
		return err
	})
	return busy, err
}

// restoreAlone is the story of a home that is restored as its account's only
// device, killed at some step.
func restoreAlone(t *testing.T, f *vaulttest.Faults) int {
	st := newStory(t, f, "again")
	bob, alice := st.w.person("bob"), st.w.home("alice")
	alice.start()
	r, err := alice.c.Register(alice.ctx(), RegisterOptions{Name: "alice", Server: testServer})
	if err != nil {
		t.Fatal(err)
	}
	alice.send("bob", "hello")
	room := bob.accept()
	phone := st.w.link(alice, "phone")
	settle(alice, bob, phone)
	if _, err := alice.c.BackupCreate(alice.ctx(), BackupOptions{To: "a"}); err != nil {
		t.Fatal(err)
	}
	st.do("restore", func() error {
		_, err := st.me.c.BackupRestore(st.me.ctx(), RestoreOptions{From: "a", Words: r.Recovery, RevokeOthers: true})
		if code(err) == wire.Taken && st.killed {
			return nil // it was done, and its answer was lost
		}
		return err
	}, nil)
	return st.alone(room, bob)
}

func TestRevokeOthersKilledAtEveryStep(t *testing.T) {
	for _, c := range []struct {
		name  string
		story func(*testing.T, *vaulttest.Faults) int
		least int
	}{{"others", revokeOthers, 8}, {"restore", restoreAlone, 20}} {
		t.Run(c.name, func(t *testing.T) {
			var count vaulttest.Faults
			steps := 0 // what comes behind the last entry is another time more, another less
			bubble(t, func(t *testing.T) { steps = c.story(t, &count) })
			t.Logf("%d durable steps", steps)
			if t.Failed() || steps < c.least {
				t.Fatalf("counted %d durable steps, want at least %d", steps, c.least)
			}
			killedAt(t, steps, 6, func(t *testing.T, f *vaulttest.Faults) { c.story(t, f) })
		})
	}
}
