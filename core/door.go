package core

import (
	"context"
	"errors"
	"time"

	"hearth/core/lane"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// door is one of this device's doors: where Welcomes, answers and evidence
// arrive, and where others take the KeyPackages to invite it with.
type door struct {
	_      struct{} `cbor:",toarray"`
	ID     wire.RoomID
	Server string
	// Public marks the knock door behind the account's handle; all other doors
	// are private and tied to no account.
	Public  bool
	Seat    seat
	Sealing wire.Secret
	Classes []doorClass
	Read    wire.Number
	// Made: the server has it. Shown: it stands behind the handle.
	Made  bool
	Shown bool
	// Synced: the server knows of all classes.
	Synced bool
	// RotateAt is when the contacts' key is to be replaced, Unix seconds; 0: it
	// is not.
	RotateAt int64
	// Stocked is when the server's stock of packages was last filled, Unix
	// seconds; 0: at the next look.
	Stocked int64
	// Replace: the server was restored from a backup, and hands out packages that
	// were used before.
	Replace bool
	// Replaced is when it took the place of one that did not open, Unix seconds; 0:
	// it did not.
	Replaced int64
}

// doorClass is one way in.
type doorClass struct {
	_     struct{} `cbor:",toarray"`
	ID    wire.ClassID
	Key   wire.Secret
	For   classKind
	Uses  uint32
	Until int64 // Unix seconds; 0: no end
	// Conv is the group that a link leads into; Approve: not without a word.
	Conv    convID
	Approve bool
}

// over reports whether a class has ended.
func (d *doorClass) over(now time.Time) bool { return d.Until != 0 && now.Unix() >= d.Until }

// opens returns the class that a key opens; nil if there is none.
func (d *door) opens(key wire.Secret) *doorClass {
	for i := range d.Classes {
		if key.Opens(d.Classes[i].Key.Hash()) {
			return &d.Classes[i]
		}
	}
	return nil
}

// classKind says who a class is for (protocol §6).
type classKind uint8

const (
	forStrangers classKind = iota // behind the handle
	forContacts
	forFellows // fellow members of groups
	forLink
	forSiblings     // this account's other devices
	forContactsOnce // contacts that have not learned the new key yet
	forGroupLink
)

// quota is how many entries of a class may wait.
func (k classKind) quota() uint32 {
	switch k {
	case forStrangers:
		return 64
	case forLink, forGroupLink:
		return 32
	}
	return 256
}

func newDoorClass(k classKind) doorClass {
	var id wire.ClassID
	secret := wire.NewSecret()
	h := secret.Hash()
	copy(id[:], h[24:]) // as random as the secret, and useless for finding it
	return doorClass{ID: id, Key: wire.NewSecret(), For: k}
}

func (d doorClass) wire() wire.DoorClass {
	return wire.DoorClass{ID: d.ID, Hash: d.Key.Hash(), Quota: d.For.quota(), Uses: d.Uses, Until: d.Until}
}

func (d *door) class(k classKind) *doorClass {
	for i := range d.Classes {
		if d.Classes[i].For == k {
			return &d.Classes[i]
		}
	}
	return nil
}

// address is the door as somebody of a class reaches it.
func (d *door) address(k classKind) address {
	c := d.class(k)
	if c == nil {
		return address{}
	}
	return address{Server: d.Server, ID: d.ID, Key: c.Key, Sealing: d.Sealing}
}

func doorName(id wire.RoomID) string { return vault.Name("door", b64(id[:])) }

func (s *step) door(id wire.RoomID) (*door, error) {
	d := new(door)
	ok, err := s.get(doorName(id), d)
	if err != nil || !ok {
		return nil, err
	}
	return d, nil
}

func (s *step) putDoor(d *door) { s.put(doorName(d.ID), d) }

// doors returns this device's doors.
func (s *step) doors() (public, private *door, err error) {
	err = s.scan("door", func(_ string, b []byte) (bool, error) {
		d := new(door)
		if err := decodeRecord(b, d); err != nil {
			return false, err
		}
		if d.Public {
			public = d
		} else {
			private = d
		}
		return true, nil
	})
	return public, private, err
}

func newPrivateDoor(server string, region wire.Region) *door {
	return &door{ID: wire.NewRoomID(region), Server: server, Seat: newSeat(region), Sealing: wire.NewSecret(),
		Classes: []doorClass{newDoorClass(forContacts), newDoorClass(forFellows), newDoorClass(forSiblings)}}
}

func newPublicDoor(server string, region wire.Region) *door {
	return &door{ID: wire.NewRoomID(region), Server: server, Public: true, Seat: newSeat(region), Sealing: wire.NewSecret(),
		Classes: []doorClass{newDoorClass(forStrangers)}}
}

// makeDoors makes the private door, and the public one if the account has a
// name, as far as they do not stand yet.
func (c *Client) makeDoors(ctx context.Context, a *account, region wire.Region) error {
	var todo []*door
	err := c.step(ctx, func(s *step) error {
		public, private, err := s.doors()
		if err != nil {
			return err
		}
		if private == nil {
			private = newPrivateDoor(a.Server, region)
			s.putDoor(private)
		}
		todo = append(todo, private)
		if a.Name == "" {
			return nil
		}
		if public == nil {
			public = newPublicDoor(a.Server, region)
			s.putDoor(public)
		}
		todo = append(todo, public)
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range todo {
		if err := c.makeDoor(ctx, a, d); err != nil {
			return err
		}
	}
	return nil
}

// makeDoor makes one door, stocks it, and puts it behind the handle if it is
// the public one. Every part of it may be repeated.
func (c *Client) makeDoor(ctx context.Context, a *account, d *door) error {
	if !d.Made {
		if err := c.openDoor(ctx, d); err != nil {
			return err
		}
	}
	if err := c.stock(ctx, d.ID, true); err != nil {
		return err
	}
	if d.Public && !d.Shown {
		return c.showDoor(ctx, a, d)
	}
	return nil
}

// openDoor makes a door at its server, without KeyPackages.
func (c *Client) openDoor(ctx context.Context, d *door) error {
	var classes []wire.DoorClass
	for _, k := range d.Classes {
		classes = append(classes, k.wire())
	}
	err := c.net.To(d.Server, lane.Seats).Do(ctx, wire.OpDoorCreate,
		wire.DoorCreate{Door: d.ID, Seat: d.Seat.wire(false), Classes: classes}, nil)
	if err != nil {
		return err
	}
	d.Made, d.Synced = true, true
	return c.step(ctx, func(s *step) error { s.putDoor(d); return nil })
}

// showDoor puts the public door behind the handle.
func (c *Client) showDoor(ctx context.Context, a *account, d *door) error {
	key, err := a.key()
	if err != nil {
		return err
	}
	at := d.address(forStrangers)
	s, err := c.net.To(a.Server, lane.Accounts).Now(ctx)
	if err != nil {
		return err
	}
	knock := wire.AccountKnock{Account: a.ID, Knock: &wire.Knock{Door: at.ID, Key: at.Key, Sealing: at.Sealing}}
	key.SignKnock(s.Welcome().Challenge, &knock)
	if err := s.Call(ctx, wire.OpAccountKnock, knock, nil); err != nil {
		return unreachableUnlessSaid(ctx, err)
	}
	return c.step(ctx, func(s *step) error {
		now, err := s.door(d.ID)
		if err != nil || now == nil {
			return err
		}
		now.Shown = true
		s.putDoor(now)
		return nil
	})
}

func unreachableUnlessSaid(ctx context.Context, err error) error {
	var we *wire.Error
	if ctx.Err() != nil || errors.As(err, &we) {
		return err
	}
	return lane.Unreachable(err)
}

// startDoors reads the doors.
func (c *Client) startDoors(ctx context.Context) error {
	return c.look(ctx, func(s *step) error {
		a, err := s.account()
		if err != nil || a == nil || a.Stage != stageDone {
			return err
		}
		return s.scan("door", func(_ string, b []byte) (bool, error) {
			d := new(door)
			if err := decodeRecord(b, d); err != nil {
				return false, err
			}
			c.readLocked(d.ID, d.Server, &doorLog{c: c, id: d.ID})
			c.wakeDoor(d.ID)
			return true, nil
		})
	})
}

// KeyPackages.

// stockOf is how many KeyPackages a door holds, beside the last resort; tests
// make fewer.
var stockOf = 16

const (
	// packageLife is how long a KeyPackage may be used.
	packageLife = 90 * 24 * time.Hour
	// packageGrace is how much longer its keys are kept: a Welcome waits up to
	// 31 days.
	packageGrace = 32 * 24 * time.Hour
	// restockAfter is how often a door's stock is looked at when nothing
	// arrives.
	restockAfter = 24 * time.Hour
	// lastResortLife is after how long an unused last resort is replaced.
	lastResortLife = 30 * 24 * time.Hour
)

// keyPackage is the private half of a KeyPackage that a door gave out, or will.
type keyPackage struct {
	_          struct{} `cbor:",toarray"`
	Package    []byte
	Secrets    []byte // mls.KeyPackageSecrets
	Door       wire.RoomID
	LastResort bool
}

func packageName(ref []byte) string { return vault.Name("package", b64(ref)) }

// newPackages makes KeyPackages for a door and keeps their secrets; it returns
// them as the door holds them.
func (s *step) newPackages(d *door, n int, lastResort bool) ([]wire.DoorPackage, error) {
	a, err := s.account()
	if err != nil {
		return nil, err
	}
	me, err := a.member()
	if err != nil {
		return nil, err
	}
	now := s.c.now()
	var out []wire.DoorPackage
	for i := range n + 1 {
		last := i == n
		if last && !lastResort {
			break
		}
		kp, secrets, err := mls.NewKeyPackage(suite, me, lifetime(now), nil)
		if err != nil {
			return nil, err
		}
		s.putUntil(packageName(kp.Ref()), keyPackage{Package: kp.Marshal(), Secrets: secrets.Marshal(), Door: d.ID, LastResort: last},
			now.Add(packageLife+packageGrace).Unix())
		sealed, err := sealPackage(d, kp.Marshal(), a.Chain)
		if err != nil {
			return nil, err
		}
		out = append(out, wire.DoorPackage{Sealed: sealed, LastResort: last})
	}
	return out, nil
}

// stock fills a door's stock of KeyPackages. Their secrets are saved before they
// leave; a repetition makes new ones.
func (c *Client) stock(ctx context.Context, id wire.RoomID, now bool) error {
	var d *door
	if err := c.look(ctx, func(s *step) (err error) {
		d, err = s.door(id)
		return err
	}); err != nil || d == nil {
		return err
	}
	connect := c.net.To(d.Server, lane.Seats).Up
	if now {
		connect = c.net.To(d.Server, lane.Seats).Now
	}
	set := wire.DoorSet{Door: d.ID, Seat: d.Seat.ID, Secret: d.Seat.Secret}
	for _, k := range d.Classes {
		set.Put = append(set.Put, k.wire())
	}
	if d.Synced {
		set.Put = nil
	}
	session, err := connect(ctx)
	if err != nil {
		return err
	}
	var st wire.DoorState
	if err := session.Call(ctx, wire.OpDoorSet, set, &st); err != nil {
		return unreachableUnlessSaid(ctx, err)
	}
	n := stockOf - min(int(st.Packages), stockOf)
	last := !st.LastResort || st.LastUsed
	if set.Replace = d.Replace; d.Replace {
		n, last = stockOf, true
	}
	var add []wire.DoorPackage
	if n >= stockOf/2 || last {
		err := c.step(ctx, func(s *step) (err error) {
			add, err = s.newPackages(d, n, last)
			return err
		})
		if err != nil {
			return err
		}
		set.Put, set.Add = nil, add
		if err := session.Call(ctx, wire.OpDoorSet, set, &st); err != nil {
			return unreachableUnlessSaid(ctx, err)
		}
	}
	return c.step(ctx, func(s *step) error {
		cur, err := s.door(id)
		if err != nil || cur == nil {
			return err
		}
		cur.Stocked = s.c.now().Unix()
		cur.Synced = cur.Synced || len(cur.Classes) == len(d.Classes)
		cur.Replace = cur.Replace && !d.Replace
		s.putDoor(cur)
		return nil
	})
}

// wakeDoor starts the sender of one of our doors: it keeps classes and stock as
// they should be.
func (c *Client) wakeDoor(id wire.RoomID) {
	c.poke(queueID{ownDoor, id}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			d, err := s.door(id)
			if err != nil || d == nil || !d.Made {
				return err
			}
			if a, err := s.account(); err != nil || a == nil || a.Stage != stageDone {
				return err // a device that is being linked has nothing to hand out
			}
			if rotate := time.Unix(d.RotateAt, 0).Sub(s.c.now()); d.RotateAt != 0 {
				act = func(ctx context.Context) (time.Duration, error) {
					if rotate > 0 {
						return rotate, nil
					}
					return 0, c.rotate(ctx, id)
				}
				if d.Synced && d.Stocked != 0 || rotate <= 0 {
					return nil
				}
			}
			due := time.Unix(d.Stocked, 0).Add(restockAfter).Sub(s.c.now())
			if !d.Synced || d.Stocked == 0 {
				due = 0
			}
			act = func(ctx context.Context) (time.Duration, error) {
				if due > 0 {
					return due, nil
				}
				return 0, c.stock(ctx, id, false)
			}
			return nil
		})
		return act, err
	})
}

// lifetime is that of a KeyPackage made now (RFC 9420 §7.2). It begins long before:
// whose clock is behind must be able to invite a device, or to put one back, today.
func lifetime(now time.Time) mls.Lifetime {
	return mls.Lifetime{NotBefore: uint64(now.Add(-packageLife).Unix()), NotAfter: uint64(now.Add(packageLife).Unix())}
}

// knows reports whether a KeyPackage can be used: the right suite, within its
// lifetime (which is the sender's to check, RFC 9420 §7.3), and of a live device
// of the account.
func checkPackage(b []byte, chain *identity.Chain, now time.Time) (*mls.KeyPackage, error) {
	kp, err := mls.ParseKeyPackage(b)
	if err != nil {
		return nil, err
	}
	if kp.Suite != suite {
		return nil, wire.Errorf(wire.Unsupported, "the person's device uses another kind of encryption")
	}
	if err := kp.Verify(); err != nil {
		return nil, err
	}
	leaf := kp.Leaf()
	if t := uint64(now.Unix()); t+3600 < leaf.Lifetime.NotBefore || t > leaf.Lifetime.NotAfter {
		return nil, errors.New("a KeyPackage outside its lifetime")
	}
	cred, err := identity.ParseCredential(leaf.Credential.Identity)
	if err != nil {
		return nil, err
	}
	return kp, chain.Proves(cred, leaf.SignatureKey)
}
