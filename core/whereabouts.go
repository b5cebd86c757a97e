package core

import (
	"time"

	"hearth/core/roster"
	"hearth/wire"
)

// A device that is in step in a room cannot always tell by its log whether the
// conversation is still there: the founding that moved it has expired, or it never
// came into a log that its founder could not write to any more. It asks
// (docs/decisions/0036-beyond-the-log.md): a request to rejoin that names no leaf.
// Whoever is in the same room has only to say which leaf the device holds there;
// whoever is elsewhere lets it in.

// whereNext is how long such a question waits before the next three are asked.
const whereNext = time.Hour

// askWhere asks where a conversation is. What this device has said behind a number
// of the log is said again if it is elsewhere. The caller saves the room.
func (s *step) askWhere(r *room, cv *conversation, after wire.Number) error {
	if r.State != roomOK || cv.Room != r.ID || cv.Kind == KindSelf {
		return nil
	}
	if h, err := s.healing(r.ID); err != nil || h != nil {
		return err
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil || ro == nil {
		return err
	}
	now := s.c.now().Unix()
	h := &healing{Room: r.ID, Conv: r.Conv, Since: now, Siblings: now, Members: now, Where: true, After: after}
	if r.ReadAt != 0 {
		h.Since = r.ReadAt
	}
	if err := s.ask(h, cv, ro); err != nil {
		return err
	}
	s.put(healingName(r.ID), h)
	id := r.ID
	s.then(func() { s.c.wakeHealing(id) })
	return nil
}

// foundingMissed asks where a conversation is after a hole in its log in which its
// founding may have been: one stays for 30 days.
func (s *step) foundingMissed(r *room, cv *conversation, read wire.Number) error {
	if s.c.now().Sub(time.Unix(r.ReadAt, 0)) < wire.MaxTTL {
		return nil
	}
	return s.askWhere(r, cv, read)
}

// stillAsks reports whether a room's device wants what a healing is about.
func (h *healing) stillAsks(r *room) bool {
	if h.Where {
		return r.State == roomOK
	}
	return r.State == roomOutOfStep
}

// counts reports whether somebody's word is enough to go elsewhere (comeback.go):
// nobody else is asked.
func counts(ro *roster.Roster, cv *conversation, account wire.AccountID) bool {
	return cv.Kind == KindDirect || atLeast(ro, account, roster.RoleAdmin)
}

// everybodyAsked reports whether all were asked whose word counts.
func (h *healing) everybodyAsked(ro *roster.Roster, cv *conversation, me wire.AccountID) bool {
	n := 0
	if ro != nil {
		for _, m := range ro.State().Members {
			if m.Account != me && counts(ro, cv, m.Account) {
				n++
			}
		}
	}
	return int(h.Asked) >= n
}

// mayGoTo reports whether a Welcome that answers the question may take this device
// elsewhere: into a later room of the conversation.
func (s *step) mayGoTo(r *room, cv *conversation, room wire.RoomID, st roster.State) (bool, error) {
	h, err := s.healing(r.ID)
	if err != nil || h == nil || !h.Where || r.State != roomOK || cv.Room != r.ID || room == r.ID {
		return false, err
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil || ro == nil {
		return false, err
	}
	return st.Generation > ro.State().Generation, nil
}

// sayElsewhere says again what this device said in a room that the conversation
// had left.
func (s *step) sayElsewhere(h *healing, cv *conversation, old, next *room) error {
	if h == nil || !h.Where {
		return nil
	}
	if err := s.fellOut(cv, h.Since); err != nil {
		return err
	}
	return s.repeat(cv, old, next, h.After, false) // what is queued comes along anyway
}
