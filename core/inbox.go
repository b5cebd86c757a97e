package core

import (
	"bytes"
	"context"
	"errors"

	"hearth/content"
	"hearth/core/lane"
	"hearth/mls"
	"hearth/wire"
)

// roomLog deals with the entries of one room: each is one step, or some posts
// together, in which the effects and the place in the log are saved together.
// Only then they are acknowledged.
type roomLog struct {
	c  *Client
	id wire.RoomID
}

func (l *roomLog) seats(s *step) ([]seat, position, wire.Secret, error) {
	r, err := s.room(l.id)
	if err != nil || r == nil || r.State != roomOK && r.State != roomOutOfStep && r.State != roomSucceeded {
		return nil, position{}, wire.Secret{}, err
	}
	if silent, err := s.silent(l.id); err != nil || silent {
		return nil, position{}, wire.Secret{}, err
	}
	if r.Seat.ID == (wire.SeatID{}) {
		return nil, position{}, wire.Secret{}, nil // its record was lost
	}
	seats := []seat{r.Seat}
	if r.Old != nil {
		// A rename is under way: until the server has answered, either may be
		// the one that it knows (protocol §2).
		seats = append(seats, *r.Old)
	}
	var token wire.Secret
	if g, err := s.group(l.id); err != nil && code(err) != wire.Damaged {
		return nil, position{}, token, err
	} else if err == nil && g != nil {
		if token, err = postToken(g, l.id); err != nil {
			return nil, position{}, token, err
		}
	}
	return seats, position{read: r.Read, after: r.after()}, token, nil
}

func (l *roomLog) opened(ctx context.Context, which int, o wire.SeatOpened) (bool, error) {
	restored := false
	err := l.c.step(ctx, func(s *step) error {
		r, cv, err := s.roomAndConv(l.id)
		if err != nil || r == nil {
			return err
		}
		if r.Read == 0 {
			// Just joined: the seat's cursor is the commit that added us
			// (protocol §1).
			r.Read, r.Commit = o.Cursor, o.Cursor
		}
		if which == 0 && r.Old != nil {
			r.Old = nil // the new seat opens: the rename came through
		}
		s.putRoom(r)
		if err := s.serverKeeps(r, cv, s.c.net.Terms(r.Server).Keep); err != nil {
			return err
		}
		read := r.Read
		if err := s.logState(r, cv, o); err != nil {
			return err
		}
		restored = r.Read < read
		switch {
		case o.Lapsed:
			return s.outOfStep(r, cv, NoticeLapsed, "This device was away too long to catch up.")
		case o.Cursor > r.Read:
			return s.outOfStep(r, cv, NoticeTwin, "This device's data was copied, or restored from a copy: more was read here than it knows.")
		}
		if gone, err := s.lost(l.id); err != nil || gone {
			return errors.Join(err, s.outOfStep(r, cv, NoticeStateLost, textStateLost))
		}
		return nil
	})
	if err == nil && restored {
		err = lane.ErrEnded // opened again it is read from the restored head
	}
	return true, err
}

// roomAndConv reads a room with its conversation.
func (s *step) roomAndConv(id wire.RoomID) (*room, *conversation, error) {
	r, err := s.room(id)
	if err != nil || r == nil {
		return nil, nil, err
	}
	cv, err := s.conv(r.Conv)
	if err == nil && cv == nil {
		err = wire.Errorf(wire.Damaged, "a room without its conversation")
	}
	return r, cv, err
}

// outOfStep stops posting in a room, and says so once.
func (s *step) outOfStep(r *room, cv *conversation, code, text string) error {
	if r.State != roomOK {
		return nil
	}
	r.State = roomOutOfStep
	switch code {
	case NoticeRolledBack:
	case NoticeTwin:
		if err := s.foundCopied(); err != nil {
			return err
		}
	default:
		if err := s.heal(r, cv, code); err != nil {
			return err
		}
	}
	s.putRoom(r)
	return s.notice(cv, code, text)
}

func (l *roomLog) refused(ctx context.Context, code wire.Code) error {
	if code == wire.Closing {
		return nil
	}
	return l.c.step(ctx, func(s *step) error {
		r, cv, err := s.roomAndConv(l.id)
		if err != nil || r == nil {
			return err
		}
		if err := s.logGone(r, code); err != nil {
			return err
		}
		if code == wire.Gone {
			return s.outOfStep(r, cv, NoticeGone, "The server has dropped this conversation's room, which nobody had opened for a long time; it goes on in a new one.")
		}
		// The server's word: it changes what we can do here, never who is a
		// member (attacks A01).
		if err := s.outOfStep(r, cv, NoticeSeatLost, "The server does not open this device's place in the conversation any more."); err != nil {
			return err
		}
		return s.stranded(r)
	})
}

func (l *roomLog) hole(ctx context.Context, h *wire.Hole) error {
	return l.c.step(ctx, func(s *step) error {
		r, cv, err := s.roomAndConv(l.id)
		if err != nil || r == nil {
			return err
		}
		read := r.Read
		r.Read = h.To
		err = s.holed(r, cv, h)
		if err == nil {
			err = s.missedInHole(r, cv)
		}
		if err == nil {
			err = s.foundingMissed(r, cv, read)
		}
		s.putRoom(r)
		return err
	})
}

func (l *roomLog) gap(ctx context.Context, from, to wire.Number) error {
	return l.c.step(ctx, func(s *step) error {
		r, cv, err := s.roomAndConv(l.id)
		if err != nil || r == nil {
			return err
		}
		r.Read = to
		s.putRoom(r)
		return s.notice(cv, NoticeWithheld, "The server keeps back part of this conversation.")
	})
}

func (l *roomLog) entry(ctx context.Context, e *wire.Entry) error {
	return l.posts(ctx, []*wire.Entry{e})
}

func (l *roomLog) posts(ctx context.Context, es []*wire.Entry) error {
	return l.c.step(ctx, func(s *step) error {
		for _, e := range es {
			if err := s.entry(l.id, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *step) entry(id wire.RoomID, e *wire.Entry) error {
	r, cv, err := s.roomAndConv(id)
	if err != nil || r == nil {
		return err
	}
	if e.Kind != wire.KindEphemeral {
		r.Read, r.ReadAt = e.Number, s.c.now().Unix()
		r.remember(e)
	}
	switch e.Kind {
	case wire.KindPost:
		bad := r.Bad
		if err = s.post(r, cv, e); err == nil && r.Bad > bad {
			err = s.unreadablePost(r, cv, e)
		}
	case wire.KindCommit:
		if err = s.committed(r); err == nil {
			err = s.commit(r, cv, e)
		}
	case wire.KindNotice:
		err = s.hearNotice(r, cv, e)
	case wire.KindEphemeral:
		return s.fleeting(r, cv, e)
	}
	if err != nil {
		return err
	}
	s.putRoom(r)
	return nil
}

// post deals with an ordinary entry. Nothing a sender or the server put into it
// is an error: what does not open is counted and passed over (protocol §1).
func (s *step) post(r *room, cv *conversation, e *wire.Entry) error {
	own, err := s.ownRow(r.ID, e.Payload)
	if err != nil {
		return err
	}
	if own != nil {
		return s.ownSeen(r, cv, own, e)
	}
	if r.State != roomOK && r.State != roomSucceeded {
		r.Bad++
		return nil
	}
	g, err := s.group(r.ID)
	if err != nil {
		return err
	}
	if g == nil || e.Epoch < r.Epoch {
		r.Bad++
		return nil
	}
	if e.Epoch > r.Epoch {
		// There was a commit that we were not given.
		return s.outOfStep(r, cv, NoticeWithheld, "The server keeps back part of this conversation.")
	}
	staged, err := g.Process(e.Payload)
	switch {
	case err == nil:
	case errors.Is(err, mls.ErrGenerationUsed):
		return nil // a second copy (protocol §8)
	case errors.Is(err, mls.ErrTwin):
		return s.outOfStep(r, cv, NoticeTwin, "A copy of this device's data is in use somewhere.")
	default:
		r.Bad++
		return nil
	}
	if staged.Kind() != mls.ContentApplication {
		r.Bad++ // a commit that came as a post, or a proposal by itself
		return nil
	}
	if len(staged.AuthenticatedData()) > 0 {
		r.Bad++ // protocol §8: empty
		return nil
	}
	heard, err := s.hear(r, cv, g, staged)
	if err != nil {
		return err
	}
	if !heard {
		r.Bad++
	} else if r.State == roomSucceeded {
		if err := s.heardForsaken(r, cv, staged); err != nil {
			return err
		}
	}
	// The key is used up whatever the message said.
	if r.State == roomOK { // a sibling's leave has dropped the keys
		s.groups[r.ID] = true
		s.putRatchets(r.ID, staged.Apply())
	}
	return nil
}

// ownSeen deals with an own entry: it is sent.
func (s *step) ownSeen(r *room, cv *conversation, w *row, e *wire.Entry) error {
	id := r.ID
	s.dropRow(id, w)
	s.then(func() { delete(s.c.posted[id], w.N) })
	s.then(func() { s.c.wakeRoom(id) }) // a receipt may wait behind it
	switch {
	case w.Kind == content.KindLeave:
		return s.leftRoom(r, cv)
	case w.Kind == content.KindReceipt:
		return s.receiptSent(cv)
	case w.Kind == content.KindSync:
		return s.ownSync(w.Body)
	case len(w.Message) == 0:
		return nil
	}
	n, err := s.lineOf(cv.ID, w.Message)
	if err != nil || n == 0 {
		return err
	}
	h, err := s.line(cv.ID, n)
	if err != nil || h == nil {
		return err
	}
	h.State, h.Room, h.Number = StateSent, r.ID, e.Number
	if err := s.addressees(r, h); err != nil {
		return err
	}
	s.putUntil(lineName(cv.ID, n), h, h.Until)
	return nil
}

// commit deals with the entry that leaves an epoch: the first one decides
// (protocol §3).
func (s *step) commit(r *room, cv *conversation, e *wire.Entry) error {
	if r.State != roomOK && r.State != roomFounding {
		r.Bad++
		return nil
	}
	g, err := s.group(r.ID)
	if err != nil {
		return err
	}
	if g == nil {
		r.Bad++
		return nil
	}
	if e.Epoch != r.Epoch && !(e.Epoch == r.Epoch+1 && r.State == roomFounding) {
		if e.Epoch < r.Epoch {
			r.Bad++ // a repetition
			return nil
		}
		return s.outOfStep(r, cv, NoticeWithheld, "The server keeps back part of this conversation.")
	}
	sg, err := s.saga(r.ID)
	if err != nil {
		return err
	}
	if sg != nil && bytes.Equal(sg.Message, e.Payload) {
		return s.ownCommitSeen(r, cv, g, sg, e)
	}
	if sg != nil {
		// Another's came first: drop all and rebase.
		s.del(sagaName(r.ID))
		s.then(func() { delete(s.c.posted[r.ID], sagaSent) })
	}
	return s.foreignCommit(r, cv, g, e)
}
