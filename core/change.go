package core

import (
	"time"

	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// What a commit means to the people of a conversation, and the end of a room.

// removed ends a room that a commit has taken us out of.
func (s *step) removed(r *room, cv *conversation, ro *roster.Roster, by wire.AccountID) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	s.closeRoom(r, roomRemoved)
	_, err = s.record(cv, happening{Type: EventLeft, At: s.c.now().UnixMilli(), Account: me.ID, By: by,
		Until: s.keepUntil(ro.State())})
	return err
}

// closeRoom destroys a room's keys and what waits in it; the conversation and
// its history stay.
func (s *step) closeRoom(r *room, state roomState) {
	r.State = state
	s.putRoom(r)
	s.dropGroup(r.ID)
	s.del(sagaName(r.ID))
	s.del(linkName(r.ID))
	if l, err := s.lineage(r.ID); err != nil || state != roomBeaten || l.Accepted == nil || !l.Accepted.Entered {
		s.del(lineageName(r.ID)) // that of a room that was left for its successor stays a while
	}
	s.del(healingName(r.ID))
	for _, prefix := range []string{planName(r.ID), outboxName(r.ID), unpostedName(r.ID), vault.Name("refresh", b64(r.ID[:])), vault.Name("leaf", b64(r.ID[:]))} {
		s.scan(prefix, func(name string, _ []byte) (bool, error) {
			s.del(name)
			return true, nil
		})
	}
	id := r.ID
	s.then(func() {
		delete(s.c.posted, id)
		s.c.stopReading(id)
	})
}

// keepUntil is when something that happened now leaves the history of a
// conversation: with its timer.
func (s *step) keepUntil(st roster.State) int64 {
	if st.Retention == 0 {
		return 0
	}
	return s.c.now().Add(time.Duration(st.Retention) * time.Second).Unix()
}

// tellChange records who came and went and what was set.
func (s *step) tellChange(r *room, cv *conversation, before, after *roster.Roster, ch mls.Changes, by wire.AccountID) error {
	now := s.c.now().UnixMilli()
	st := after.State()
	until := s.keepUntil(st)
	for _, m := range before.State().Members {
		_, stays := st.Member(m.Account)
		if stays && (len(after.LeavesOf(m.Account)) > 0 || len(before.LeavesOf(m.Account)) == 0) {
			continue
		}
		h := happening{Type: EventLeft, At: now, Account: m.Account, Until: until}
		if by != m.Account && !s.leftBySelf(ch, m.Account) {
			h.By = by
			s.putUntil(outcastName(cv.ID, m.Account), true, s.c.now().Add(outcastKept).Unix())
		}
		if _, err := s.record(cv, h); err != nil {
			return err
		}
	}
	if cv.Kind == KindDirect && len(after.LeavesOf(cv.Peer)) == 0 && len(before.LeavesOf(cv.Peer)) > 0 {
		if _, err := s.takeUp(cv); err != nil {
			return err
		}
	}
	for _, m := range st.Members {
		if roleOf(before, m.Account) == 0 {
			s.del(outcastName(cv.ID, m.Account)) // whoever may, has let them in again
		}
	}
	old := before.State()
	if old.Name != st.Name || old.Retention != st.Retention || old.Limit != st.Limit || old.Traced != st.Traced {
		me, err := s.me()
		if err != nil {
			return err
		}
		if by != me.ID {
			_, err := s.record(cv, happening{Type: EventNotice, At: now, Account: by, Code: NoticeChanged,
				Text: "The conversation's settings were changed.", Until: until})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// leftBySelf reports whether a commit carries an account's own signed leave.
func (s *step) leftBySelf(ch mls.Changes, account wire.AccountID) bool {
	for _, p := range ch.Custom {
		c, err := roster.ParseChange(p.Data)
		if err != nil {
			continue
		}
		for _, e := range c.Evidence {
			if _, who, err := e.Claims(); err == nil && who == account && e.Kind == roster.EvidenceLeave {
				return true
			}
		}
	}
	return false
}
