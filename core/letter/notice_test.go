package letter

import (
	"bytes"
	"fmt"
	"testing"

	"hearth/identity"
	"hearth/wire"
)

// noticed is a notice on its way: what seals it, who writes it, who knows them.
type noticed struct {
	key   identity.DeviceKey
	links []LinkKey
	n     Notice
}

func newNoticed() noticed {
	return noticed{
		key:   identity.NewDeviceKey(),
		links: []LinkKey{{Epoch: 8, Key: wire.NewSecret()}, {Epoch: 7, Key: wire.NewSecret()}},
		n:     Notice{Kind: NoticeOutOfStep, Room: wire.NewRoomID(1), Leaf: 3, Account: wire.AccountID{1}, Body: []byte("the body")},
	}
}

// knows is a reader that knows the leaf.
func (w noticed) knows(n Notice) (identity.PublicKey, bool) {
	return w.key.Public(), n.Leaf == w.n.Leaf && n.Account == w.n.Account && n.Device == w.key.ID()
}

func TestNoticeIsReadByItsEpochs(t *testing.T) {
	w := newNoticed()
	for i, link := range w.links {
		sealed := must(SealNotice(link, w.key, w.n))
		if len(sealed) != noticeClasses[0] {
			t.Errorf("%d bytes, want %d", len(sealed), noticeClasses[0])
		}
		if bytes.Contains(sealed, w.n.Body) {
			t.Error("the body is in clear")
		}
		got, err := OpenNotice(w.n.Room, w.links, sealed, w.knows)
		if err != nil || got.Kind != NoticeOutOfStep || got.Epoch != link.Epoch || string(got.Body) != "the body" {
			t.Errorf("of link key %d: %+v, %v", i, got, err)
		}
		_, err = OpenNotice(w.n.Room, w.links[1-i:2-i], sealed, w.knows)
		wantRefused(t, "another epoch's key", err)
		_, err = OpenNotice(w.n.Room, []LinkKey{{Epoch: link.Epoch + 1, Key: link.Key}}, sealed, w.knows)
		wantRefused(t, "the key under another epoch", err)
		_, err = OpenNotice(wire.NewRoomID(1), w.links, sealed, w.knows)
		wantRefused(t, "another room", err)
	}
}

// TestNoticeLimits: the largest body fits a notice, one byte more does not.
func TestNoticeLimits(t *testing.T) {
	w := newNoticed()
	w.n.Leaf, w.links[0].Epoch = 1<<32-1, 1<<64-1
	w.n.Body = make([]byte, MaxNoticeBody)
	sealed := must(SealNotice(w.links[0], w.key, w.n))
	if len(sealed) > wire.MaxNotice {
		t.Errorf("%d bytes, want at most %d", len(sealed), wire.MaxNotice)
	}
	w.n.Body = append(w.n.Body, 0)
	_, err := SealNotice(w.links[0], w.key, w.n)
	wantRefused(t, "too long a body", err)
}

// TestNoticeOfAnother: who holds the link key, as all members do, still cannot
// speak for another leaf.
func TestNoticeOfAnother(t *testing.T) {
	w := newNoticed()
	mallory := identity.NewDeviceKey()
	inside := func(n Notice, sign func([]byte) []byte) []byte {
		b := wire.Encode(n)
		b = wire.Encode(signed{Body: b, Signature: sign(b)})
		return seal(w.links[0].Key, purposeNotice, noticeContext(w.n.Room, w.links[0].Epoch), b, noticeClasses[0])
	}
	own := func(b []byte) []byte { return w.key.Sign(identity.LabelNotice, b) }
	good := w.n
	good.Version, good.Epoch, good.Device = NoticeVersion, w.links[0].Epoch, w.key.ID()
	if _, err := OpenNotice(w.n.Room, w.links, inside(good, own), w.knows); err != nil {
		t.Fatalf("an honest one is refused, so this proves nothing: %v", err)
	}
	change := func(f func(*Notice)) Notice {
		n := good
		f(&n)
		return n
	}
	for name, sealed := range map[string][]byte{
		"signed by another":        inside(good, func(b []byte) []byte { return mallory.Sign(identity.LabelNotice, b) }),
		"signed under another use": inside(good, func(b []byte) []byte { return w.key.Sign(identity.LabelRejoin, b) }),
		"of other bytes":           inside(good, func(b []byte) []byte { return own(append(b, 0)) }),
		"without a signature":      inside(good, func([]byte) []byte { return nil }),
		"of another leaf":          inside(change(func(n *Notice) { n.Leaf++ }), own),
		"of another device":        inside(change(func(n *Notice) { n.Device = mallory.ID() }), own),
		"of another account":       inside(change(func(n *Notice) { n.Account[0]++ }), own),
		"of another room inside":   inside(change(func(n *Notice) { n.Room = wire.NewRoomID(1) }), own),
		"of another epoch inside":  inside(change(func(n *Notice) { n.Epoch-- }), own),
		"of another version":       inside(change(func(n *Notice) { n.Version++ }), own),
	} {
		_, err := OpenNotice(w.n.Room, w.links, sealed, w.knows)
		wantRefused(t, name, err)
	}
}

func TestNoticeIsNoLetter(t *testing.T) {
	w := newNoticed()
	sealed := must(SealNotice(w.links[0], w.key, w.n))
	for i := 0; i < len(sealed); i++ {
		if i > 100 && i%97 != 0 {
			continue
		}
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		_, err := OpenNotice(w.n.Room, w.links, bad, w.knows)
		wantRefused(t, fmt.Sprintf("byte %d changed", i), err)
		_, err = OpenNotice(w.n.Room, w.links, sealed[:i], w.knows)
		wantRefused(t, fmt.Sprintf("cut at %d", i), err)
	}
	_, err := Open(w.n.Room, w.links[0].Key, sealed)
	wantRefused(t, "a notice as a letter", err)
	posted := must(Seal(Door{ID: w.n.Room, Sealing: w.links[0].Key}, KindRejoin, []byte("x")))
	_, err = OpenNotice(w.n.Room, w.links, posted, w.knows)
	wantRefused(t, "a letter as a notice", err)
}

// What anyone may post as a notice, and what a member can write inside.
func FuzzNotice(f *testing.F) {
	w := newNoticed()
	w.n.Version = NoticeVersion
	b := wire.Encode(w.n)
	f.Add(wire.Encode(signed{Body: b, Signature: w.key.Sign(identity.LabelNotice, b)}))
	f.Add(must(SealNotice(w.links[0], w.key, w.n)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, s, err := parseSigned[Notice](b); err == nil {
			if !bytes.Equal(wire.Encode(s), b) || !bytes.Equal(wire.Encode(n), s.Body) {
				t.Errorf("accepted %x", b)
			}
		}
		OpenNotice(w.n.Room, w.links, b, w.knows)
	})
}
