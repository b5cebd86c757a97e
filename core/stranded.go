package core

import (
	"errors"
	"slices"
	"time"

	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/wire"
)

// One commit can take the seats of everybody but its sender: to the server it is
// like any other, and nobody who is in step is left to put the others back. They
// learn of each other, for each asks members to be put back; whoever is put back
// first answers what it was asked meanwhile. If nobody is, they found a successor
// (docs/decisions/0036-beyond-the-log.md).

// keepAsking keeps a request to rejoin that comes while this device is out of step
// itself: it is answered once that is over.
func (s *step) keepAsking(r *room, a roster.Asking, j letter.Rejoin) error {
	if gone, err := s.lost(r.ID); err != nil || gone {
		return err
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil || ro == nil || roleOf(ro, a.Account) == 0 {
		return err
	}
	st, chain, err := s.readRejoin(ro, a, j)
	if err != nil || st == nil {
		return err
	}
	if kp, err := checkPackage(st.KeyPackage.Marshal(), chain, s.c.now()); err != nil || kp == nil {
		return nil
	}
	if err := s.refreshLater(r, ro, a, j.Request, chain); err != nil {
		return err
	}
	return s.stranded(r)
}

// stranded has this device found a successor, in its turn, if its place in a room
// does not open and another member asks to be put back as well.
func (s *step) stranded(r *room) error {
	l, err := s.lineage(r.ID)
	if err != nil || l.Shut == 0 || r.State != roomOutOfStep {
		return err
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	waits, err := s.waitingRefreshes(r.ID)
	if err != nil || !slices.ContainsFunc(waits, func(q refreshing) bool { return q.Account != me.ID }) {
		return err
	}
	return s.mayFound(r, l, NoticeServerLost, refreshWait)
}

// waitingRefreshes returns the requests to rejoin that wait in a room.
func (s *step) waitingRefreshes(id wire.RoomID) (list []refreshing, err error) {
	err = s.scan(vault.Name("refresh", b64(id[:])), func(_ string, b []byte) (bool, error) {
		var q refreshing
		err := decodeRecord(b, &q)
		list = append(list, q)
		return true, err
	})
	return list, err
}

// answerWaiting has this device, back in step, answer what it was asked before.
func (s *step) answerWaiting(r *room, waits []refreshing) error {
	if len(waits) == 0 {
		return nil
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	for _, q := range waits {
		wait, err := s.myTurn(r.ID, ro, q.Account)
		if err != nil {
			return err
		}
		q.Due = s.c.now().Add(wait).Unix()
		s.putRefreshing(r.ID, &q)
	}
	return nil
}

// shutFor returns for how long a room that is there does not open for this device
// yet, short of what a refresh may take; 0: it opens, or that has passed.
func (l *lineage) shutFor(now time.Time) time.Duration {
	if l.Shut == 0 {
		return 0
	}
	return max(0, time.Unix(l.Shut, 0).Add(refreshWait).Sub(now))
}

// unchangedSince reports whether a successor that no log has named still is as the
// room that was left for it: then an owner's or admin's word leads back there. What
// was changed since holds.
func (s *step) unchangedSince(l *lineage, f roster.Founding, room wire.RoomID) (unchanged, known bool, err error) {
	if !s.c.live(room) {
		return false, false, nil
	}
	last, err := roster.Parse(l.Later)
	if err != nil {
		return false, true, nil
	}
	next, err := s.roster(room)
	if code(err) == wire.Damaged || errors.Is(err, roster.ErrRefused) {
		return false, true, nil
	}
	if err != nil {
		return false, false, err
	}
	return last.JudgeSuccessor(f, next) == nil, true, nil
}

// removedBefore deals with the word that the account was removed, where this device
// has left the room meanwhile for a successor that no log has named: those who were
// removed together do not go on for themselves.
func (s *step) removedBefore(r *room, cv *conversation, v *letter.Verdict) error {
	l, err := s.lineage(r.ID)
	if err != nil || cv.Kind != KindGroup || l.Accepted == nil || !l.Accepted.Entered || l.Accepted.Number != 0 {
		return err
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	last, err := roster.Parse(l.Later)
	if err != nil || v.Account != me.ID && !mayRemove(roleOf(last, v.Account), roleOf(last, me.ID)) {
		return nil
	}
	next, err := s.room(cv.Room)
	if err != nil || next == nil || next.ID == r.ID || next.State != roomOK && next.State != roomOutOfStep {
		return err
	}
	return s.isRemoved(next, cv, v.Account)
}
