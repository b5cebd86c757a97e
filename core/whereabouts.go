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

// askWhere asks where a conversation is, once a day at most, and reports whether it
// does. What this device has said behind a number of the log is said again if it is
// elsewhere.
func (s *step) askWhere(r *room, cv *conversation, after wire.Number) (bool, error) {
	if r.State != roomOK || cv.Room != r.ID || cv.Kind == KindSelf {
		return false, nil
	}
	now := s.c.now()
	h, err := s.healing(r.ID)
	switch {
	case err != nil:
		return false, err
	case h == nil:
		h = &healing{Room: r.ID, Conv: r.Conv, Where: true, After: after, Since: r.ReadAt}
		if h.Since == 0 {
			h.Since = now.Unix()
		}
	case !h.Where || now.Sub(time.Unix(h.Made, 0)) < askAgain:
		return false, nil
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil || ro == nil {
		return false, err
	}
	h.Siblings, h.Members, h.Asked, h.After = now.Unix(), now.Unix(), 0, min(h.After, after)
	if err := s.ask(h, cv, ro); err != nil {
		return false, err
	}
	return true, s.hurried(h)
}

// foundingMissed asks where a conversation is after a hole in its log in which its
// founding may have been: one stays for 30 days.
func (s *step) foundingMissed(r *room, cv *conversation, read wire.Number) error {
	if s.c.now().Sub(time.Unix(r.ReadAt, 0)) < wire.MaxTTL {
		return nil
	}
	_, err := s.askWhere(r, cv, read)
	return err
}

// unnamedFor is how long a founding that somebody wrote of may be missing in a log
// that can be read.
const unnamedFor = time.Hour

// whileUnnamed looks after a candidate that waits, and returns when to look again; 0:
// when something has changed. A founder that could not write to the log, as it
// could not read it, is elsewhere with everybody who could not either.
func (s *step) whileUnnamed(name string, cand *candidate) (time.Duration, error) {
	inv := &cand.Wrapper
	r, err := s.room(inv.Old)
	if err != nil || r == nil {
		return 0, err
	}
	l, err := s.lineage(r.ID)
	if err != nil {
		return 0, err
	}
	now := s.c.now()
	if left := l.shutFor(now); left > 0 {
		return left, nil
	}
	if cand.Asked || r.State != roomOK || l.Accepted != nil {
		return 0, nil
	}
	if left := time.Unix(cand.At, 0).Add(unnamedFor).Sub(now); left > 0 {
		return left, nil
	}
	if _, in, err := s.untoldRank(r, l, inv); err != nil || !in {
		return 0, err
	}
	cv, err := s.conv(r.Conv)
	if err != nil || cv == nil {
		return 0, err
	}
	if cand.Asked, err = s.askWhere(r, cv, l.Grown); err != nil || !cand.Asked {
		return unnamedFor, err
	}
	s.putUntil(name, cand, cand.Until)
	return 0, nil
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
