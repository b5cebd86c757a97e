package core

import (
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/wire"
)

// A device that fell out of step founds a successor when nobody is there to put
// it back. If the others had gone two epochs further by then, its founding does
// not count for them: they put it back into the old room, and it returns there
// (protocol §5).

// mayReturn reports whether a Welcome leads back to a room that this device has
// left for a successor, from an epoch for which that founding was not valid. Only
// an admin's word counts, or that of the other one of two: anybody else could
// lure a device away from where the others are.
func (s *step) mayReturn(r *room, cv *conversation, inv *letter.Wrapper, j *joining) (bool, error) {
	if inv.Room != r.ID || inv.Server != r.Server || cv.Room == r.ID {
		return false, nil
	}
	l, err := s.lineage(r.ID)
	if err != nil || l.Accepted == nil || !l.Accepted.Entered || len(l.Later) == 0 {
		return false, err
	}
	f, err := roster.ParseFounding(l.Accepted.Founding)
	if err != nil || wire.Epoch(f.Base)+1 >= inv.Epoch {
		return false, nil
	}
	me, err := s.me()
	if err != nil {
		return false, err
	}
	st := j.roster.State()
	if convID(st.ID) != cv.ID || st.Generation >= f.Generation || roleOf(j.roster, me.ID) == 0 {
		return false, nil
	}
	if cv.Kind == KindDirect {
		return inv.Account == cv.Peer, nil
	}
	last, err := roster.Parse(l.Later)
	if err != nil {
		return false, nil
	}
	return inv.Account == me.ID || atLeast(last, inv.Account, roster.RoleAdmin), nil
}

// goBack returns to a room, and says again there what was said in the successor.
func (s *step) goBack(r *room, cv *conversation, inv *letter.Wrapper, j *joining) error {
	left, err := s.room(cv.Room)
	if err != nil {
		return err
	}
	if err := s.takeBack(r, cv, inv, j); err != nil {
		return err
	}
	back, err := s.room(r.ID)
	if err != nil || left == nil {
		return err
	}
	// Nobody else need have been there: all of it.
	if err := s.sayAgain(cv, left, &lineage{Accepted: &acceptedFounding{}}, back); err != nil {
		return err
	}
	s.putRoom(back)
	s.closeRoom(left, roomBeaten)
	return nil
}
