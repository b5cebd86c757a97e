package core

import (
	"hearth/core/roster"
	"hearth/wire"
)

// dueInvited takes back the invitations that nobody accepted for 31 days, where
// this account may (protocol §6). Of several admins the first one's commit does
// it; the others find nothing left to do.
func (s *step) dueInvited(r *room) error {
	now := s.c.now().Unix()
	if r.InvitedUntil == 0 || now < r.InvitedUntil {
		return nil
	}
	r.InvitedUntil = 0
	defer s.putRoom(r)
	me, err := s.me()
	if err != nil {
		return err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	st := ro.State()
	if st.Kind != roster.Group || !atLeast(ro, me.ID, roster.RoleAdmin) {
		return nil
	}
	var late []wire.AccountID
	for _, m := range st.Members {
		if m.Role != roster.RoleMember || m.Account == me.ID {
			continue
		}
		joined, since := false, int64(0)
		for _, at := range ro.LeavesOf(m.Account) {
			l, err := s.leaf(r.ID, at.Index)
			if err != nil {
				return err
			}
			joined = joined || l.Joined
			since = max(since, l.Since)
		}
		if joined {
			continue
		}
		if due := since + int64(wire.ClaimWithin.Seconds()); due > now {
			// Invited later than the ones this look was for.
			if r.InvitedUntil == 0 || due < r.InvitedUntil {
				r.InvitedUntil = due
			}
			continue
		}
		late = append(late, m.Account)
	}
	if len(late) > 0 {
		s.plan(r, plan{Remove: late})
	}
	id, at := r.ID, r.InvitedUntil
	s.then(func() { s.c.wakeAt(id, at) })
	return nil
}
