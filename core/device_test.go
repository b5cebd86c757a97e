package core

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/lane"
	"hearth/wire"
)

// link links a new home to h's account and waits until it is ready.
func (w *world) link(h *home, name string) *home {
	w.t.Helper()
	d := w.home(name)
	d.start()
	linkTo(w.t, h, d, name)
	d.ready()
	return d
}

// linkTo lets d ask with a code of h, and confirms.
func linkTo(t testing.TB, h, d *home, name string) {
	t.Helper()
	code := h.linkCode()
	here, err := d.c.LinkJoin(d.ctx(), code.Code, name)
	if err != nil {
		t.Fatalf("ask to be linked: %v", err)
	}
	asked, err := h.c.LinkAsked(h.ctx())
	if err != nil {
		t.Fatalf("be asked: %v", err)
	}
	if asked.Number != here.Number || len(asked.Number) != 7 || asked.ID != here.Device || asked.Name != name {
		t.Fatalf("the old device shows %+v, the new one %+v", asked, here)
	}
	if _, err := h.c.LinkConfirm(h.ctx(), asked.ID); err != nil {
		t.Fatalf("confirm: %v", err)
	}
}

// ready waits until a linked device has its rooms and its history.
func (h *home) ready() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var s LinkStatus
	for s.State != LinkReady {
		var err error
		if s, err = h.c.LinkProgress(ctx, s); err != nil || ctx.Err() != nil {
			h.t.Fatalf("%s is not ready: %+v, %v", h.name, s, err)
		}
	}
}

// sync lets everything arrive everywhere.
func settle(homes ...*home) {
	for _, h := range homes {
		h.t.Helper()
		if err := h.c.wait(h.ctx(), waiting{}.settled); err != nil {
			h.t.Fatalf("%s: settle: %v", h.name, err)
		}
	}
	synctest.Wait()
}

func TestALinkedDeviceIsInEveryRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		alice.send("bob", "hello bob")
		direct := bob.accept()
		g, err := alice.c.GroupNew(alice.ctx(), "Sunday", []string{"bob", "carol"})
		if err != nil {
			t.Fatal(err)
		}
		bob.accept()
		carol.accept()
		alice.send(g.Room, "welcome")
		settle(alice, bob, carol)
		alice.got()

		phone := w.link(alice, "phone")
		rooms, err := phone.c.Rooms(phone.ctx())
		if err != nil || len(rooms) != 3 {
			t.Fatalf("rooms of the phone: %+v, %v", rooms, err)
		}
		// The history is there, once and in order.
		events, err := phone.c.History(phone.ctx(), direct, 0)
		if got := texts(events); err != nil || !slices.Equal(got, []string{"hello bob"}) {
			t.Errorf("history of the direct room: %v, %v", got, err)
		}
		events, _ = phone.c.History(phone.ctx(), g.Room, 0)
		if got := texts(events); !slices.Equal(got, []string{"welcome"}) {
			t.Errorf("history of the group: %v", got)
		}
		if got := phone.got(); len(texts(got)) != 0 {
			t.Errorf("old messages were given out as new: %+v", got)
		}

		// Both devices write and read, everywhere.
		phone.send(direct, "from the phone")
		alice.send(g.Room, "from the laptop")
		bob.send("alice", "to both")
		carol.send(g.Room, "to all")
		settle(alice, phone, bob, carol)
		if got := texts(bob.got()); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"from the laptop", "from the phone", "hello bob", "to all", "welcome"}) {
			t.Errorf("bob got %v", got)
		}
		for _, h := range []*home{alice, phone} {
			got := h.got()
			want := []string{"from the phone", "to all", "to both"}
			if h == phone {
				want[0] = "from the laptop"
			}
			have := texts(got)
			slices.Sort(have)
			slices.Sort(want)
			if !slices.Equal(have, want) {
				t.Errorf("%s got %v, want %v", h.name, have, want)
			}
			for _, e := range got {
				if e.Type == EventMessage && strings.HasPrefix(e.Text, "from") && (e.Device == "" || !strings.HasPrefix(e.From, "alice@")) {
					t.Errorf("an own message of another device: %+v", e)
				}
			}
		}
		if got := codes(phone.got()); len(got) != 0 {
			t.Errorf("notices: %v", got)
		}
		devices, err := alice.c.Devices(alice.ctx())
		if err != nil || len(devices) != 2 || devices[1].Name != "phone" || !devices[0].Current || devices[1].Added == nil {
			t.Errorf("devices: %+v, %v", devices, err)
		}
		if got, _ := phone.c.Devices(phone.ctx()); len(got) != 2 || !got[1].Current {
			t.Errorf("devices, as the phone has them: %+v", got)
		}
	})
}

func TestAllDevicesSayThatOneWasAdded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.person("alice")
		phone := w.link(alice, "phone")
		if got := codes(alice.got()); !slices.Contains(got, NoticeDeviceAdded) {
			t.Errorf("the first device says %v", got)
		}
		phone.got()
		tablet := w.link(phone, "tablet")
		settle(alice, phone, tablet)
		for _, h := range []*home{alice, phone} {
			if got := codes(h.got()); !slices.Contains(got, NoticeDeviceAdded) {
				t.Errorf("%s says %v", h.name, got)
			}
		}
		// All three speak to each other in the self room.
		for _, h := range []*home{alice, phone, tablet} {
			if got, _ := h.c.Devices(h.ctx()); len(got) != 3 || got[2].Name != "tablet" {
				t.Errorf("devices, as %s has them: %+v", h.name, got)
			}
		}
	})
}

func FuzzParseSync(f *testing.F) {
	f.Add(wire.Encode(syncBody{Version: syncVersion, Items: []syncItem{
		item(syncDevice, device{Name: "phone"}), item(syncPerson, syncedPerson{Contact: true}), item(syncDecision, decision{Accept: true}),
		item(syncRead, readMark{}), item(syncSetting, setting{Name: "x"}), item(syncArchive, handed{}), item(syncAsk, askHistory{}),
	}}))
	f.Add(wire.Encode(syncBody{Version: syncVersion, Items: []syncItem{{Kind: 99, Body: []byte("later")}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseSync(b); err == nil && !bytes.Equal(wire.Encode(s), b) {
			t.Errorf("accepted %x, encodes as %x", b, wire.Encode(s))
		}
	})
}

// A revoked device is removed from every room, reads nothing from then on, and
// says so itself.
func TestARevokedDeviceIsOutEverywhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		alice.send("bob", "hello bob")
		room := bob.accept()
		phone := w.link(alice, "phone")
		tablet := w.link(phone, "tablet")
		settle(alice, bob, phone, tablet)
		for _, h := range []*home{alice, bob, phone, tablet} {
			h.got()
		}
		seat := func() (id wire.SeatID, secret wire.Secret, at wire.RoomID) {
			in, err := tablet.c.Inside(room)
			if err != nil {
				t.Fatal(err)
			}
			return in.Seat, in.Secret, in.Room
		}
		id, secret, at := seat()
		tablet.stop() // stolen, and switched off

		list, _ := alice.c.Devices(alice.ctx())
		if _, err := alice.c.RevokeDevice(alice.ctx(), list[2].Device); err != nil {
			t.Fatalf("revoke: %v", err)
		}
		bob.send("alice", "without the tablet")
		settle(alice, bob, phone)
		if got := texts(phone.got()); !slices.Contains(got, "without the tablet") {
			t.Errorf("the phone got %v", got)
		}
		if list, _ := phone.c.Devices(phone.ctx()); len(list) != 2 {
			t.Errorf("the phone lists %+v", list)
		}
		for _, h := range []*home{alice, phone, bob} {
			in, err := h.c.Inside(room)
			if err != nil || len(in.Roster.Leaves()) != 3 {
				t.Errorf("%s sees %d leaves, %v", h.name, len(in.Roster.Leaves()), err)
			}
		}
		// The server opens its seat no further than its removal.
		s, err := phone.c.net.To(testServer, lane.Seats).Now(phone.ctx())
		if err != nil {
			t.Fatal(err)
		}
		h, _ := s.Subscribe(8)
		var o wire.SeatOpened
		err = s.Call(phone.ctx(), wire.OpSeatOpen, wire.SeatOpen{Handle: h, Room: at, Seat: id, Secret: secret, Credit: 1}, &o)
		in, _ := phone.c.Inside(room)
		if err == nil && o.Head > in.Commit {
			t.Errorf("the seat of a revoked device opens to %d; its removal is %d", o.Head, in.Commit)
		}

		tablet.start()
		synctest.Wait()
		got := tablet.got()
		if len(texts(got)) > 0 || !slices.Contains(codes(got), NoticeDeviceRevoked) {
			t.Errorf("the tablet got %+v", got)
		}
		if _, err := tablet.c.Send(tablet.ctx(), SendOptions{To: "bob", Text: "still here?"}); err != errRevoked {
			t.Errorf("a revoked device sends: %v", err)
		}
	})
}
