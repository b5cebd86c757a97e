package core

import (
	"context"
	"crypto/rand"
	"time"

	"hearth/core/lane"
	"hearth/core/letter"
	"hearth/identity"
	"hearth/wire"
)

// Linking, on the device that is there already: it opens a rendezvous door and
// shows a code, the new device asks there, the person confirms, and the device
// enters the chain, then the self room, then every other room (owing.go).

const (
	// linkLife is how long a code may be used.
	linkLife = 10 * time.Minute
	// linkAnswerLife is how long after that a request may be confirmed.
	linkAnswerLife = 10 * time.Minute
)

// linking is a device that is being linked, from the code to the chain entry.
// There is one at a time.
type linking struct {
	_      struct{} `cbor:",toarray"`
	Server string
	Door   wire.RoomID
	Seat   seat
	Secret wire.Secret
	Nonce  []byte
	Until  int64 // Unix seconds: until when the code may be used
	Read   wire.Number
	// Request is the first request that came: others are too late.
	Request []byte
	// Confirmed: the person has said yes.
	Confirmed bool
}

const linkingName = "linking"

func (s *step) linking() (*linking, error) {
	l := new(linking)
	ok, err := s.get(linkingName, l)
	if err != nil || !ok {
		return nil, err
	}
	return l, nil
}

// putLinking keeps it until it is too late to confirm; what was confirmed is
// carried out.
func (s *step) putLinking(l *linking) {
	if l.Confirmed {
		s.put(linkingName, l)
		return
	}
	s.putUntil(linkingName, l, l.Until+int64(linkAnswerLife.Seconds()))
}

func (l *linking) code(account wire.AccountID) letter.DeviceLink {
	return letter.DeviceLink{Server: l.Server, Account: account, Door: l.Door, Secret: l.Secret, Bound: letter.NonceHash(l.Nonce)}
}

func (l *linking) request() (letter.LinkRequest, error) { return letter.ParseLinkRequest(l.Request) }

// LinkCode is a code that links one device.
type LinkCode struct {
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
}

// LinkRequest is a device that asks to be linked. Number is shown on both
// devices; if it differs there, somebody else is asking.
type LinkRequest struct {
	ID     string `json:"id"` // the device's
	Name   string `json:"name,omitempty"`
	Number string `json:"number"`
	// Grants says what a confirmation gives the device.
	Grants string `json:"grants"`
}

// grants is what linking a device means, in one line.
const grants = "everything: it reads and writes in all your conversations, and can link and remove devices"

var errNoLink = &wire.Error{Code: wire.NotFound, Message: "no device is asking to be linked", Next: "make a code with: hearth device link"}

// LinkDevice makes a code with which one device can ask, within ten minutes, to
// be linked. A code made before is void.
func (c *Client) LinkDevice(ctx context.Context) (LinkCode, error) {
	me, err := c.self(ctx)
	if err != nil {
		return LinkCode{}, err
	}
	region, err := c.region(ctx, me.Server)
	if err != nil {
		return LinkCode{}, err
	}
	until := c.now().Add(linkLife).Truncate(time.Second)
	l := &linking{Server: me.Server, Door: wire.NewRoomID(region), Seat: newSeat(region), Secret: wire.NewSecret(),
		Nonce: make([]byte, letter.NonceSize), Until: until.Unix()}
	rand.Read(l.Nonce)
	code := l.code(me.ID)
	class := newDoorClass(forStrangers)
	class.Key, class.Uses, class.Until = code.At().Key, 1, l.Until
	err = c.net.To(me.Server, lane.Seats).Do(ctx, wire.OpDoorCreate,
		wire.DoorCreate{Door: l.Door, Seat: l.Seat.wire(false), Classes: []wire.DoorClass{class.wire()}}, nil)
	if err != nil {
		return LinkCode{}, err
	}
	err = c.step(ctx, func(s *step) error {
		old, err := s.linking()
		if err != nil {
			return err
		}
		if old != nil && old.Confirmed {
			return wire.Errorf(wire.Taken, "another device is being linked").WithNext("wait until that is done")
		}
		if old != nil {
			s.then(func() { c.stopReading(old.Door) })
		}
		s.putLinking(l)
		s.then(func() { c.readLocked(l.Door, l.Server, &linkLog{c: c, id: l.Door}) })
		return nil
	})
	if err != nil {
		return LinkCode{}, err
	}
	return LinkCode{Code: code.String(), Expires: until}, nil
}

// startLinking goes on with what was begun.
func (c *Client) startLinking(s *step) error {
	l, err := s.linking()
	if err != nil || l == nil {
		return err
	}
	if l.Confirmed {
		c.wakeLink()
		return nil
	}
	if len(l.Request) == 0 {
		c.readLocked(l.Door, l.Server, &linkLog{c: c, id: l.Door})
	}
	return nil
}

// LinkAsked waits until a device asks to be linked with the present code.
func (c *Client) LinkAsked(ctx context.Context) (LinkRequest, error) {
	var out LinkRequest
	err := c.wait(ctx, func(s *step) (bool, error) {
		me, err := s.me()
		if err != nil {
			return false, err
		}
		l, err := s.linking()
		switch {
		case err != nil:
			return false, err
		case l == nil || l.Confirmed:
			return false, errNoLink
		case len(l.Request) == 0 && s.c.now().Unix() >= l.Until:
			return false, errLinkOver
		case len(l.Request) == 0:
			return false, nil
		}
		r, err := l.request()
		if err != nil {
			return false, err
		}
		out = LinkRequest{ID: r.Device.ID.String(), Name: r.Name, Number: l.code(me.ID).Number(l.Nonce, l.Request), Grants: grants}
		return true, nil
	})
	return out, err
}

var errLinkOver = &wire.Error{Code: wire.Denied, Message: "the code has expired", Next: "make another with: hearth device link"}

// LinkConfirm links the device that asks. It returns once the device is in the
// account's chain, or when ctx ends: then that goes on by itself, as does all
// that follows.
func (c *Client) LinkConfirm(ctx context.Context, id string) (Device, error) {
	var out Device
	err := c.step(ctx, func(s *step) error {
		me, l, r, err := s.asked(id)
		if err != nil {
			return err
		}
		chain, err := me.chain()
		if err != nil {
			return err
		}
		key, err := me.key()
		if err != nil {
			return err
		}
		if _, _, err := chain.AddDevice(key, r.Device); err != nil {
			return wire.Errorf(wire.Denied, "that device cannot be added: %w", err).WithNext("list your devices with: hearth device list")
		}
		l.Confirmed = true
		s.putLinking(l)
		now := s.c.now()
		s.putDevice(&device{ID: r.Device.ID, Name: r.Name, Added: now.Unix(), Sibling: r.Door})
		out = showDevice(&device{ID: r.Device.ID, Name: r.Name, Added: now.Unix()}, false)
		s.then(func() { c.stopReading(l.Door); c.wakeLink() })
		return nil
	})
	if err != nil {
		return Device{}, err
	}
	err = c.wait(ctx, func(s *step) (bool, error) {
		l, err := s.linking()
		return l == nil || !l.Confirmed, err
	})
	if err != nil && ctx.Err() != nil {
		return out, wire.Errorf(wire.Unreachable, "the server has not confirmed it yet").WithNext("it goes on by itself; look with: hearth device list")
	}
	return out, err
}

// LinkRefuse refuses the device that asks, and tells it so.
func (c *Client) LinkRefuse(ctx context.Context, id string) error {
	return c.step(ctx, func(s *step) error {
		_, l, r, err := s.asked(id)
		if err != nil {
			return err
		}
		s.del(linkingName)
		s.then(func() { c.stopReading(l.Door) })
		return s.answerLink(r.Door, letter.LinkAnswer{State: letter.LinkRefused, Nonce: l.Nonce})
	})
}

// asked returns the request that a person speaks of.
func (s *step) asked(id string) (*account, *linking, letter.LinkRequest, error) {
	me, err := s.me()
	if err != nil {
		return nil, nil, letter.LinkRequest{}, err
	}
	l, err := s.linking()
	if err != nil {
		return nil, nil, letter.LinkRequest{}, err
	}
	if l == nil || l.Confirmed || len(l.Request) == 0 {
		return nil, nil, letter.LinkRequest{}, errNoLink
	}
	r, err := l.request()
	if err == nil && r.Device.ID.String() != id {
		err = errNoLink
	}
	return me, l, r, err
}

// answerLink posts an answer at the new device's door.
func (s *step) answerLink(at address, a letter.LinkAnswer) error {
	payload, err := letter.Seal(at, letter.KindLinkAnswer, a.Encode())
	if err != nil {
		return err
	}
	return s.ship(parcel{To: at, Payload: payload, Until: s.c.now().Add(linkLife + linkAnswerLife).Unix()})
}

// wakeLink starts what puts a confirmed device into the chain.
func (c *Client) wakeLink() {
	c.poke(queueID{what: linkQueue}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			l, err := s.linking()
			if err == nil && l != nil && l.Confirmed {
				act = func(ctx context.Context) (time.Duration, error) { return 0, c.link(ctx) }
			}
			return err
		})
		return act, err
	})
}

// link appends the chain entry, then founds the self room if there is none and
// tells the new device. Cut short anywhere it goes on: the entry that the server
// has is found again by its device.
func (c *Client) link(ctx context.Context) error {
	var added identity.DeviceID
	err := c.appendChain(ctx, func(s *step, me *account, chain *identity.Chain) ([]byte, error) {
		l, err := s.linking()
		if err != nil || l == nil {
			return nil, err
		}
		r, err := l.request()
		if err != nil {
			return nil, err
		}
		added = r.Device.ID
		if _, in := chain.Device(added); in {
			return nil, nil
		}
		key, err := me.key()
		if err != nil {
			return nil, err
		}
		_, entry, err := chain.AddDevice(key, r.Device)
		return entry, err
	})
	if err != nil {
		return err
	}
	return c.step(ctx, func(s *step) error {
		l, err := s.linking()
		if err != nil || l == nil {
			return err
		}
		r, err := l.request()
		if err != nil {
			return err
		}
		me, err := s.me()
		if err != nil {
			return err
		}
		own, err := s.ownDevice(me)
		if err != nil {
			return err
		}
		_, before, err := s.selfRoom(me)
		if err != nil {
			return err
		}
		if err := s.foundSelf(true); err != nil {
			return err
		}
		if before == nil { // else learnOwnChain has said so
			if err := s.deviceNotice(me, added, NoticeDeviceAdded, "A device was added to your account."); err != nil {
				return err
			}
		}
		rooms, err := s.openRooms()
		if err != nil {
			return err
		}
		known, err := s.device(added)
		if err != nil {
			return err
		}
		s.put(handoverName(added), handover{For: added})
		if err := s.share(item(syncDevice, known)); err != nil {
			return err
		}
		s.del(linkingName)
		s.then(func() { c.wakeAllDevices(); c.wakeHandover() })
		return s.answerLink(r.Door, letter.LinkAnswer{State: letter.LinkDone, Nonce: l.Nonce, Chain: me.Chain, Name: me.Name,
			Device: own.ID, DeviceName: own.Name, Door: &own.Sibling, Rooms: uint32(rooms)})
	})
}

// openRooms counts the rooms that this device is in.
func (s *step) openRooms() (n int, err error) {
	err = s.scan("room", func(_ string, b []byte) (bool, error) {
		r := new(room)
		err := decodeRecord(b, r)
		if r.State == roomOK || r.State == roomFounding {
			n++
		}
		return true, err
	})
	return n, err
}

// linkLog reads the rendezvous door.
type linkLog struct {
	c  *Client
	id wire.RoomID
}

func (l *linkLog) of(s *step) (*linking, error) {
	k, err := s.linking()
	if err != nil || k == nil || k.Door != l.id || len(k.Request) > 0 {
		return nil, err
	}
	return k, nil
}

func (l *linkLog) seats(s *step) ([]seat, position, wire.Secret, error) {
	k, err := l.of(s)
	if err != nil || k == nil {
		return nil, position{}, wire.Secret{}, err
	}
	return []seat{k.Seat}, position{read: k.Read, after: k.Read}, wire.Secret{}, nil
}

func (l *linkLog) opened(context.Context, int, wire.SeatOpened) (bool, error) { return true, nil }
func (l *linkLog) refused(context.Context, wire.Code) error                   { return nil }
func (l *linkLog) gap(context.Context, wire.Number, wire.Number) error        { return nil }
func (l *linkLog) hole(context.Context, *wire.Hole) error                     { return nil }
func (l *linkLog) again(context.Context, *wire.Entry, wire.Number) error      { return nil }

// posts deals with each by itself: there are none behind a door, whatever a server says.
func (l *linkLog) posts(ctx context.Context, es []*wire.Entry) error {
	for _, e := range es {
		if err := l.entry(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// entry takes the first request that opens. Whatever else is posted, and
// whatever the server shows a second time, is too late.
func (l *linkLog) entry(ctx context.Context, e *wire.Entry) error {
	return l.c.step(ctx, func(s *step) error {
		k, err := l.of(s)
		if err != nil || k == nil {
			return err
		}
		me, err := s.me()
		if err != nil {
			return err
		}
		k.Read = e.Number
		s.putLinking(k)
		if e.Kind != wire.KindKnock || s.c.now().Unix() >= k.Until {
			return nil
		}
		at := k.code(me.ID).At()
		open, err := letter.Open(at.ID, at.Sealing, e.Payload)
		if err != nil || open.Kind != letter.KindLinkRequest {
			return nil
		}
		r, err := letter.ParseLinkRequest(open.Body)
		if err != nil {
			return nil
		}
		k.Request = open.Body
		s.putLinking(k)
		s.then(func() { s.c.stopReading(l.id) })
		return s.answerLink(r.Door, letter.LinkAnswer{State: letter.LinkAsked, Nonce: k.Nonce})
	})
}

// LinkFinish waits until a device that was confirmed has been put into every
// room that is open, has its Welcomes at its door, and was handed the history. It
// goes on by itself, too.
func (c *Client) LinkFinish(ctx context.Context, text string) (Device, error) {
	id, err := identity.ParseDeviceID(text)
	if err != nil {
		return Device{}, errNoDevice
	}
	var out Device
	err = c.wait(ctx, func(s *step) (bool, error) {
		me, err := s.me()
		if err != nil {
			return false, err
		}
		chain, err := me.chain()
		if err != nil {
			return false, err
		}
		l, err := s.linking()
		if err != nil || l != nil && l.Confirmed {
			return false, err
		}
		if d, ok := chain.Device(id); !ok || !d.Live {
			return false, errNoDevice
		}
		known, err := s.device(id)
		if err != nil {
			return false, err
		}
		out = showDevice(known, false)
		owed, err := s.has(handoverName(id))
		if err != nil || owed {
			return false, err
		}
		if known != nil {
			if there, err := s.arrivedAt(known.Sibling.ID); err != nil || !there {
				return false, err
			}
		}
		self, _, err := s.selfRoom(me)
		if err != nil || self == nil {
			return true, err
		}
		idle, err := s.idle(self.ID)
		return idle, err
	})
	if err != nil && ctx.Err() != nil {
		return out, wire.Errorf(wire.Unreachable, "the new device has not been given everything yet").WithNext("it goes on by itself while one of your other devices is open")
	}
	return out, err
}
