package core

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/lane"
	"hearth/core/letter"
	"hearth/identity"
	"hearth/wire"
)

// ask posts a request of a stranger's making with a code, and returns the device
// that asks.
func askWith(t *testing.T, h *home, code string) (id string, err error) {
	t.Helper()
	l, err := letter.ParseDeviceLink(code)
	if err != nil {
		t.Fatal(err)
	}
	key := identity.NewDeviceKey()
	body, err := letter.NewLinkRequest(key, l.Account, letter.LinkRequest{Name: "mallory",
		Door: address{Server: testServer, ID: wire.NewRoomID(1), Key: wire.NewSecret(), Sealing: wire.NewSecret()}})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := letter.Seal(l.At(), letter.KindLinkRequest, body)
	if err != nil {
		t.Fatal(err)
	}
	err = h.c.net.To(testServer, lane.Posts).Do(h.ctx(), wire.OpDoorPost,
		wire.DoorPost{Door: l.Door, Key: l.At().Key, Payload: payload, TTL: 600}, new(wire.Appended))
	return key.ID().String(), err
}

// linkCode makes a code that links one device.
func (h *home) linkCode() LinkCode {
	h.t.Helper()
	code, err := h.c.LinkDevice(h.ctx())
	if err != nil {
		h.t.Fatalf("%s makes a code: %v", h.name, err)
	}
	return code
}

// asks asks to be linked with a code.
func (h *home) asks(code LinkCode) LinkPending {
	h.t.Helper()
	here, err := h.c.LinkJoin(h.ctx(), code.Code, h.name)
	if err != nil {
		h.t.Fatalf("%s asks to be linked: %v", h.name, err)
	}
	return here
}

func TestLinkWorksOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, mallory := w.person("alice"), w.person("mallory")
		code := alice.linkCode()
		phone := w.home("phone")
		phone.start()
		here := phone.asks(code)
		// Whoever else has the code is too late, whatever the server says.
		if _, err := askWith(t, mallory, code.Code); code2(err) != wire.Full {
			t.Errorf("a second request: %v", err)
		}
		second := w.home("second")
		second.start()
		if _, err := second.c.LinkJoin(second.ctx(), code.Code, "second"); !errors.Is(err, errLinkUsed) {
			t.Errorf("a code that was used: %v", err)
		}
		asked, err := alice.c.LinkAsked(alice.ctx())
		if err != nil || asked.ID != here.Device {
			t.Fatalf("asked: %+v, %v", asked, err)
		}
		if _, err := alice.c.LinkConfirm(alice.ctx(), identity.NewDeviceID().String()); !errors.Is(err, errNoLink) {
			t.Errorf("another device was confirmed: %v", err)
		}
		if _, err := alice.c.LinkConfirm(alice.ctx(), asked.ID); err != nil {
			t.Fatal(err)
		}
		phone.ready()
		// And after it was carried out.
		if _, err := alice.c.LinkConfirm(alice.ctx(), asked.ID); !errors.Is(err, errNoLink) {
			t.Errorf("confirmed twice: %v", err)
		}
		if list, _ := alice.c.Devices(alice.ctx()); len(list) != 2 {
			t.Errorf("devices: %+v", list)
		}
	})
}

// code2 is code, for tests whose variable has that name.
func code2(err error) wire.Code { return code(err) }

// Whoever saw the code and was faster shows another number than the device on
// the table, which shows none.
func TestLinkAskedBySomebodyElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, mallory := w.person("alice"), w.person("mallory")
		code := alice.linkCode()
		id, err := askWith(t, mallory, code.Code)
		if err != nil {
			t.Fatal(err)
		}
		phone := w.home("phone")
		phone.start()
		if got, err := phone.c.LinkJoin(phone.ctx(), code.Code, "phone"); !errors.Is(err, errLinkUsed) || got.Number != "" {
			t.Errorf("the device that was too late shows %+v, %v", got, err)
		}
		asked, err := alice.c.LinkAsked(alice.ctx())
		if err != nil || asked.ID != id || asked.Name != "mallory" {
			t.Fatalf("asked: %+v, %v", asked, err)
		}
		if err := alice.c.LinkRefuse(alice.ctx(), asked.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := alice.c.LinkConfirm(alice.ctx(), asked.ID); !errors.Is(err, errNoLink) {
			t.Errorf("a refused device was confirmed: %v", err)
		}
		if list, _ := alice.c.Devices(alice.ctx()); len(list) != 1 {
			t.Errorf("devices: %+v", list)
		}
	})
}

func TestLinkRefusedIsSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, phone := w.person("alice"), w.home("phone")
		phone.start()
		code := alice.linkCode()
		here := phone.asks(code)
		if err := alice.c.LinkRefuse(alice.ctx(), here.Device); err != nil {
			t.Fatal(err)
		}
		if _, err := phone.c.LinkProgress(phone.ctx(), LinkStatus{State: LinkWaiting}); !errors.Is(err, errLinkRefused) {
			t.Errorf("the refused device says %v", err)
		}
		// It can ask again, with another code.
		linkTo(t, alice, phone, "phone")
		phone.ready()
	})
}

func TestLinkExpires(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, phone := w.person("alice"), w.home("phone")
		phone.start()
		link := alice.linkCode()
		time.Sleep(linkLife + time.Second)
		if _, err := phone.c.LinkJoin(phone.ctx(), link.Code, "phone"); !errors.Is(err, errLinkUsed) {
			t.Errorf("an expired code: %v", err)
		}
		if _, err := alice.c.LinkAsked(alice.ctx()); code(err) != wire.Denied {
			t.Errorf("waiting with an expired code: %v", err)
		}
		time.Sleep(linkAnswerLife)
		if _, err := alice.c.LinkAsked(alice.ctx()); code(err) != wire.NotFound {
			t.Errorf("waiting without a code: %v", err)
		}
	})
}

// A request that the server shows late, twice, changed or as another entry adds
// nothing.
func TestLinkAtAnEvilRendezvous(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, mallory := w.person("alice"), w.person("mallory")
		link := alice.linkCode()
		l, _ := letter.ParseDeviceLink(link.Code)
		key := identity.NewDeviceKey()
		at := address{Server: testServer, ID: wire.NewRoomID(1), Key: wire.NewSecret(), Sealing: wire.NewSecret()}
		body, _ := letter.NewLinkRequest(key, l.Account, letter.LinkRequest{Name: "phone", Door: at})
		give := func(kind wire.Kind, payload []byte) {
			t.Helper()
			err := (&linkLog{c: alice.c, id: l.Door}).entry(t.Context(), &wire.Entry{Number: 1, Kind: kind, Payload: payload})
			if err != nil {
				t.Fatal(err)
			}
		}
		asks := func() bool {
			var got *linking
			alice.c.look(t.Context(), func(s *step) (err error) {
				got, err = s.linking()
				return err
			})
			return len(got.Request) > 0
		}
		seal := func(d address, k letter.Kind, body []byte) []byte {
			b, err := letter.Seal(d, k, body)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		good := seal(l.At(), letter.KindLinkRequest, body)
		other := l
		other.Secret = wire.NewSecret() // what a server without the code can seal under
		swapped := slices.Clone(good)
		swapped[len(swapped)-1] ^= 1
		// Another door than the one that the device has signed.
		_, signed, _ := strings.Cut(string(body), "")
		forged := []byte(strings.Replace(signed, string(at.ID[:]), string(append([]byte{1}, make([]byte, 15)...)), 1))
		for what, payload := range map[string][]byte{
			"sealed under another secret": seal(other.At(), letter.KindLinkRequest, body),
			"changed":                     swapped,
			"of another kind":             seal(l.At(), letter.KindAnswer, body),
			"not signed by its device":    seal(l.At(), letter.KindLinkRequest, forged),
			"nothing":                     nil,
		} {
			if give(wire.KindKnock, payload); asks() {
				t.Fatalf("a request %s is taken", what)
			}
		}
		if give(wire.KindPost, good); asks() {
			t.Fatal("a post is taken for a knock")
		}
		give(wire.KindKnock, good)
		first, err := alice.c.LinkAsked(alice.ctx())
		if err != nil || first.ID != key.ID().String() {
			t.Fatalf("asked: %+v, %v", first, err)
		}
		// The server opens the shut door for another.
		body2, _ := letter.NewLinkRequest(identity.NewDeviceKey(), l.Account, letter.LinkRequest{Name: "mallory", Door: at})
		give(wire.KindKnock, seal(l.At(), letter.KindLinkRequest, body2))
		if again, _ := alice.c.LinkAsked(alice.ctx()); again != first {
			t.Errorf("a second request took the first one's place: %+v", again)
		}
		_ = mallory
	})
}

// What the server, or somebody with another code, answers makes no device of an
// account.
func TestLinkAnsweredBySomebodyElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, mallory, phone := w.person("alice"), w.person("mallory"), w.home("phone")
		phone.start()
		link := alice.linkCode()
		phone.asks(link)
		var nonce []byte
		var key identity.DeviceKey
		phone.c.look(t.Context(), func(s *step) error {
			a, _ := s.linkee()
			nonce = a.Nonce
			key, _ = identity.ParseDeviceKey(a.Device)
			return nil
		})
		var others *identity.Chain
		var mine [][]byte
		mallory.c.look(t.Context(), func(s *step) error {
			me, _ := s.me()
			chain, _ := me.chain()
			k, _ := me.key()
			others, _, _ = chain.AddDevice(k, key.Candidate(me.ID))
			return nil
		})
		var answers identity.DeviceID
		alice.c.look(t.Context(), func(s *step) error {
			me, _ := s.me()
			k, _ := me.key()
			mine, answers = me.Chain, k.ID()
			return nil
		})
		at := address{Server: testServer, ID: wire.NewRoomID(1), Key: wire.NewSecret(), Sealing: wire.NewSecret()}
		for what, a := range map[string]letter.LinkAnswer{
			"another account's chain":       {Nonce: nonce, State: letter.LinkDone, Chain: others.Entries(), Device: others.Devices()[0].ID, Door: &at},
			"a chain without the device":    {Nonce: nonce, State: letter.LinkDone, Chain: mine, Device: answers, Door: &at},
			"a nonce that nobody committed": {Nonce: make([]byte, letter.NonceSize), State: letter.LinkRefused},
		} {
			err := phone.c.step(t.Context(), func(s *step) error {
				_, d, err := s.doors()
				if err != nil {
					return err
				}
				return s.linkAnswered(d, a.Encode())
			})
			if err != nil {
				t.Fatal(err)
			}
			if s, err := phone.c.LinkProgress(phone.ctx(), LinkStatus{}); err != nil || s.State != LinkWaiting {
				t.Errorf("%s: %+v, %v", what, s, err)
			}
		}
	})
}

func TestLinkCodesAndInvitationsAreNotTakenForOneAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, phone := w.person("alice"), w.person("bob"), w.home("phone")
		phone.start()
		invitation, err := alice.c.Invite(alice.ctx(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := phone.c.LinkJoin(phone.ctx(), invitation.Link, "phone"); code(err) != wire.BadInput {
			t.Errorf("an invitation as a device code: %v", err)
		}
		link := alice.linkCode()
		if _, err := bob.c.AddContact(bob.ctx(), link.Code); code(err) != wire.BadInput || !strings.Contains(err.Error(), "links a device") {
			t.Errorf("a device code as an invitation: %v", err)
		}
		if _, err := bob.c.Send(bob.ctx(), SendOptions{To: link.Code, Text: "hi"}); code(err) != wire.BadInput {
			t.Errorf("writing to a device code: %v", err)
		}
		// A home that has an account is no new device.
		if _, err := bob.c.LinkJoin(bob.ctx(), link.Code, "phone"); code(err) != wire.Taken {
			t.Errorf("a home with an account is linked: %v", err)
		}
		// And one that is being linked registers no other.
		phone.asks(link)
		asked, _ := alice.c.LinkAsked(alice.ctx())
		if _, err := alice.c.LinkConfirm(alice.ctx(), asked.ID); err != nil {
			t.Fatal(err)
		}
		phone.ready()
		if _, err := phone.c.Register(phone.ctx(), RegisterOptions{Name: "other", Server: testServer}); code(err) != wire.Taken {
			t.Errorf("a linked device registers: %v", err)
		}
		phone.notReady()
		if _, err := phone.c.Register(phone.ctx(), RegisterOptions{Name: "alice", Server: testServer}); code(err) != wire.Taken {
			t.Errorf("a device that is being linked registers: %v", err)
		}
		synctest.Wait()
	})
}

// notReady sets a linked device back to where it knows its account and has made no
// doors yet.
func (h *home) notReady() {
	h.inRoomless(func(s *step) error {
		me, err := s.account()
		if err == nil {
			me.Stage = stageKnown
			s.put(accountName, me)
		}
		return err
	})
}

// A device that was closed as it was being linked goes on when it is opened.
func TestLinkGoesOnAfterARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.person("alice")
		phone := w.link(alice, "phone")
		phone.notReady()
		phone.stop()
		phone.start()
		phone.ready()
	})
}

// The old device's command ends with LinkFinish, and its process with it: by then
// the new one needs nobody to get into its rooms, however slowly their trees went
// up.
func TestLinkFinishWaitsForTheWelcomes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, phone := w.person("alice"), w.person("bob"), w.home("phone")
		alice.send("bob", "hello")
		room := bob.accept()
		settle(alice, bob)
		phone.start()
		direct, _ := alice.record(room)
		w.blobs.slow = func(id wire.RoomID) time.Duration {
			if id == direct.ID {
				return 20 * time.Second
			}
			return 0
		}
		linkTo(t, alice, phone, "phone")
		for _, d := range alice.devices() {
			if _, err := alice.c.LinkFinish(alice.ctx(), d.Device); err != nil {
				t.Fatal(err)
			}
		}
		alice.stop()
		phone.ready()
	})
}
