package server

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"hearth/identity"
	"hearth/wire"
)

func newAccount(t *testing.T) identity.Created {
	t.Helper()
	a, err := identity.NewAccount("http://test.example")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func create(a identity.Created, name string) wire.AccountCreate {
	return wire.AccountCreate{Entry: a.Chain.Entries()[0], Name: name}
}

func TestAccountsAndNames(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		alice, bob, hidden := newAccount(t), newAccount(t), newAccount(t)
		for range 2 {
			c.must(wire.OpAccountCreate, create(alice, "alice"), nil)
		}
		c.refused(wire.Taken, wire.OpAccountCreate, create(bob, "alice"))
		c.refused(wire.Taken, wire.OpAccountCreate, create(bob, "a1ice")) // looks like it
		c.refused(wire.Taken, wire.OpAccountCreate, create(alice, "other"))
		for _, name := range []string{"Alice", "a b", "-x", "a@b", "аlice" /* a Cyrillic а */, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"} {
			c.refused(wire.BadInput, wire.OpAccountCreate, create(bob, name))
		}
		c.must(wire.OpAccountCreate, create(hidden, ""), nil)
		forged := create(bob, "bob")
		forged.Entry = bytes.Clone(forged.Entry)
		forged.Entry[len(forged.Entry)-1] ^= 1
		c.refused(wire.BadInput, wire.OpAccountCreate, forged)

		var rec wire.AccountRecord
		id := alice.Chain.Account()
		for _, q := range []wire.AccountGet{{Name: "alice"}, {Account: &id}} {
			c.must(wire.OpAccountGet, q, &rec)
			if rec.Name != "alice" || len(rec.Chain) != 1 || !bytes.Equal(rec.Chain[0], alice.Chain.Entries()[0]) || len(rec.Knocks) != 0 {
				t.Errorf("got %+v", rec)
			}
		}
		hid := hidden.Chain.Account()
		c.refused(wire.NotFound, wire.OpAccountGet, wire.AccountGet{Account: &hid})
		c.refused(wire.NotFound, wire.OpAccountGet, wire.AccountGet{Name: "nobody"})
		c.refused(wire.BadInput, wire.OpAccountGet, wire.AccountGet{})
		w.restart()
		w.client().must(wire.OpAccountGet, wire.AccountGet{Name: "alice"}, &rec)
	})
}

func TestChainsGrowOnlyAtTheirHead(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		a := newAccount(t)
		c.must(wire.OpAccountCreate, create(a, "alice"), nil)
		id := a.Chain.Account()
		second := identity.NewDeviceKey()
		withSecond, add, err := a.Chain.AddDevice(a.Device, second.Candidate(id))
		if err != nil {
			t.Fatal(err)
		}
		_, fork, err := a.Chain.AddDevice(a.Device, identity.NewDeviceKey().Candidate(id))
		if err != nil {
			t.Fatal(err)
		}
		entry := func(after *identity.Chain, e []byte) wire.AccountAppend {
			return wire.AccountAppend{Account: id, Head: wire.SecretHash(after.Head()), Entry: e}
		}
		c.must(wire.OpAccountAppend, entry(a.Chain, add), nil)
		c.must(wire.OpAccountAppend, entry(a.Chain, add), nil) // repeated
		c.refused(wire.Stale, wire.OpAccountAppend, entry(a.Chain, fork))
		unknown := entry(a.Chain, fork)
		unknown.Head = sha256.Sum256([]byte("x"))
		c.refused(wire.Stale, wire.OpAccountAppend, unknown)
		stranger := newAccount(t)
		c.refused(wire.Denied, wire.OpAccountAppend, wire.AccountAppend{Account: stranger.Chain.Account(), Head: wire.SecretHash(stranger.Chain.Head()), Entry: add})
		_, foreign, err := stranger.Chain.AddDevice(stranger.Device, identity.NewDeviceKey().Candidate(stranger.Chain.Account()))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.call(wire.OpAccountAppend, entry(withSecond, foreign), nil); err == nil {
			t.Error("an entry of another account was appended")
		}
		// The recovery key may go back behind the second device's entry.
		voided, rec, err := a.Chain.RevokeDevice(a.Recovery, a.Device.ID())
		if err != nil {
			t.Fatal(err)
		}
		c.must(wire.OpAccountAppend, entry(a.Chain, rec), nil)
		var got wire.AccountRecord
		c.must(wire.OpAccountGet, wire.AccountGet{Name: "alice"}, &got)
		chain, err := identity.VerifyFor(id, got.Chain)
		if err != nil || chain.Head() != voided.Head() {
			t.Errorf("the recovery-signed entry did not decide: %v", err)
		}
	})
}

func TestKnockDoorIsSetByALiveDeviceOnly(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		a := newAccount(t)
		id := a.Chain.Account()
		c.must(wire.OpAccountCreate, create(a, "alice"), nil)
		knock := func(c *client, by identity.DeviceKey, k *wire.Knock) wire.AccountKnock {
			q := wire.AccountKnock{Account: id, Knock: k}
			by.SignKnock(c.welcome.Challenge, &q)
			return q
		}
		k := &wire.Knock{Door: wire.NewRoomID(1), Key: wire.NewSecret(), Sealing: wire.NewSecret()}
		c.refused(wire.Denied, wire.OpAccountKnock, knock(c, identity.NewDeviceKey(), k))
		q := knock(c, a.Device, k)
		w.client().refused(wire.Denied, wire.OpAccountKnock, q) // another connection's challenge
		c.must(wire.OpAccountKnock, q, nil)
		knocks := func() []wire.Knock {
			var rec wire.AccountRecord
			c.must(wire.OpAccountGet, wire.AccountGet{Name: "alice"}, &rec)
			return rec.Knocks
		}
		if got := knocks(); len(got) != 1 || got[0].Door != k.Door || !bytes.Equal(got[0].Key.Reveal(), k.Key.Reveal()) {
			t.Errorf("got %v", got)
		}
		c.must(wire.OpAccountKnock, knock(c, a.Device, nil), nil)
		if got := knocks(); len(got) != 0 {
			t.Errorf("got %v", got)
		}
		c.must(wire.OpAccountKnock, knock(c, a.Device, k), nil)

		// A revoked device's door goes with it.
		second := identity.NewDeviceKey()
		with, add, _ := a.Chain.AddDevice(a.Device, second.Candidate(id))
		c.must(wire.OpAccountAppend, wire.AccountAppend{Account: id, Head: wire.SecretHash(a.Chain.Head()), Entry: add}, nil)
		_, revoke, _ := with.RevokeDevice(second, a.Device.ID())
		c.must(wire.OpAccountAppend, wire.AccountAppend{Account: id, Head: wire.SecretHash(with.Head()), Entry: revoke}, nil)
		if got := knocks(); len(got) != 0 {
			t.Errorf("a revoked device's door stays: %v", got)
		}
		c.refused(wire.Denied, wire.OpAccountKnock, knock(c, a.Device, k))

		nameless := newAccount(t)
		c.must(wire.OpAccountCreate, create(nameless, ""), nil)
		id = nameless.Chain.Account()
		c.refused(wire.Denied, wire.OpAccountKnock, knock(c, nameless.Device, k))
	})
}

func TestRegistrationPolicies(t *testing.T) {
	synctestWorld(t, func(c *Config) { c.Registration = Closed }, func(w *world) {
		c := w.client()
		if c.welcome.Registration != wire.RegistrationClosed {
			t.Errorf("got %v", c.welcome.Registration)
		}
		c.refused(wire.Denied, wire.OpAccountCreate, create(newAccount(t), "alice"))
	})
	synctestWorld(t, func(c *Config) { c.Registration = ByInvitation }, func(w *world) {
		c := w.client()
		code, err := w.s.NewInvitation(w.t.Context(), 2, 7*day)
		if err != nil {
			t.Fatal(err)
		}
		a := create(newAccount(t), "alice")
		c.refused(wire.Denied, wire.OpAccountCreate, a)
		a.Invite = code
		c.must(wire.OpAccountCreate, a, nil)
		c.must(wire.OpAccountCreate, a, nil) // a repeat spends nothing
		b := create(newAccount(t), "bob")
		b.Invite = code
		c.must(wire.OpAccountCreate, b, nil)
		third := create(newAccount(t), "carol")
		third.Invite = code
		c.refused(wire.Denied, wire.OpAccountCreate, third)
		w.mustNotContain(code)
		late, err := w.s.NewInvitation(w.t.Context(), 2, 7*day)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * day)
		third.Invite = late
		w.client().refused(wire.Denied, wire.OpAccountCreate, third)
	})
}
