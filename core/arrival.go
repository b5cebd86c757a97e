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

// arrival is an archive that is being taken in.
type arrival struct {
	_      struct{} `cbor:",toarray"`
	Handed handed
	Next   uint32 // the next chunk
	Taken  uint32 // how many entries of it were taken in
	// Conv is the conversation whose lines are being taken in, and At the line
	// here that the last of them was found at, or put (missed.go).
	Conv convID
	At   uint64
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
	if err != nil {
		return err
	}
	if h.For != key.ID() {
		return s.historyAnswered(h)
	}
	if len(h.Chunks) == 0 || h.Key.Reveal() == nil {
		return nil
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
			if a.Handed.Answer {
				return s.askMissed(me)
			}
			return s.askForHistory()
		})
	}
	until := c.now().Add(archiveLife).Unix()
	entries = entries[min(int(a.Taken), len(entries)):]
	for len(entries) > 0 {
		batch := entries[:min(arriveBatch, len(entries))]
		entries = entries[len(batch):]
		next := *a
		err := c.step(ctx, func(s *step) error {
			s.syncing = true
			for _, e := range batch {
				if err := s.arrived1(me, &next, e); err != nil {
					return err
				}
			}
			next.Taken += uint32(len(batch))
			s.putUntil(name, next, until)
			if next.Handed.Answer {
				return nil // not a new device's
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
		*a = next
	}
	return c.step(ctx, func(s *step) error {
		if !last {
			a.Next, a.Taken = a.Next+1, 0
			s.putUntil(name, a, until)
			return nil
		}
		s.del(name)
		for _, id := range a.Handed.Of {
			cv, err := s.conv(id)
			if err != nil {
				return err
			}
			if cv != nil {
				err = s.filled(cv)
			}
			if err != nil {
				return err
			}
		}
		if a.Handed.More || a.Handed.Answer {
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
func (s *step) arrived1(me *account, a *arrival, e archive.Entry) error {
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
			v.Until = e.Until
			return s.heardSetting(v)
		}
	case entryConversation:
		var cv handedConv
		if wire.Decode(e.Value, &cv) == nil {
			return s.arrivedConv(a, cv)
		}
	case entryLine:
		var l handedLine
		if wire.Decode(e.Value, &l) == nil {
			l.Line.Until = e.Until
			return s.arrivedLine(a, l)
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
	if p.decide(&q.Person) {
		if err := s.rotateSoon(); err != nil {
			return err
		}
	}
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

func (s *step) arrivedConv(a *arrival, q handedConv) error {
	a.Conv = q.ID
	cv, err := s.conv(q.ID)
	if err != nil || cv == nil && a.Handed.Answer {
		return err
	}
	if cv == nil {
		cv = &conversation{ID: q.ID, Kind: q.Kind, Peer: q.Peer}
		cv.addGap(gap{Since: beforeAll})
	}
	a.At = cv.firstOpen()
	if !a.Handed.Answer && cv.linked() != nil && !cv.Given {
		cv.Given = true
		cv.Unread += q.Unread
	}
	s.putConv(cv)
	return nil
}

// linked returns the gap before all lines of a linked device; nil if it is none.
func (cv *conversation) linked() *gap {
	if len(cv.Gaps) == 0 || cv.Gaps[0].Since != beforeAll {
		return nil
	}
	return &cv.Gaps[0]
}

// arrivedLine keeps a line: a new device's at the number that it had, where that
// is free.
func (s *step) arrivedLine(a *arrival, l handedLine) error {
	cv, err := s.conv(l.Conv)
	if err != nil || cv == nil || l.Conv != a.Conv {
		return err
	}
	past := cv.linked()
	if a.Handed.Answer || past == nil {
		a.At, err = s.arrivedMissed(cv, a.At, l)
		return err
	}
	h, n := l.Line, l.N
	if h.said() {
		if n, err := s.lineOf(cv.ID, h.ID); err != nil || n != 0 {
			return err // it came by the room, too
		}
	}
	taken, err := s.has(lineName(cv.ID, n))
	if err != nil {
		return err
	}
	if taken && !h.said() {
		return nil
	}
	if taken || n == 0 || n > past.Last {
		n = past.Used + 1
	}
	past.Used = max(past.Used, n)
	s.putLine(cv, n, h, l.Signed)
	return nil
}
