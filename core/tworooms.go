package core

import (
	"bytes"
	"errors"
	"time"

	"hearth/content"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/wire"
)

// Which of two rooms of one conversation counts, and what happens to the other
// (protocol §6, decision 0028).

// beaten keeps an invitation to a direct conversation whose present room wins:
// what it said is not lost, and it is taken up if the other one turns out to
// have gone from the present room.
func (s *step) beaten(rq *request, j *joining) (bool, error) {
	st := j.roster.State()
	if st.Kind == roster.Group {
		return false, nil
	}
	cv, err := s.conv(convID(st.ID))
	if err != nil || cv == nil {
		return false, err
	}
	if wins, err := s.wins(cv, &rq.Wrapper, j, rq.At/1000); err != nil || wins {
		return false, err
	}
	if st.Kind == roster.Self {
		return true, s.callOver(rq)
	}
	if err := s.standing(cv, &rq.Wrapper, j); err != nil {
		return false, err
	}
	if !rq.Beaten {
		if err := s.firstMessage(cv, st, &rq.Wrapper); err != nil {
			return false, err
		}
	}
	rq.Decided, rq.Beaten = false, true
	s.putRequest(rq)
	s.then(s.c.wakeRequests)
	return true, nil
}

// crossed accepts what the other one of a direct conversation has founded, and
// invited this device to, before it knew of a room of this account's: the two are
// one conversation, and which of them counts is not a question for people.
func (s *step) crossed(cv *conversation) error {
	if cv.Kind != KindDirect {
		return nil
	}
	return s.scan("request", func(_ string, b []byte) (bool, error) {
		rq := new(request)
		if err := decodeRecord(b, rq); err != nil {
			return false, err
		}
		st, err := roster.ParseState(rq.Wrapper.State)
		if err == nil && convID(st.ID) == cv.ID && rq.Wrapper.Room != cv.Room && !rq.Decided && !rq.Beaten && !rq.over(s.c.now()) {
			return true, errors.Join(s.carryOut(rq, true), s.shareDecision(rq, true))
		}
		return true, nil
	})
}

// takeUp carries out an invitation that was beaten by a room from which the
// other one has gone: who declined the one and founded the other is not there. It
// reports whether there is one.
func (s *step) takeUp(cv *conversation) (found bool, err error) {
	me, err := s.me()
	if err != nil || cv.Kind != KindDirect {
		return false, err
	}
	err = s.scan("request", func(_ string, b []byte) (bool, error) {
		rq := new(request)
		if err := decodeRecord(b, rq); err != nil {
			return false, err
		}
		st, err := roster.ParseState(rq.Wrapper.State)
		if err != nil || convID(st.ID) != cv.ID || !rq.Beaten || rq.over(s.c.now()) {
			return true, nil
		}
		if rq.Wrapper.Account == cv.Peer || rq.Wrapper.Account == me.ID {
			found, rq.Decided, rq.Beaten = true, true, false
			s.putRequest(rq)
			s.then(s.c.wakeRequests)
		}
		return true, nil
	})
	return found, err
}

// giveWay leaves the present room of a direct conversation for one that was beaten,
// if its founder is in no room but that: a device that was linked, or restored from a
// copy, and that no device of its own account has brought here within arrivesWithin.
// The others here read the leave, and follow. It returns how long there is to wait.
func (s *step) giveWay(rq *request) (time.Duration, error) {
	st, err := roster.ParseState(rq.Wrapper.State)
	if err != nil || rq.over(s.c.now()) {
		return 0, nil
	}
	cv, err := s.conv(convID(st.ID))
	if err != nil || cv == nil || cv.Kind != KindDirect || rq.Wrapper.Account != cv.Peer {
		return 0, err
	}
	r, err := s.room(cv.Room)
	if err != nil || r == nil || r.State != roomOK || r.Leaving {
		return 0, err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return 0, err
	}
	if _, there := ro.LeafOf(rq.Wrapper.Account, rq.Wrapper.Device); there {
		return 0, nil
	}
	if left := time.UnixMilli(rq.At).Add(arrivesWithin).Sub(s.c.now()); left > 0 {
		return left, nil
	}
	if !s.c.live(r.ID) {
		return time.Minute, nil // what the log still has to say may bring it here
	}
	return 0, s.leave(r, ro)
}

// wins reports whether a room that was joined for a direct conversation, or for
// this account's own devices, takes the place of the present one: of two, the lower
// group id wins (protocol §6), unless the other one has gone from the present one,
// or can join it no more.
func (s *step) wins(cv *conversation, inv *letter.Wrapper, j *joining, came int64) (bool, error) {
	r, err := s.room(cv.Room)
	if err != nil || r == nil || r.State != roomOK && r.State != roomFounding {
		return true, err
	}
	if late, err := s.begunAnew(cv, r, inv); err != nil || late {
		return late, err
	}
	if deserted, err := s.deserted(cv); err != nil || deserted {
		return deserted, err
	}
	if wins, known, err := s.byInvited(cv, r, inv, j.roster, came); err != nil || known {
		return wins, err
	}
	present, err := s.group(r.ID)
	if err != nil || present == nil {
		return true, err
	}
	return bytes.Compare(j.group.GroupID(), present.GroupID()) < 0, nil
}

// arrivesWithin is how long after its founder left a room for another an invitation
// into it may still be on its way.
const arrivesWithin = time.Hour

// byInvited decides between two rooms of a direct conversation by who can be in them
// (decision 0028). A device that is in the present one has left any it had founded
// before, and has forgotten the present one if it founds another afterwards. Where nobody of the other account has come to the present one yet: if the
// founder of one is invited to the other's room, and that one's is not to the first's,
// only one of the two can have both in it. came is when the invitation came, Unix
// seconds.
func (s *step) byInvited(cv *conversation, r *room, inv *letter.Wrapper, other *roster.Roster, came int64) (wins, known bool, err error) {
	if cv.Kind != KindDirect || inv.Account != cv.Peer || r.State != roomOK {
		return false, false, nil
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return false, false, err
	}
	at, theyCan := ro.LeafOf(inv.Account, inv.Device)
	if theyCan {
		l, err := s.leaf(r.ID, at.Index)
		if err != nil {
			return false, false, err
		}
		if at.Index == 0 && !l.Joined {
			l.Joined, l.Came = true, l.Since // the founder, who has said nothing yet
		}
		if l.Joined {
			// It has gone from there to the present room; or a copy from before the
			// present room was restored, founded another, and knows of no other.
			return came > l.Came+int64(arrivesWithin/time.Second), true, nil
		}
	}
	if joined, err := s.hasJoined(r.ID, ro, cv.Peer); err != nil || joined {
		return false, false, err
	}
	me, err := s.me()
	if err != nil {
		return false, false, err
	}
	founder, ok := ro.Leaf(0)
	if !ok || founder.Account != me.ID {
		return false, false, nil
	}
	_, weCan := other.LeafOf(me.ID, founder.Device)
	return weCan, theyCan != weCan, nil
}

// begunAnew reports whether a sibling that is in the present room has founded
// another, because nobody answered: how long ago the other one was invited, a
// device that was linked since does not know. From the room of the devices
// themselves a sibling that has founded another has fallen out.
func (s *step) begunAnew(cv *conversation, r *room, inv *letter.Wrapper) (bool, error) {
	me, err := s.me()
	if err != nil || inv.Account != me.ID || r.State != roomOK {
		return false, err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return false, err
	}
	if joined, err := s.hasJoined(r.ID, ro, cv.Peer); err != nil || joined {
		return false, err
	}
	at, ok := ro.LeafOf(me.ID, inv.Device)
	if !ok {
		return false, nil
	}
	l, err := s.leaf(r.ID, at.Index)
	return err == nil && l.Joined, err
}

// replaced closes the room that another took the place of, and says again in the
// new one what we said in the old: the same messages under the same ids.
func (s *step) replaced(cv *conversation, old wire.RoomID, r *room) error {
	before, err := s.room(old)
	if err != nil || before == nil || before.ID == r.ID {
		return err
	}
	var again []row
	gave := before.State == roomLeft && cv.Kind == KindDirect // see giveWay
	if gave || before.State == roomOK || before.State == roomFounding || before.State == roomOutOfStep || before.State == roomSucceeded {
		err = s.scan(historyName(cv.ID), func(_ string, b []byte) (bool, error) {
			h := new(happening)
			if err := decodeRecord(b, h); err != nil {
				return false, err
			}
			if h.said() && !h.Deleted && h.Own && h.Room == old {
				until, err := s.lasts(cv.ID, h, r.ID)
				if err != nil {
					return false, err
				}
				again = append(again, row{Kind: content.KindContent, Body: h.Body, Message: h.ID, Until: until})
			}
			return true, nil
		})
		if err != nil {
			return err
		}
		s.closeRoom(before, roomBeaten)
	}
	for _, w := range again {
		if _, err := s.enqueue(r, w); err != nil {
			return err
		}
	}
	return nil
}
