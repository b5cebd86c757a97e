package core

import (
	"context"
	"time"

	"hearth/core/lane"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// The devices of this account: what each is called and where it is reached, and
// what follows when the account's chain grows. Who is a device says the chain
// alone (identity); a record here proves nothing.

// device is what this device knows of itself or a sibling.
type device struct {
	_     struct{} `cbor:",toarray"`
	ID    identity.DeviceID
	Name  string
	Added int64 // Unix seconds; 0: not known
	// Sibling, Contact and Fellow are the device's private door for each class;
	// an empty address is not known yet.
	Sibling, Contact, Fellow address
}

func deviceName(id identity.DeviceID) string { return vault.Name("device", b64(id[:])) }

// device returns what is known of a device; never nil.
func (s *step) device(id identity.DeviceID) (*device, error) {
	d := &device{ID: id}
	_, err := s.get(deviceName(id), d)
	return d, err
}

func (s *step) putDevice(d *device) { s.put(deviceName(d.ID), d) }

// ownDevice returns this device's record as it is now: its door's keys change.
func (s *step) ownDevice(me *account) (*device, error) {
	key, err := me.key()
	if err != nil {
		return nil, err
	}
	d, err := s.device(key.ID())
	if err != nil {
		return nil, err
	}
	_, private, err := s.doors()
	if err != nil || private == nil {
		return d, err
	}
	d.Sibling, d.Contact, d.Fellow = private.address(forSiblings), private.address(forContacts), private.address(forFellows)
	return d, nil
}

// siblings returns the live devices of the account beside this one.
func (s *step) siblings(me *account) ([]*device, error) {
	if len(me.Chain) == 1 {
		return nil, nil
	}
	chain, err := me.chain()
	if err != nil {
		return nil, err
	}
	key, err := me.key()
	if err != nil {
		return nil, err
	}
	var out []*device
	for _, d := range chain.Devices() {
		if !d.Live || d.ID == key.ID() {
			continue
		}
		known, err := s.device(d.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, known)
	}
	return out, nil
}

// errRevoked answers everything on a device that was taken out of its account.
var errRevoked = &wire.Error{Code: wire.Denied, Message: "this device was removed from the account",
	Next: "link it again as a new device, in a new home, with --home"}

// errLinking answers while a device is not linked yet.
var errLinking = &wire.Error{Code: wire.NotFound, Message: "this device is not linked yet",
	Next: "finish it with the same: hearth device link CODE"}

// learnOwnChain takes a longer chain of the account in, says which devices came
// and went, and lets the rooms be brought into line.
func (s *step) learnOwnChain(c *identity.Chain) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	known, err := me.chain()
	if err != nil || c.Compare(known) != identity.Ahead {
		return err
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	me.Chain = c.Entries()
	s.put(accountName, me)
	if d, ok := c.Device(key.ID()); !ok || !d.Live {
		return s.revoked()
	}
	for _, d := range c.Devices() {
		was, ok := known.Device(d.ID)
		switch {
		case d.Live && !ok:
			err = s.deviceNotice(me, d.ID, NoticeDeviceAdded, "A device was added to your account.")
		case !d.Live && ok && was.Live:
			err = s.deviceGone(me, d.ID)
		}
		if err != nil {
			return err
		}
	}
	s.dead(c)
	s.then(func() { s.c.wakeAllDevices() })
	if err := s.wakeAbandoned(); err != nil {
		return err
	}
	return s.keepSelf()
}

// deviceGone says that a device was removed, and tells it so at its door: its
// seats may have gone before it could read why.
func (s *step) deviceGone(me *account, id identity.DeviceID) error {
	if err := s.deviceNotice(me, id, NoticeDeviceRemoved, "A device was removed from your account."); err != nil {
		return err
	}
	d, err := s.device(id)
	if err != nil {
		return err
	}
	s.del(deviceName(id))
	if d.Sibling.Server == "" {
		return nil
	}
	payload, err := letter.Seal(d.Sibling, letter.KindRevoked, wire.Encode(me.Chain))
	if err != nil {
		return err
	}
	return s.ship(parcel{To: d.Sibling, Payload: payload, Until: s.c.now().Add(wire.MaxTTL).Unix()})
}

// learnRevoked takes in a chain that came by the door: it proves itself.
func (s *step) learnRevoked(entries [][]byte) error {
	me, err := s.me()
	if err != nil {
		return nil // a device that is not linked yet, or was told before
	}
	chain, err := identity.VerifyFor(me.ID, entries)
	if err != nil {
		return nil
	}
	return s.learnOwnChain(chain)
}

// deviceNotice says something of a device in the conversation of the account's
// own devices, if there is one.
func (s *step) deviceNotice(me *account, id identity.DeviceID, code, text string) error {
	_, cv, err := s.selfRoom(me)
	if err != nil || cv == nil {
		return err
	}
	d, err := s.device(id)
	if err != nil {
		return err
	}
	if d.Name != "" {
		text += " It is called " + d.Name + "."
	}
	_, err = s.record(cv, happening{Type: EventNotice, At: s.c.now().UnixMilli(), Code: code, Text: text, Device: id[:],
		Until: s.c.now().Add(noticeKept).Unix()})
	return err
}

// Codes of notices about devices.
const (
	// NoticeDeviceAdded and NoticeDeviceRemoved: the account has a device more,
	// or one less.
	NoticeDeviceAdded   = "device_added"
	NoticeDeviceRemoved = "device_removed"
	// NoticeDeviceRevoked: it was this device that was removed.
	NoticeDeviceRevoked = "device_revoked"
	// NoticeHistory: what other devices still had has arrived here.
	NoticeHistory = "history_arrived"
)

// revoked ends this device: its keys go, its rooms and doors close. What it had
// received stays until it ends.
func (s *step) revoked() error {
	me, err := s.me()
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	if err := s.deviceNotice(me, key.ID(), NoticeDeviceRevoked, "This device was removed from the account. It receives nothing any more."); err != nil {
		return err
	}
	me.Stage, me.Device = stageRevoked, nil
	s.put(accountName, me)
	var rooms []*room
	err = s.scan("room", func(_ string, b []byte) (bool, error) {
		r := new(room)
		rooms = append(rooms, r)
		return true, decodeRecord(b, r)
	})
	if err != nil {
		return err
	}
	for _, r := range rooms {
		if r.State != roomLeft && r.State != roomBeaten && r.State != roomRemoved {
			s.closeRoom(r, roomRemoved)
		}
	}
	for _, kind := range []string{"door", "package", "request", "parcel", "delivery", "handover", "arrival", "linking", "revoking"} {
		var names []string
		err := s.scan(kind, func(name string, b []byte) (bool, error) {
			names = append(names, name)
			if d := new(door); kind == "door" && decodeRecord(b, d) == nil {
				s.then(func() { s.c.stopReading(d.ID) })
			}
			return true, nil
		})
		if err != nil {
			return err
		}
		for _, name := range names {
			s.del(name)
		}
	}
	return nil
}

// Devices lists the account's devices, the oldest first.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	var out []Device
	err := c.look(ctx, func(s *step) error {
		me, err := s.me()
		if err != nil {
			return err
		}
		key, err := me.key()
		if err != nil {
			return err
		}
		chain, err := me.chain()
		if err != nil {
			return err
		}
		for _, d := range chain.Devices() {
			if !d.Live {
				continue
			}
			known, err := s.device(d.ID)
			if err != nil {
				return err
			}
			out = append(out, showDevice(known, d.ID == key.ID()))
		}
		return nil
	})
	return out, err
}

func showDevice(d *device, current bool) Device {
	out := Device{Device: d.ID.String(), Name: d.Name, Current: current}
	if d.Added != 0 {
		t := time.Unix(d.Added, 0).UTC()
		out.Added = &t
	}
	return out
}

// Device is one device of the account.
type Device struct {
	Device  string     `json:"device"`
	Name    string     `json:"name,omitempty"`
	Added   *time.Time `json:"added,omitempty"`
	Current bool       `json:"current,omitempty"`
}

// RevokeDevice takes a device out of the account: out of its chain at once, then
// out of every conversation by whoever posts there next (protocol §4). It
// returns once this device has done its part, or when ctx ends: then that goes
// on by itself.
func (c *Client) RevokeDevice(ctx context.Context, text string) (Device, error) {
	var out Device
	id, err := identity.ParseDeviceID(text)
	if err != nil {
		return out, errNoDevice
	}
	err = c.appendChain(ctx, func(s *step, me *account, chain *identity.Chain) ([]byte, error) {
		key, err := me.key()
		if err != nil {
			return nil, err
		}
		d, ok := chain.Device(id)
		switch {
		case !ok:
			return nil, errNoDevice
		case id == key.ID():
			return nil, wire.Errorf(wire.BadInput, "that is this device").WithNext("remove it from another of your devices")
		}
		known, err := s.device(id)
		if err != nil {
			return nil, err
		}
		if out.Device == "" {
			out = showDevice(known, false)
		}
		if !d.Live {
			return nil, nil // it was removed before
		}
		_, entry, err := chain.RevokeDevice(key, id)
		return entry, err
	})
	if err != nil {
		return Device{}, err
	}
	err = c.wait(ctx, func(s *step) (bool, error) { return s.buried(id) })
	if err != nil && ctx.Err() == nil {
		return out, err
	}
	return out, nil
}

var errNoDevice = &wire.Error{Code: wire.NotFound, Message: "there is no such device", Next: "list them with: hearth device list"}

// buried reports whether a device of ours has no leaf left in any room that is
// in step.
func (s *step) buried(id identity.DeviceID) (bool, error) {
	me, err := s.me()
	if err != nil {
		return false, err
	}
	left := false
	err = s.scan("room", func(_ string, b []byte) (bool, error) {
		r := new(room)
		if err := decodeRecord(b, r); err != nil {
			return false, err
		}
		if r.State != roomOK {
			return true, nil
		}
		ro, err := s.roster(r.ID)
		if err != nil {
			return false, err
		}
		_, left = ro.LeafOf(me.ID, id)
		return !left, nil
	})
	return !left, err
}

// appendChain puts an entry behind the account's chain at the home server, and
// takes it in here. make signs it for the chain that is known, or returns nil if
// there is nothing to do; where another device was faster it is asked again.
func (c *Client) appendChain(ctx context.Context, make func(*step, *account, *identity.Chain) ([]byte, error)) error {
	for try := 0; ; try++ {
		var me *account
		var chain *identity.Chain
		var entry []byte
		err := c.look(ctx, func(s *step) (err error) {
			if me, err = s.me(); err != nil {
				return err
			}
			if chain, err = me.chain(); err != nil {
				return err
			}
			entry, err = make(s, me, chain)
			return err
		})
		if err != nil || entry == nil {
			return err
		}
		accounts := c.net.To(me.Server, lane.Accounts)
		err = accounts.Do(ctx, wire.OpAccountAppend, wire.AccountAppend{Account: me.ID, Head: wire.SecretHash(chain.Head()), Entry: entry}, nil)
		next := chain
		switch {
		case err == nil:
			if next, err = chain.Append(entry); err != nil {
				return err
			}
		case code(err) == wire.Stale && try < 3:
			// Another device was faster, or our own answer was lost.
			if next, err = c.fetchChain(ctx, me); err != nil {
				return err
			}
		default:
			return err
		}
		if err := c.step(ctx, func(s *step) error { return s.learnOwnChain(next) }); err != nil {
			return err
		}
		if next.Head() == chain.Head() {
			return wire.Errorf(wire.Stale, "another of your devices has changed the list of devices").
				WithNext("open your other devices for a moment, then try again")
		}
	}
}

// fetchChain asks the home server for the account's chain. A server that has a
// shorter one, or another, is not believed.
func (c *Client) fetchChain(ctx context.Context, me *account) (*identity.Chain, error) {
	known, err := me.chain()
	if err != nil {
		return nil, err
	}
	var rec wire.AccountRecord
	err = c.net.To(me.Server, lane.Accounts).Do(ctx, wire.OpAccountGet, wire.AccountGet{Account: &me.ID}, &rec)
	if code(err) == wire.NotFound {
		return known, nil // an account without a name is shown to nobody
	}
	if err != nil {
		return nil, err
	}
	chain, err := identity.VerifyFor(me.ID, rec.Chain)
	if err != nil || !chain.Extends(known) {
		return known, nil
	}
	return chain, nil
}

// revokedBy reports whether a commit that took this device out of a room did so
// because its account has revoked it, and then ends the device.
func (s *step) revokedBy(after *roster.Roster) (bool, error) {
	me, err := s.me()
	if err != nil {
		return false, err
	}
	key, err := me.key()
	if err != nil {
		return false, err
	}
	chain, ok := after.Chain(me.ID)
	if !ok {
		return false, nil
	}
	if d, ok := chain.Device(key.ID()); ok && d.Live {
		return false, nil
	}
	return true, s.learnOwnChain(chain)
}
