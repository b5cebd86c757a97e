package core

import (
	"context"
	"time"

	"hearth/core/lane"
	"hearth/core/letter"
	"hearth/identity"
	"hearth/wire"
)

// Linking, on the new device: it makes its key and its door, asks at the code's
// rendezvous, and is told its account's chain with itself in it. From then on it
// is a device like any other: its rooms come to its door.

// linkee is what a new device keeps until it is linked.
type linkee struct {
	_       struct{} `cbor:",toarray"`
	Code    string
	Device  []byte // identity.DeviceKey: a secret
	Name    string
	Request []byte // its body, which both devices' number is made of
	Payload []byte // sealed, as it is posted
	Posted  bool
	Nonce   []byte // told with the first answer
	Refused bool
}

// linkeeKept is how long a device waits to be linked.
const linkeeKept = linkLife + linkAnswerLife + 10*time.Minute

const linkeeName = "linkee"

func (s *step) linkee() (*linkee, error) {
	a := new(linkee)
	ok, err := s.get(linkeeName, a)
	if err != nil || !ok {
		return nil, err
	}
	return a, nil
}

func (s *step) putLinkee(a *linkee) {
	s.putUntil(linkeeName, a, s.c.now().Add(linkeeKept).Unix())
}

func (a *linkee) link() (letter.DeviceLink, error) { return letter.ParseDeviceLink(a.Code) }

// LinkPending is a device that has asked to be linked: Number is compared with
// the one that the other device shows.
type LinkPending struct {
	Account string `json:"account"`
	Device  string `json:"device"`
	Number  string `json:"number"`
}

var errLinkUsed = &wire.Error{Code: wire.Denied, Message: "the code has expired or was used already",
	Next: "make another on the other device with hearth device link; if nobody of yours used it, refuse what that device shows"}

// LinkJoin asks, with a code that another device shows, to make this home a
// device of its account. It returns once that device has the request: the person
// then compares the numbers and confirms there. Cut short, it goes on when it is
// called again with the same code.
func (c *Client) LinkJoin(ctx context.Context, text, name string) (LinkPending, error) {
	link, err := letter.ParseDeviceLink(text)
	if err != nil {
		return LinkPending{}, err
	}
	if len(name) > letter.MaxDeviceName {
		return LinkPending{}, wire.Errorf(wire.BadInput, "a device's name has at most %d bytes", letter.MaxDeviceName)
	}
	if err := c.registering.begin(ctx); err != nil {
		return LinkPending{}, err
	}
	defer c.registering.done()
	session, err := c.net.To(link.Server, lane.Seats).Now(ctx)
	if err != nil {
		return LinkPending{}, err
	}
	a, d, err := c.beginLinkee(ctx, link, name, session.Welcome().Region)
	if err != nil {
		return LinkPending{}, err
	}
	if !d.Made {
		if err := c.openDoor(ctx, d); err != nil {
			return LinkPending{}, err
		}
	}
	c.startLinkee(ctx)
	if !a.Posted {
		at := link.At()
		err := c.net.To(at.Server, lane.Posts).Do(ctx, wire.OpDoorPost,
			wire.DoorPost{Door: at.ID, Key: at.Key, Payload: a.Payload, TTL: wire.Seconds(linkLife)}, new(wire.Appended))
		switch code(err) {
		case wire.Denied, wire.Full, wire.Gone:
			c.step(ctx, func(s *step) error { s.del(linkeeName); return nil })
			return LinkPending{}, errLinkUsed
		}
		if err != nil {
			return LinkPending{}, err
		}
		err = c.step(ctx, func(s *step) error {
			now, err := s.linkee()
			if err != nil || now == nil {
				return err
			}
			now.Posted = true
			s.putLinkee(now)
			return nil
		})
		if err != nil {
			return LinkPending{}, err
		}
	}
	key, err := identity.ParseDeviceKey(a.Device)
	if err != nil {
		return LinkPending{}, err
	}
	out := LinkPending{Account: link.Account.String(), Device: key.ID().String()}
	err = c.wait(ctx, func(s *step) (bool, error) {
		now, err := s.linkee()
		if err != nil {
			return false, err
		}
		if now == nil {
			if me, err := s.account(); err != nil || me != nil {
				return true, err // linked already
			}
			return false, errLinkUsed
		}
		if now.Refused {
			return false, errLinkRefused
		}
		if len(now.Nonce) > 0 {
			out.Number = link.Number(now.Nonce, now.Request)
		}
		return len(now.Nonce) > 0, nil
	})
	return out, err
}

var errLinkRefused = &wire.Error{Code: wire.Denied, Message: "the other device has refused to link this one",
	Next: "make another code there if that was a mistake"}

// beginLinkee saves a new device's key, door and request, or finds those that
// were made for the same code.
func (c *Client) beginLinkee(ctx context.Context, link letter.DeviceLink, name string, region wire.Region) (a *linkee, d *door, err error) {
	err = c.step(ctx, func(s *step) error {
		me, err := s.account()
		if err != nil {
			return err
		}
		if me != nil {
			return wire.Errorf(wire.Taken, "this home has an account already").WithNext("link the device in a new home, with --home")
		}
		if a, err = s.linkee(); err != nil {
			return err
		}
		if _, d, err = s.doors(); err != nil {
			return err
		}
		if a != nil && a.Code == link.String() && d != nil {
			return nil
		}
		if d == nil || d.Server != link.Server {
			if d != nil {
				s.del(doorName(d.ID))
			}
			d = newPrivateDoor(link.Server, region)
			s.putDoor(d)
		}
		key := identity.NewDeviceKey()
		body, err := letter.NewLinkRequest(key, link.Account, letter.LinkRequest{Name: name, Door: d.address(forSiblings)})
		if err != nil {
			return err
		}
		payload, err := letter.Seal(link.At(), letter.KindLinkRequest, body)
		if err != nil {
			return err
		}
		a = &linkee{Code: link.String(), Device: key.Marshal(), Name: name, Request: body, Payload: payload}
		s.putLinkee(a)
		return nil
	})
	return a, d, err
}

// startLinkee reads the door at which a new device is answered, and goes on with
// a device that was linked and is not ready yet.
func (c *Client) startLinkee(ctx context.Context) error {
	return c.look(ctx, func(s *step) error {
		me, err := s.account()
		if err != nil {
			return err
		}
		if me != nil {
			if me.Linked && me.Stage == stageKnown {
				c.wakeLinked()
			}
			return nil
		}
		a, err := s.linkee()
		if err != nil || a == nil {
			return err
		}
		_, d, err := s.doors()
		if err == nil && d != nil && d.Made {
			c.readLocked(d.ID, d.Server, &doorLog{c: c, id: d.ID})
		}
		return err
	})
}

// linkAnswered takes in what the old device answers. The account is the code's,
// the chain proves it, and this device is in it: nothing else makes this home an
// account's.
func (s *step) linkAnswered(d *door, body []byte) error {
	a, err := s.linkee()
	if err != nil || a == nil {
		return err
	}
	link, err := a.link()
	if err != nil {
		return err
	}
	said, err := link.ParseLinkAnswer(body)
	if err != nil {
		return nil
	}
	a.Nonce = said.Nonce
	switch said.State {
	case letter.LinkRefused:
		a.Refused = true
		fallthrough
	case letter.LinkAsked:
		s.putLinkee(a)
		return nil
	}
	key, err := identity.ParseDeviceKey(a.Device)
	if err != nil {
		return err
	}
	chain, err := identity.VerifyFor(link.Account, said.Chain)
	if err != nil || chain.Server() != link.Server {
		return nil
	}
	if in, ok := chain.Device(key.ID()); !ok || !in.Live || in.Key != key.Public() {
		return nil
	}
	if in, ok := chain.Device(said.Device); !ok || !in.Live {
		return nil
	}
	s.put(accountName, &account{ID: link.Account, Device: a.Device, Server: link.Server, Name: said.Name,
		Domain: domainOf(link.Server), Chain: chain.Entries(), Stage: stageKnown, Linked: true})
	now := s.c.now().Unix()
	s.putDevice(&device{ID: key.ID(), Name: a.Name, Added: now})
	s.putDevice(&device{ID: said.Device, Name: said.DeviceName, Sibling: *said.Door})
	s.put(expectedName, said.Rooms)
	s.del(linkeeName)
	s.then(func() { s.c.wakeLinked() })
	return nil
}

// expectedName holds how many rooms a new device was told to expect.
const expectedName = "expected"

// wakeLinked starts what makes a linked device ready: doors, KeyPackages.
func (c *Client) wakeLinked() {
	c.poke(queueID{what: linkQueue}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			me, err := s.account()
			if err != nil || me == nil || !me.Linked || me.Stage != stageKnown {
				return err
			}
			act = func(ctx context.Context) (time.Duration, error) { return 0, c.ready(ctx, me) }
			return nil
		})
		return act, err
	})
}

// ready fills the doors of a device that was linked. Every part may be repeated.
func (c *Client) ready(ctx context.Context, me *account) error {
	s, err := c.net.To(me.Server, lane.Accounts).Up(ctx)
	if err != nil {
		return err
	}
	me.Domain = s.Welcome().Domain
	if err := c.makeDoors(ctx, me, s.Welcome().Region); err != nil {
		return err
	}
	err = c.step(ctx, func(s *step) error {
		now, err := s.account()
		if err != nil || now == nil || now.Stage != stageKnown {
			return err
		}
		now.Stage, now.Domain = stageDone, me.Domain
		s.put(accountName, now)
		own, err := s.ownDevice(now)
		if err != nil {
			return err
		}
		s.putDevice(own)
		return nil
	})
	if err != nil {
		return err
	}
	return c.startDoors(ctx)
}

// The states of a link, as LinkProgress says.
const (
	LinkWaiting = "waiting" // for the other device's word
	LinkRooms   = "rooms"   // linked: the conversations are being opened
	LinkHistory = "history" // the history is arriving
	LinkReady   = "ready"
)

// LinkStatus is how far a new device has got.
type LinkStatus struct {
	Handle  string `json:"handle,omitempty"`
	Account string `json:"account,omitempty"`
	Device  string `json:"device,omitempty"`
	State   string `json:"state"`
	// Rooms of Of conversations are open; Items of the history have arrived.
	Rooms int    `json:"rooms"`
	Of    int    `json:"of"`
	Items uint64 `json:"items"`
}

// LinkProgress says how far this new device has got. With wait it answers only
// once that is another answer than last, or ctx ends.
func (c *Client) LinkProgress(ctx context.Context, last LinkStatus) (LinkStatus, error) {
	out := last
	err := c.wait(ctx, func(s *step) (bool, error) {
		now, err := s.linkStatus()
		out = now
		return now != last, err
	})
	if err != nil && ctx.Err() != nil {
		err = nil
	}
	return out, err
}

func (s *step) linkStatus() (LinkStatus, error) {
	a, err := s.linkee()
	if err != nil {
		return LinkStatus{}, err
	}
	me, err := s.account()
	if err != nil {
		return LinkStatus{}, err
	}
	switch {
	case me == nil && a == nil:
		return LinkStatus{}, errLinkUsed
	case me == nil && a.Refused:
		return LinkStatus{}, errLinkRefused
	case me == nil:
		return LinkStatus{State: LinkWaiting}, nil
	case !me.Linked:
		return LinkStatus{}, errNoLink
	}
	key, err := me.key()
	if err != nil {
		return LinkStatus{}, errRevoked
	}
	out := LinkStatus{Handle: me.Handle(), Account: me.ID.String(), Device: key.ID().String(), State: LinkRooms}
	var of uint32
	if _, err := s.get(expectedName, &of); err != nil {
		return out, err
	}
	if out.Rooms, err = s.openRooms(); err != nil {
		return out, err
	}
	out.Of = max(out.Rooms, int(of))
	if _, err := s.get(arrivedName, &out.Items); err != nil {
		return out, err
	}
	done, err := s.has(arrivedAllName)
	switch {
	case err != nil:
		return out, err
	case me.Stage == stageDone && done && out.Rooms >= int(of):
		out.State = LinkReady
	case out.Items > 0 || out.Rooms >= int(of):
		out.State = LinkHistory
	}
	return out, nil
}
