package core

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"hearth/core/archive"
	"hearth/core/vault"
	"hearth/wire"
)

// What a backup is made of: histories cut into segments by when they end, and the
// state of the account.

// segments sorts all that a backup holds, in the order of their names, without
// keeping the lines themselves.
func (c *Client) segments(ctx context.Context) ([]*segment, []convID, error) {
	byName := map[string]*segment{}
	in := func(name string, end int64) *segment {
		if byName[name] == nil {
			byName[name] = &segment{name: name, end: end, hash: sha256.New()}
		}
		return byName[name]
	}
	state := in(stateName, 0)
	var convs []convID
	err := c.look(ctx, func(s *step) error {
		me, err := s.me()
		if err != nil {
			return err
		}
		if err := s.writeState(me, func(e archive.Entry) error { state.add(e); return nil }); err != nil {
			return err
		}
		return s.scan("conversation", func(_ string, b []byte) (bool, error) {
			cv := new(conversation)
			err := decodeRecord(b, cv)
			convs = append(convs, cv.ID)
			return true, err
		})
	})
	if err != nil {
		return nil, nil, err
	}
	now := c.now()
	for i, id := range convs {
		err := c.eachLine(ctx, id, func(n uint64, h *happening, e archive.Entry) error {
			name, end, ok := segmentOf(time.UnixMilli(h.At), h.Until)
			if !ok || end != 0 && end <= now.Unix() {
				return nil
			}
			g := in(name, end)
			g.add(e)
			g.lines = append(g.lines, lineRef{conv: uint32(i), n: n})
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	var out []*segment
	for _, g := range byName {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *segment) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	return out, convs, nil
}

func (g *segment) add(e archive.Entry) {
	b := wire.Encode(e)
	g.hash.Write(wire.Encode(len(b)))
	g.hash.Write(b)
	g.items++
}

// eachLine gives every line of a history, a page at a time.
func (c *Client) eachLine(ctx context.Context, id convID, f func(n uint64, h *happening, e archive.Entry) error) error {
	for after, more := uint64(0), true; more; {
		n := 0
		err := c.look(ctx, func(s *step) error {
			return s.linesBehind(id, after, func(at uint64, h *happening) error {
				n, after = n+1, at
				e, err := s.lineEntry(id, at, h)
				if err != nil {
					return err
				}
				return f(at, h, e)
			})
		})
		if err != nil {
			return err
		}
		more = n == scanPage
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// linesBehind gives at most scanPage lines of a history behind one; fewer are
// the last.
func (s *step) linesBehind(id convID, after uint64, f func(n uint64, h *happening) error) error {
	items, err := s.c.vault.Scan(s.ctx, historyName(id), lineName(id, after), scanPage)
	if err != nil {
		return err
	}
	for _, it := range items {
		n, _ := vault.Number(it.Name)
		h := new(happening)
		if err := decodeRecord(it.Value, h); err != nil {
			return err
		}
		if err := f(n, h); err != nil {
			return err
		}
	}
	return nil
}

func (s *step) lineEntry(id convID, n uint64, h *happening) (archive.Entry, error) {
	line := *h
	line.Event = 0 // the queue of events stays with this home
	e := lineEntry{Conv: id, N: n, Line: wire.Encode(line)}
	var signed signedBytes
	ok, err := s.get(signedName(id, n), &signed)
	if ok {
		e.Signed = wire.Encode(signed)
	}
	return archive.Entry{Kind: savedLine, Value: wire.Encode(e), Until: h.Until}, err
}

func (c *Client) writeLines(ctx context.Context, g *segment, convs []convID, add func(archive.Entry) error) error {
	for _, at := range g.lines {
		var e archive.Entry
		err := c.look(ctx, func(s *step) error {
			h, err := s.line(convs[at.conv], at.n)
			if err != nil || h == nil {
				return err // it ended meanwhile
			}
			e, err = s.lineEntry(convs[at.conv], at.n, h)
			return err
		})
		if err != nil {
			return err
		}
		if e.Kind == "" {
			continue
		}
		if err := add(e); err != nil {
			return err
		}
	}
	return nil
}

// writeState writes everything without an end: the account without its key, its
// devices, people, what is set, conversations, and where their rooms are and who is
// in them.
func (s *step) writeState(me *account, add func(archive.Entry) error) error {
	put := func(kind string, v any) error { return add(archive.Entry{Kind: kind, Value: wire.Encode(v)}) }
	if err := put(savedAccount, accountEntry{ID: me.ID, Server: me.Server, Domain: me.Domain, Name: me.Name, Chain: me.Chain}); err != nil {
		return err
	}
	if err := s.writeDevices(me, put); err != nil {
		return err
	}
	err := s.scan("person", func(_ string, b []byte) (bool, error) {
		p := new(person)
		if err := decodeRecord(b, p); err != nil {
			return false, err
		}
		if err := put(savedPerson, p); err != nil || p.Handle == "" {
			return true, err
		}
		var pinned wire.AccountID
		known, err := s.get(handleName(p.Handle), &pinned)
		if err == nil && known && pinned == p.Account {
			err = put(savedHandle, handleEntry{Handle: p.Handle, Account: pinned})
		}
		return true, err
	})
	if err != nil {
		return err
	}
	err = s.scan("shared", func(_ string, b []byte) (bool, error) {
		v := new(setting)
		if err := decodeRecord(b, v); err != nil {
			return false, err
		}
		if v.Until != 0 || len(v.Value) == 0 {
			return true, nil // what ends is for the devices that there are
		}
		return true, put(savedSetting, v)
	})
	if err != nil {
		return err
	}
	return s.scan("conversation", func(_ string, b []byte) (bool, error) {
		cv := new(conversation)
		if err := decodeRecord(b, cv); err != nil {
			return false, err
		}
		r, err := s.room(cv.Room)
		if err != nil || r == nil {
			return true, err // only a request so far: it comes again, or it doesn't
		}
		if err := put(savedConv, cv); err != nil {
			return false, err
		}
		roster, _, err := s.bytes(rosterName(r.ID))
		if err != nil {
			return false, err
		}
		return true, put(savedRoom, roomEntry{ID: r.ID, Server: r.Server, Conv: cv.ID, Epoch: r.Epoch, State: r.State, Roster: roster})
	})
}

// writeDevices writes where the account's devices are reached: by it a restored one
// finds its siblings.
func (s *step) writeDevices(me *account, put func(kind string, v any) error) error {
	own, err := s.ownDevice(me)
	if err != nil {
		return err
	}
	siblings, err := s.siblings(me)
	if err != nil {
		return err
	}
	for _, d := range append(siblings, own) {
		if err := put(savedDevice, d); err != nil {
			return err
		}
	}
	return nil
}
