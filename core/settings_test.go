package core

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

// unplug puts a home off the net, and plug back; its client runs on.
func (h *home) unplug() {
	h.stop()
	h.wrap = func(c wire.Conn) wire.Conn {
		c.Close()
		return c
	}
	h.start()
}

func (h *home) plug() {
	h.stop()
	h.wrap = nil
	h.start()
}

func (h *home) configure(ch SettingsChange) AccountSettings {
	h.t.Helper()
	s, err := h.c.Configure(h.ctx(), ch)
	if err != nil {
		h.t.Fatalf("%s: settings: %v", h.name, err)
	}
	return s
}

func TestSettingsHoldOnAllDevices(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, phone, _, _ := withPhone(t)
		if s := alice.configure(SettingsChange{}); s != (AccountSettings{Receipts: true, Retention: "30d"}) {
			t.Errorf("at first: %+v", s)
		}
		off, week := false, "1w"
		phone.configure(SettingsChange{Receipts: &off, Retention: &week})
		settle(phone, alice)
		want := AccountSettings{Retention: "7d"}
		if s := alice.configure(SettingsChange{}); s != want {
			t.Errorf("the laptop has %+v", s)
		}
		tablet := w.link(alice, "tablet")
		settle(alice, phone, tablet)
		tablet.stop()
		tablet.start()
		if s := tablet.configure(SettingsChange{}); s != want {
			t.Errorf("a device that was linked later has %+v", s)
		}
		// What is begun from now on has that timer, on whatever device.
		w.person("carol")
		if r := alice.room(alice.send("carol", "hello carol").Room); r.Retention != "7d" {
			t.Errorf("a direct conversation begins with %s", r.Retention)
		}
		g, err := tablet.c.GroupNew(tablet.ctx(), "Sunday", []string{"bob"})
		if err != nil {
			t.Fatal(err)
		}
		if r := tablet.room(g.Room); r.Retention != "7d" {
			t.Errorf("a group begins with %s", r.Retention)
		}
		// A timer that is none changes nothing.
		soon := "soon"
		if _, err := alice.c.Configure(alice.ctx(), SettingsChange{Retention: &soon}); code(err) != wire.BadInput {
			t.Errorf("a timer that is none: %v", err)
		}
	})
}

// TestTheNewestSettingCounts: a device that set something while it was off the net
// does not overrule what was set after that elsewhere, and all devices agree
// whatever way they heard of it.
func TestTheNewestSettingCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, phone, _, _ := withPhone(t)
		tablet := w.link(alice, "tablet")
		settle(alice, phone, tablet)
		timer := func(h *home, retention string) { h.configure(SettingsChange{Retention: &retention}) }
		block := func(h *home, f func() (Blocking, error)) {
			t.Helper()
			if _, err := f(); err != nil {
				t.Fatal(err)
			}
		}
		agreed := func(when, retention string, blocked bool) {
			t.Helper()
			pass(time.Minute)
			settle(alice, phone, tablet)
			for _, h := range []*home{alice, phone, tablet} {
				if s := h.configure(SettingsChange{}); s.Retention != retention {
					t.Errorf("%s: %s has %s, want %s", when, h.name, s.Retention, retention)
				}
				h.c.look(t.Context(), func(s *step) error {
					p, err := s.find1("bob@home.example")
					if err != nil || p.Blocked != blocked {
						t.Errorf("%s: on %s bob is blocked: %v, %v", when, h.name, p.Blocked, err)
					}
					return nil
				})
			}
		}
		phone.unplug()
		timer(phone, "1d")
		block(phone, func() (Blocking, error) { return phone.c.Block(phone.ctx(), "bob") })
		pass(time.Hour)
		timer(alice, "7d")
		block(alice, func() (Blocking, error) { return alice.c.Block(alice.ctx(), "bob") })
		block(alice, func() (Blocking, error) { return alice.c.Unblock(alice.ctx(), "bob") })
		settle(alice, tablet)
		phone.plug()
		agreed("the older one arrives last", "7d", false)

		phone.unplug()
		timer(alice, "14d")
		settle(alice)
		pass(time.Hour)
		timer(phone, "2d")
		block(phone, func() (Blocking, error) { return phone.c.Block(phone.ctx(), "bob") })
		phone.plug()
		agreed("the newer one arrives last", "2d", true)

		// In the same moment, and neither knows of the other.
		alice.unplug()
		phone.unplug()
		timer(alice, "3d")
		timer(phone, "5d")
		phone.plug()
		agreedSoon := func() { pass(time.Minute); settle(phone, tablet) }
		agreedSoon()
		alice.plug()
		agreed("set at once", "5d", true)
	})
}

// find1 returns a person by a handle that is known.
func (s *step) find1(handle string) (*person, error) {
	var id wire.AccountID
	if _, err := s.get(handleName(handle), &id); err != nil {
		return nil, err
	}
	return s.person(id)
}

// TestReceiptsAreOffOnAllDevices: and a new one gives none before it knows.
func TestReceiptsAreOffOnAllDevices(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, alice, phone, bob, room := withPhone(t)
		pass(time.Hour)
		bob.got()
		// The phone owes a receipt when the laptop switches them off.
		bob.send(room, "one")
		synctest.Wait()
		alice.receipts(false)
		settle(alice, phone)
		phone.got()
		alice.got()
		pass(time.Hour)
		if got := marks(bob.got()); got != nil {
			t.Errorf("receipts are off: bob got %q", got)
		}
		alice.receipts(true)
		settle(alice, phone)
		two := bob.send(room, "two").ID
		settle(bob)
		phone.got()
		pass(time.Hour)
		if got := marks(bob.got()); !slices.Contains(got, "alice@home.example read "+two) {
			t.Errorf("receipts are on again: bob got %q", got)
		}
		// A device to which nothing was handed over yet does not know.
		alice.unplug()
		phone.c.step(t.Context(), func(s *step) error {
			s.del(arrivedAllName)
			s.del(settingName(receiptsSetting))
			return nil
		})
		bob.send(room, "three")
		settle(bob)
		phone.got()
		pass(time.Hour)
		if got := marks(bob.got()); got != nil {
			t.Errorf("from a device that does not know whether it may, bob got %q", got)
		}
	})
}

// TestSettingsComeBackWithABackup: a device that has lost everything still knows them.
func TestSettingsComeBackWithABackup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.home("alice")
		alice.start()
		reg, err := alice.c.Register(alice.ctx(), RegisterOptions{Name: "alice", Server: testServer})
		if err != nil {
			t.Fatal(err)
		}
		off, day := false, "1d"
		want := alice.configure(SettingsChange{Receipts: &off, Retention: &day})
		if _, err := alice.c.BackupCreate(alice.ctx(), BackupOptions{To: "file"}); err != nil {
			t.Fatal(err)
		}
		alice.stop()
		next := w.home("next")
		next.start()
		if _, err := next.c.BackupRestore(next.ctx(), RestoreOptions{From: "file", Words: reg.Recovery}); err != nil {
			t.Fatal(err)
		}
		if s := next.configure(SettingsChange{}); s != want {
			t.Errorf("restored: %+v, want %+v", s, want)
		}
	})
}

// TestWhatWasSetLongOffTheNet: a device sets something and is away for longer than
// the server keeps anything; back in step it tells the others, and hears of what
// they set.
func TestWhatWasSetLongOffTheNet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, alice, phone, bob, room := withPhone(t)
		phone.unplug()
		phone.arrange("bob", Arrangement{Nickname: on("Uncle Bob")})
		phone.draft(room, on("never sent"))
		phone.stop()
		alice.arrange(room, Arrangement{Pinned: on(true)})
		alice.configure(SettingsChange{Retention: on("7d")})
		settle(alice)
		sayWhileAway(bob, room)
		phone.plug()
		quiet()
		settle(alice, phone)
		for _, h := range []*home{alice, phone} {
			if r := h.room(room); r.Nickname != "Uncle Bob" || !r.Pinned || r.Draft != "" {
				t.Errorf("%s lists %+v", h.name, r)
			}
			if s := h.configure(SettingsChange{}); s.Retention != "7d" {
				t.Errorf("%s has %+v", h.name, s)
			}
		}
	})
}
