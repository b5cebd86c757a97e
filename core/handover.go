package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"hearth/core/archive"
	"hearth/core/lane"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// What has not ended yet is handed over to a new device as an archive: chunks
// that go up as blobs, paid with the self room's token, and a message there that
// names them with their key. Only devices of one account do this, and only for
// one that was linked or has asked (attacks A04).

const (
	// handPurpose binds an archive to its use (package archive).
	handPurpose = "hearth hand-over"
	// archiveLife is how long the chunks stay at the server.
	archiveLife = 24 * time.Hour
	// handWait is how long a hand-over waits for rooms that the device is not in
	// yet: what is said there meanwhile would reach it in neither way.
	handWait = time.Minute
)

// handover is a hand-over that this device owes another one of the account.
type handover struct {
	_   struct{} `cbor:",toarray"`
	For identity.DeviceID
	// Done are the conversations that were handed over already; the others
	// follow once the device is there.
	Done []convID
	// Only, if not empty, are those that were asked for, and After is when it is
	// this device's turn to answer, Unix seconds (missed.go).
	Only  []missed
	After int64
}

func (h *handover) asked(id convID) (missed, bool) {
	i := slices.IndexFunc(h.Only, func(m missed) bool { return m.Conv == id })
	if i < 0 {
		return missed{}, false
	}
	return h.Only[i], true
}

func handoverName(id identity.DeviceID) string { return vault.Name("handover", b64(id[:])) }

// handed tells a device where its archive is.
type handed struct {
	_      struct{} `cbor:",toarray"`
	For    identity.DeviceID
	Key    wire.Secret
	Chunks []wire.BlobID // at the self room's server
	// More: conversations are missing in it, and follow.
	More bool
	// Answer: it is one to a device that has asked for what it missed there. In
	// the conversations Of nothing of what it may have missed is missing here.
	Answer bool
	Of     []convID
}

// wakeHandover starts what hands over history.
func (c *Client) wakeHandover() {
	c.poke(queueID{what: handQueue}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			var h *handover
			err := s.scan("handover", func(_ string, b []byte) (bool, error) {
				h = new(handover)
				return false, decodeRecord(b, h)
			})
			if err != nil || h == nil {
				return err
			}
			me, err := s.me()
			if err != nil {
				return err
			}
			self, _, err := s.selfRoom(me)
			if err != nil || self == nil || self.State != roomOK {
				return err
			}
			if in, err := s.deviceIn(self, me, h.For); err != nil || !in {
				return err // woken when it is
			}
			late, err := s.lateRooms(me, h)
			if err != nil {
				return err
			}
			left := max(0, time.Unix(h.After, 0).Sub(c.now()))
			if len(late) > 0 && len(h.Only) == 0 {
				left = c.noticedFor(noticedKey{device: h.For}, handWait)
			}
			todo, err := s.toHand(h, late)
			if err != nil {
				return err
			}
			if len(todo) == 0 && len(h.Only) > 0 && len(late) == 0 {
				act = func(ctx context.Context) (time.Duration, error) {
					return 0, c.step(ctx, func(s *step) error { s.del(handoverName(h.For)); return nil })
				}
				return nil // it has none of them
			}
			if len(todo) == 0 && len(h.Done) > 0 {
				if len(late) == 0 {
					act = func(ctx context.Context) (time.Duration, error) {
						return 0, c.step(ctx, func(s *step) error { s.del(handoverName(h.For)); return nil })
					}
				}
				return nil // the rest waits for its rooms
			}
			act = func(ctx context.Context) (time.Duration, error) {
				if left > 0 {
					return left, nil
				}
				return 0, c.handHistory(ctx, h, todo, len(late) > 0)
			}
			return nil
		})
		return act, err
	})
}

// deviceIn reports whether a device of ours has a leaf in a room.
func (s *step) deviceIn(r *room, me *account, id identity.DeviceID) (bool, error) {
	ro, err := s.roster(r.ID)
	if err != nil {
		return false, err
	}
	_, in := ro.LeafOf(me.ID, id)
	return in, nil
}

// lateRooms returns the conversations to hand over whose rooms a device is not in
// yet.
func (s *step) lateRooms(me *account, h *handover) (map[convID]bool, error) {
	late := make(map[convID]bool)
	err := s.scan("room", func(_ string, b []byte) (bool, error) {
		r := new(room)
		if err := decodeRecord(b, r); err != nil {
			return false, err
		}
		if r.State != roomOK && r.State != roomFounding {
			return true, nil
		}
		if _, asked := h.asked(r.Conv); !asked && len(h.Only) > 0 {
			return true, nil
		}
		in, err := s.deviceIn(r, me, h.For)
		if !in {
			late[r.Conv] = true
		}
		return true, err
	})
	return late, err
}

// toHand lists the conversations to hand over now.
func (s *step) toHand(h *handover, late map[convID]bool) (out []convID, err error) {
	skip := make(map[convID]bool)
	for _, id := range h.Done {
		skip[id] = true
	}
	err = s.scan("conversation", func(_ string, b []byte) (bool, error) {
		cv := new(conversation)
		if err := decodeRecord(b, cv); err != nil {
			return false, err
		}
		if r, err := s.room(cv.Room); err != nil || r == nil && len(cv.Gaps) == 0 {
			return true, err // only a request so far
		}
		if _, asked := h.asked(cv.ID); !skip[cv.ID] && !late[cv.ID] && (len(h.Only) == 0 || asked) {
			out = append(out, cv.ID)
		}
		return true, nil
	})
	return out, err
}

// handHistory writes and uploads one archive, then names it in the self room.
// Cut short it is made anew: what was uploaded ends by itself.
func (c *Client) handHistory(ctx context.Context, h *handover, todo []convID, more bool) error {
	me, err := c.self(ctx)
	if err != nil {
		return err
	}
	out := handed{For: h.For, Key: wire.NewSecret(), More: more, Answer: len(h.Only) > 0}
	w := archive.NewWriter(out.Key, me.ID, handPurpose, func(b []byte) error {
		var r *room
		var token wire.Secret
		err := c.look(ctx, func(s *step) error {
			if r, _, err = s.selfRoom(me); err != nil || r == nil {
				return errors.Join(err, errNoRoom)
			}
			g, err := s.group(r.ID)
			if err != nil || g == nil {
				return errors.Join(err, errNoRoom)
			}
			token, err = postToken(g, r.ID)
			return err
		})
		if err != nil {
			return err
		}
		want := wire.BlobIDOf(r.ID.Region(), b)
		id, err := c.cfg.Blobs.Put(ctx, r.Server, r.ID, token, archiveLife, b)
		if err == nil && id != want {
			err = lane.NotHearth()
		}
		out.Chunks = append(out.Chunks, want)
		return err
	})
	if err := c.writeArchive(ctx, w, h, todo); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.step(ctx, func(s *step) error {
		now := new(handover)
		if ok, err := s.get(handoverName(h.For), now); err != nil || !ok {
			return err
		}
		now.Done = append(now.Done, todo...)
		s.put(handoverName(h.For), now)
		if !more && (len(now.Only) == 0 || len(now.Only) == len(h.Only)) {
			s.del(handoverName(h.For))
		}
		if part, err := s.halfLinked(); err != nil {
			return err
		} else if !part {
			for _, id := range todo {
				cv, err := s.conv(id)
				if err != nil {
					return err
				}
				if m, _ := h.asked(id); cv != nil && !cv.lacks(m.Since) {
					out.Of = append(out.Of, id)
				}
			}
		}
		return s.share(item(syncArchive, out))
	})
}

// halfLinked reports whether this device has not been handed all history itself.
func (s *step) halfLinked() (bool, error) {
	me, err := s.me()
	if err != nil || !me.Linked {
		return false, err
	}
	whole, err := s.has(arrivedAllName)
	return !whole, err
}

// The kinds of entries.
const (
	entryPerson       = "person"
	entryDevice       = "device"
	entrySetting      = "setting"
	entryConversation = "conversation"
	entryLine         = "line"
)

// handedPerson is a person with what proves its name and its devices here.
type handedPerson struct {
	_      struct{} `cbor:",toarray"`
	Person syncedPerson
	Fellow []address
	Chain  [][]byte
	Proven bool // a directory has shown the handle
}

// handedConv opens the lines of a conversation.
type handedConv struct {
	_      struct{} `cbor:",toarray"`
	ID     convID
	Kind   string
	Peer   wire.AccountID
	Unread uint64
}

// handedLine is one line of a history.
type handedLine struct {
	_      struct{} `cbor:",toarray"`
	Conv   convID
	N      uint64
	Line   happening
	Signed *signedBytes
}

// writeArchive writes what the devices keep equal, and the histories of some
// conversations. It reads a page at a time, so that memory doesn't grow with the
// history.
func (c *Client) writeArchive(ctx context.Context, w *archive.Writer, h *handover, todo []convID) error {
	err := c.look(ctx, func(s *step) error {
		if err := s.writePeople(w); err != nil {
			return err
		}
		if err := s.writeRecords(w, "device", entryDevice, func(b []byte) (any, int64, error) {
			d := new(device)
			return d, 0, decodeRecord(b, d)
		}); err != nil {
			return err
		}
		return s.writeRecords(w, "shared", entrySetting, func(b []byte) (any, int64, error) {
			v := new(setting)
			err := decodeRecord(b, v)
			return v, v.Until, err
		})
	})
	if err != nil {
		return err
	}
	for _, id := range todo {
		m, asked := h.asked(id)
		if err := c.writeHistory(ctx, w, id, m.Since, asked); err != nil {
			return err
		}
	}
	return nil
}

func (s *step) writeRecords(w *archive.Writer, prefix, kind string, read func([]byte) (v any, until int64, err error)) error {
	return s.scan(prefix, func(_ string, b []byte) (bool, error) {
		v, until, err := read(b)
		if err != nil {
			return false, err
		}
		return true, w.Add(archive.Entry{Kind: kind, Value: wire.Encode(v), Until: until})
	})
}

func (s *step) writePeople(w *archive.Writer) error {
	return s.scan("person", func(_ string, b []byte) (bool, error) {
		p := new(person)
		if err := decodeRecord(b, p); err != nil {
			return false, err
		}
		var pinned wire.AccountID
		known, err := s.get(handleName(p.Handle), &pinned)
		if err != nil {
			return false, err
		}
		return true, w.Add(archive.Entry{Kind: entryPerson, Value: wire.Encode(handedPerson{
			Person: p.synced(), Fellow: p.Fellow, Chain: p.Chain, Proven: known && pinned == p.Account && p.Handle != ""})})
	})
}

// writeHistory writes one history, or what a device may have missed of it.
func (c *Client) writeHistory(ctx context.Context, w *archive.Writer, id convID, since int64, part bool) error {
	after, more := "", true
	err := c.look(ctx, func(s *step) error {
		cv, err := s.conv(id)
		if err != nil || cv == nil {
			return err
		}
		if part {
			n, err := s.handsFrom(id, since)
			if err != nil {
				return err
			}
			after = lineName(id, n)
		}
		return w.Add(archive.Entry{Kind: entryConversation, Value: wire.Encode(handedConv{ID: id, Kind: cv.Kind, Peer: cv.Peer, Unread: cv.Unread})})
	})
	if err != nil {
		return err
	}
	for more {
		var page []archive.Entry
		err := c.look(ctx, func(s *step) error {
			items, err := c.vault.Scan(s.ctx, historyName(id), after, scanPage)
			if err != nil {
				return err
			}
			more = len(items) == scanPage
			for _, it := range items {
				after = it.Name
				e, err := s.handLine(id, it)
				if err != nil {
					return err
				}
				if e != nil {
					page = append(page, *e)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := w.Add(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// handLine writes one line, unless it means nothing on another device.
func (s *step) handLine(id convID, it vault.Item) (*archive.Entry, error) {
	h := new(happening)
	if err := decodeRecord(it.Value, h); err != nil {
		return nil, err
	}
	switch h.Type {
	case EventMessage, EventEdit, EventDeletion, EventReaction, EventVote, EventJoined, EventLeft:
	default:
		return nil, nil
	}
	n, _ := vault.Number(it.Name)
	l := handedLine{Conv: id, N: n, Line: *h}
	l.Line.Event, l.Line.Room = 0, wire.RoomID{}
	if h.Own {
		l.Line.State = StateSent // what still waits there is sent from there
	}
	signed := new(signedBytes)
	ok, err := s.get(signedName(id, n), signed)
	if err != nil {
		return nil, err
	}
	if ok {
		l.Signed = signed
	}
	return &archive.Entry{Kind: entryLine, Value: wire.Encode(l), Until: h.Until}, nil
}
