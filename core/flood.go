package core

import (
	"context"
	"time"

	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// A member who floods a room with what nobody can read is not to be told from
// the others: the server is not told who posts. Owners and admins then switch the
// room to traced posts (protocol §1), which show a seat, and are told whose it
// is.

const (
	// floodPosts is how many unreadable posts within floodSpan are a flood.
	floodPosts = 50
	floodSpan  = 10 * time.Minute
	// floodTold is how long nothing more is said of a flood.
	floodTold = 24 * time.Hour
)

// flood counts unreadable posts of a seat, or of all where posts are not traced.
type flood struct {
	_     struct{} `cbor:",toarray"`
	Since int64    // Unix seconds
	Posts uint32
	Told  bool
}

// unreadablePost counts a post that did not open in the epoch that we are in.
func (s *step) unreadablePost(r *room, cv *conversation, e *wire.Entry) error {
	if r.State != roomOK || e.Epoch != r.Epoch || cv.Kind != KindGroup {
		return nil
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	ro, err := s.roster(r.ID)
	if err != nil || !atLeast(ro, me.ID, roster.RoleAdmin) {
		return err
	}
	name := vault.Name("flood", b64(r.ID[:]), "any")
	if e.Seat != nil {
		name = vault.Name("flood", b64(r.ID[:]), b64(e.Seat[:]))
	}
	now := s.c.now()
	var f flood
	if _, err := s.get(name, &f); err != nil {
		return err
	}
	if !f.Told && now.Sub(time.Unix(f.Since, 0)) > floodSpan {
		f = flood{Since: now.Unix()}
	}
	f.Posts++
	tell := f.Posts >= floodPosts && !f.Told
	f.Told = f.Told || tell
	s.putUntil(name, f, now.Add(floodTold).Unix())
	if !tell {
		return nil
	}
	if e.Seat == nil {
		return s.notice(cv, NoticeFlood, "Somebody floods this group with what nobody can read. Find out who: hearth group set ROOM --traced on")
	}
	from, ok, err := s.seatedAt(r, ro, *e.Seat)
	if err != nil || !ok {
		return err
	}
	_, err = s.record(cv, happening{Type: EventNotice, At: now.UnixMilli(), Account: from.Account, Code: NoticeFlooder,
		Text:  "This member floods the group with what nobody can read, by what the server shows. They can be removed; then switch tracing off.",
		Until: now.Add(noticeKept).Unix()})
	return err
}

// seatedAt returns the leaf that has announced a seat.
func (s *step) seatedAt(r *room, ro *roster.Roster, at wire.SeatID) (from roster.Leaf, ok bool, err error) {
	err = s.scan(vault.Name("leaf", b64(r.ID[:])), func(name string, b []byte) (bool, error) {
		l := new(leaf)
		if err := decodeRecord(b, l); err != nil {
			return false, err
		}
		if l.Seat == nil || *l.Seat != at {
			return true, nil
		}
		i, _ := vault.Number(name)
		from, ok = ro.Leaf(mls.LeafIndex(i))
		return false, nil
	})
	return from, ok, err
}

// roomClosing reacts to a server that takes nothing more for a room.
func (c *Client) roomClosing(ctx context.Context, id wire.RoomID) error {
	return c.step(ctx, func(s *step) error {
		r, cv, err := s.roomAndConv(id)
		if err != nil || r == nil {
			return err
		}
		return s.logState(r, cv, wire.SeatOpened{Head: r.Read, Closing: true})
	})
}
