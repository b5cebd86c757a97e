package core

import (
	"context"
	"time"

	"hearth/core/archive"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// Taking in what another device of the account has handed over (handover.go).
// Lines keep their places below those that this device wrote itself, messages
// that came both ways are kept once, and what has ended on the way is left out.

// pastLines is where a linked device's own lines begin: below lies what another
// device hands over.
const pastLines = 1 << 32

// arrival is an archive that is being taken in.
type arrival struct {
	_      struct{} `cbor:",toarray"`
	Handed handed
	Next   uint32 // the next chunk
}

func arrivalName(h handed) string { return vault.Name("arrival", b64(h.Chunks[0][:])) }

const (
	// arrivedName counts the items that have arrived; arrivedAllName says that an
	// archive has, whole.
	arrivedName    = "arrived"
	arrivedAllName = "arrivedall"
	// arriveBatch is how many entries are taken in at a time.
	arriveBatch = 64
)

// handedOver notes an archive that is meant for this device.
func (s *step) handedOver(me *account, h handed) error {
	key, err := me.key()
	if err != nil || h.For != key.ID() || len(h.Chunks) == 0 || h.Key.Reveal() == nil {
		return err
	}
	s.putUntil(arrivalName(h), arrival{Handed: h}, s.c.now().Add(archiveLife).Unix())
	s.then(func() { s.c.wakeArrival() })
	return nil
}

// wakeArrival starts what takes archives in.
func (c *Client) wakeArrival() {
	c.poke(queueID{what: arrivalQueue}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			return s.scan("arrival", func(name string, b []byte) (bool, error) {
				a := new(arrival)
				if err := decodeRecord(b, a); err != nil {
					return false, err
				}
				act = func(ctx context.Context) (time.Duration, error) { return 0, c.arrive(ctx, name, a) }
				return false, nil
			})
		})
		return act, err
	})
}

// arrive takes in the next chunk of an archive.
func (c *Client) arrive(ctx context.Context, name string, a *arrival) error {
	me, err := c.self(ctx)
	if err != nil {
		return err
	}
	var server string
	err = c.look(ctx, func(s *step) error {
		r, _, err := s.selfRoom(me)
		if err == nil && r != nil {
			server = r.Server
		}
		return err
	})
	if err != nil {
		return err
	}
	blob, err := c.cfg.Blobs.Get(ctx, server, a.Handed.Chunks[a.Next])
	lost := code(err) == wire.NotFound || code(err) == wire.Denied || code(err) == wire.Gone
	if err != nil && !lost {
		return err
	}
	var entries []archive.Entry
	last := false
	if !lost {
		entries, last, err = archive.Open(a.Handed.Key, me.ID, handPurpose, a.Next, blob)
		end := int(a.Next)+1 == len(a.Handed.Chunks)
		lost = err != nil || last != end
	}
	if lost {
		c.debug("an archive could not be read", err)
		return c.step(ctx, func(s *step) error {
			s.del(name)
			return s.askForHistory()
		})
	}
	for len(entries) > 0 {
		batch := entries[:min(arriveBatch, len(entries))]
		entries = entries[len(batch):]
		err := c.step(ctx, func(s *step) error {
			s.syncing = true
			for _, e := range batch {
				if err := s.arrived1(me, e); err != nil {
					return err
				}
			}
			var n uint64
			if _, err := s.get(arrivedName, &n); err != nil {
				return err
			}
			s.put(arrivedName, n+uint64(len(batch)))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return c.step(ctx, func(s *step) error {
		if !last {
			a.Next++
			s.putUntil(name, a, s.c.now().Add(archiveLife).Unix())
			return nil
		}
		s.del(name)
		if a.Handed.More {
			return nil
		}
		s.put(arrivedAllName, true)
		key, err := me.key()
		if err != nil {
			return err
		}
		return s.deviceNotice(me, key.ID(), NoticeHistory, "What your other device still had has arrived.")
	})
}

// arrived1 takes one entry in. What cannot be read is passed over: the account's
// own device wrote it, of another version perhaps.
func (s *step) arrived1(me *account, e archive.Entry) error {
	if e.Until != 0 && e.Until <= s.c.now().Unix() {
		return nil // it ended on the way
	}
	switch e.Kind {
	case entryPerson:
		var p handedPerson
		if wire.Decode(e.Value, &p) == nil {
			return s.arrivedPerson(me, p)
		}
	case entryDevice:
		var d device
		if wire.Decode(e.Value, &d) == nil {
			return s.syncedDevice(me, d)
		}
	case entrySetting:
		var v setting
		if wire.Decode(e.Value, &v) == nil {
			if known, err := s.has(settingName(v.Name)); err != nil || known {
				return err // a newer one came by the self room
			}
			s.putSetting(v)
		}
	case entryConversation:
		var cv handedConv
		if wire.Decode(e.Value, &cv) == nil {
			return s.arrivedConv(cv)
		}
	case entryLine:
		var l handedLine
		if wire.Decode(e.Value, &l) == nil {
			l.Line.Until = e.Until
			return s.arrivedLine(l)
		}
	}
	return nil
}

func (s *step) arrivedPerson(me *account, q handedPerson) error {
	if q.Person.Account == me.ID {
		return nil
	}
	p, err := s.person(q.Person.Account)
	if err != nil {
		return err
	}
	p.Contact = p.Contact || q.Person.Contact
	p.Verified = p.Verified || q.Person.Verified
	p.Blocked = p.Blocked || q.Person.Blocked
	p.Doors, p.Fellow = mergeDoors(q.Person.Doors, p.Doors), mergeDoors(q.Fellow, p.Fellow)
	if len(q.Chain) > 0 {
		if chain, err := identity.VerifyFor(p.Account, q.Chain); err == nil {
			if _, err := s.learnChain(p, chain); err != nil {
				return err
			}
		}
	}
	s.putPerson(p)
	if q.Person.Handle == "" {
		return nil
	}
	if q.Proven {
		if taken, err := s.has(handleName(q.Person.Handle)); err != nil || taken {
			return err
		}
		if err := s.proveName(q.Person.Handle, p.Account); err != nil {
			return err
		}
		p.Handle = q.Person.Handle
		s.putPerson(p)
		s.put(handleName(p.Handle), p.Account)
		return nil
	}
	return s.learnName(p.Account, q.Person.Handle)
}

func (s *step) arrivedConv(q handedConv) error {
	cv, err := s.conv(q.ID)
	if err != nil {
		return err
	}
	if cv == nil {
		cv = &conversation{ID: q.ID, Kind: q.Kind, Peer: q.Peer, Base: pastLines, Lines: pastLines}
	}
	if cv.Base != 0 && !cv.Given {
		cv.Given = true
		cv.Unread += q.Unread
	}
	s.putConv(cv)
	return nil
}

func (s *step) arrivedLine(l handedLine) error {
	cv, err := s.conv(l.Conv)
	if err != nil || cv == nil {
		return err
	}
	h := l.Line
	if h.said() {
		if n, err := s.lineOf(cv.ID, h.ID); err != nil || n != 0 {
			return err // it came by the room, too
		}
	}
	n := l.N
	switch {
	case cv.Base == 0:
		if !h.said() {
			return nil
		}
		cv.Lines++
		n = cv.Lines
	default:
		taken, err := s.has(lineName(cv.ID, n))
		if err != nil {
			return err
		}
		if taken && !h.said() {
			return nil
		}
		if taken || n == 0 || n > cv.Base {
			n = cv.Past + 1
		}
		cv.Past = max(cv.Past, n)
	}
	s.putUntil(lineName(cv.ID, n), h, h.Until)
	s.index(cv.ID, n, &h)
	if h.said() && l.Signed != nil {
		s.putUntil(signedName(cv.ID, n), *l.Signed, h.Until)
	}
	s.putConv(cv)
	return nil
}
