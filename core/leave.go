package core

import (
	"context"
	"errors"
	"time"

	"hearth/content"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/wire"
)

// Leaving: an account that goes says so, signed; any member's commit then takes
// its leaves out, with the signed word as evidence (protocol §4).

// owed is a leave that waits to be carried out.
type owed struct {
	_        struct{} `cbor:",toarray"`
	Account  wire.AccountID
	Evidence []byte
	Due      int64 // Unix seconds: when it is our turn
}

func owedName(id wire.RoomID, account wire.AccountID) string {
	return vault.Name("owed", b64(id[:]), b64(account[:]))
}

// turn is how long a member waits for those before it in rank (protocol §5).
const turn = 2 * time.Second

// GroupLeave leaves a group. It returns once the others have been told, or when
// ctx ends: then that goes on by itself.
func (c *Client) GroupLeave(ctx context.Context, room string) (Left, error) {
	id, err := c.roomByText(ctx, room)
	if err != nil {
		return Left{}, err
	}
	err = c.step(ctx, func(s *step) error {
		r, ro, _, err := s.inGroup(id)
		if err != nil {
			return err
		}
		return s.leave(r, ro)
	})
	if err != nil {
		return Left{}, err
	}
	err = c.wait(ctx, func(s *step) (bool, error) {
		cv, err := s.conv(id)
		if err != nil || cv == nil {
			return true, err
		}
		r, err := s.room(cv.Room)
		return r == nil || r.State != roomOK, err
	})
	if err != nil && ctx.Err() == nil {
		return Left{}, err
	}
	return Left{Room: id.String(), State: RoomLeft}, nil
}

// leave says in a room that this account leaves it.
func (s *step) leave(r *room, ro *roster.Roster) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	e, err := ro.NewLeave(key, me.ID)
	if err != nil {
		return err
	}
	if _, err := s.enqueue(r, row{Kind: content.KindLeave, Body: e.Encode(), Until: s.c.now().Add(wire.MaxTTL).Unix()}); err != nil {
		return err
	}
	r.Leaving = true
	s.putRoom(r)
	return nil
}

// leftRoom ends a room after our own leave was seen in it.
func (s *step) leftRoom(r *room, cv *conversation) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	until := s.keepUntil(ro.State())
	s.closeRoom(r, roomLeft)
	if goes, err := s.takeUp(cv); err != nil || goes {
		return err // it goes on in another room
	}
	_, err = s.record(cv, happening{Type: EventLeft, At: s.c.now().UnixMilli(), Account: me.ID, Until: until})
	return err
}

// hearLeave deals with a leave that came as a message: its sender must be of the
// account that it speaks of.
func (s *step) hearLeave(r *room, ro *roster.Roster, from roster.Leaf, body []byte) (bool, error) {
	e, err := roster.ParseEvidence(body)
	if err != nil {
		return false, nil
	}
	if _, account, err := e.Claims(); err != nil || account != from.Account {
		return false, nil
	}
	if mine, err := s.isMe(from.Account); err != nil || mine {
		return true, errors.Join(err, s.leftWithSibling(r, e))
	}
	wait := time.Duration(0)
	g, err := s.group(r.ID)
	if err != nil {
		return false, err
	}
	for _, i := range ro.Rank() {
		l, _ := ro.Leaf(i)
		if i == g.OwnLeaf() {
			break
		}
		if l.Account != from.Account {
			wait += turn
		}
	}
	if wait > 0 {
		wait += s.c.jitter(turn)
	}
	return s.takeLeave(r, ro, e, wait)
}

// takeLeave keeps a signed leave, to be carried out after wait unless another
// member does it first.
func (s *step) takeLeave(r *room, ro *roster.Roster, e roster.Evidence, wait time.Duration) (bool, error) {
	st, err := e.ReadLeave(ro.Chain)
	if err != nil || convID(st.Conversation) != r.Conv {
		return false, nil
	}
	due := s.c.now().Add(wait)
	s.putUntil(owedName(r.ID, st.Account), owed{Account: st.Account, Evidence: e.Encode(), Due: due.Unix()}, due.Add(wire.MaxTTL).Unix())
	id := r.ID
	s.then(func() { s.c.wakeRoom(id); s.c.wakeAt(id, due.Unix()+1) })
	return true, nil
}

// dueLeave plans the removal that is our turn.
func (s *step) dueLeave(r *room) (found bool, err error) {
	now := s.c.now().Unix()
	err = s.scan(vault.Name("owed", b64(r.ID[:])), func(name string, b []byte) (bool, error) {
		var o owed
		if err := decodeRecord(b, &o); err != nil {
			return false, err
		}
		if o.Due > now {
			s.c.wakeAt(r.ID, o.Due)
			return true, nil
		}
		s.del(name)
		ro, err := s.roster(r.ID)
		if err != nil {
			return false, err
		}
		if len(ro.LeavesOf(o.Account)) == 0 {
			return true, nil // it was carried out
		}
		s.plan(r, plan{Remove: []wire.AccountID{o.Account}, Evidence: [][]byte{o.Evidence}})
		s.putRoom(r)
		found = true
		return false, nil
	})
	return found, err
}

// wakeAt wakes a room's sender at a time, Unix seconds; 0: never.
func (c *Client) wakeAt(id wire.RoomID, at int64) {
	if at == 0 {
		return
	}
	c.crew.spawn(func(ctx context.Context) {
		select {
		case <-time.After(time.Unix(at, 0).Sub(c.now())):
			c.wakeRoom(id)
		case <-ctx.Done():
		}
	})
}
