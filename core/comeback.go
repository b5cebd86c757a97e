package core

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"hearth/content"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/wire"
)

// Coming back: a Welcome for a KeyPackage that this device made to be put back
// into step. It asked for it, so nobody is asked whether to accept; but whoever
// answers could be a member who would rather have it in a group of its own making,
// so it is held to what the device knew when it fell out.

// comeback is such a Welcome, whose signature was checked.
type comeback struct {
	_       struct{}    `cbor:",toarray"`
	From    wire.RoomID // the room that the device fell out of
	Ref     []byte
	Wrapper letter.Wrapper
}

func comebacksName(id wire.RoomID) string { return vault.Name("comeback", b64(id[:])) }

func (b *comeback) name() string { return comebacksName(b.From) + "/" + b64(b.Ref) }

// comesBack takes a Welcome that this device has asked for; it reports whether it
// is one.
func (s *step) comesBack(k knock) (bool, error) {
	var q rejoining
	if ok, err := s.get(rejoinName(k.ref), &q); err != nil || !ok {
		return false, err
	}
	b := &comeback{From: q.Room, Ref: k.ref, Wrapper: *k.wrapper}
	s.putUntil(b.name(), b, s.c.now().Add(wire.ClaimWithin).Unix())
	s.then(func() { s.c.wakeHealing(q.Room) })
	return true, nil
}

// firstComeback returns a Welcome that waits; nil if there is none.
func (s *step) firstComeback(id wire.RoomID) (b *comeback, err error) {
	err = s.scan(comebacksName(id), func(_ string, v []byte) (bool, error) {
		b = new(comeback)
		return false, decodeRecord(v, b)
	})
	return b, err
}

// comeBack opens a Welcome, judges it whole, and puts the room in the place of the
// one that was lost.
func (c *Client) comeBack(b *comeback) action {
	return func(ctx context.Context) (time.Duration, error) {
		drop := func(why error) (time.Duration, error) {
			c.debug("a Welcome back was refused", why)
			return 0, c.step(ctx, func(s *step) error { return s.askAnew(b) })
		}
		inv := &b.Wrapper
		var kp keyPackage
		have := false
		err := c.look(ctx, func(s *step) (err error) {
			have, err = s.get(packageName(b.Ref), &kp)
			return err
		})
		if err != nil {
			return 0, err
		}
		if !have {
			return drop(errForged) // a KeyPackage is used once
		}
		blob, err := c.cfg.Blobs.Get(ctx, inv.Server, inv.Tree.Blob)
		switch code(err) {
		case wire.NotFound, wire.Denied, wire.Gone:
			return drop(err)
		}
		if err != nil {
			return 0, err
		}
		j, err := c.open(inv, &kp, blob)
		if err != nil {
			return drop(err)
		}
		refused, later := false, false
		err = c.step(ctx, func(s *step) error {
			r, cv, err := s.roomAndConv(b.From)
			if err != nil {
				return err
			}
			again, err := s.has(packageName(b.Ref))
			if err != nil {
				return err
			}
			if again && r != nil && r.State == roomBeaten && cv.Kind == KindSelf {
				back, err := s.mayCrossBack(cv, inv, j)
				if refused = !back; err != nil || refused {
					return err
				}
				s.del(b.name())
				s.del(packageName(b.Ref))
				return s.joined(inv, j)
			}
			ok := again && r != nil && r.State == roomOutOfStep
			if again && r != nil && r.State == roomOK {
				if ok, err = s.mayGoTo(r, cv, inv.Room, j.roster.State()); err != nil {
					return err
				}
			}
			if ok {
				ok, err = s.mayTakeBack(r, cv, inv, j)
			}
			way := wayNone
			if err == nil && again && r != nil && !ok {
				way, err = s.mayReturn(r, cv, inv, j)
			}
			refused = !ok && way == wayNone
			if later = way == wayLater; err != nil || refused || later {
				return err
			}
			s.del(b.name())
			s.del(packageName(b.Ref)) // the init key is gone with it (RFC 9420 §16.8)
			switch way {
			case wayBackTo, wayForNow:
				return s.goBack(r, cv, inv, j, way == wayForNow)
			case wayAsk:
				held, _ := j.roster.Leaf(j.group.OwnLeaf())
				return s.askWhoCounts(r, cv, []roster.LeafHash{held.Hash})
			}
			return s.takeBack(r, cv, inv, j)
		})
		switch {
		case err != nil:
			return 0, err
		case refused:
			return drop(errForged)
		case later:
			return lookAgain, nil
		}
		return 0, nil
	}
}

// mayTakeBack holds a Welcome to the last that this device knew: it is for this
// conversation and, in its own room, for a later epoch of the same group; who
// answers was a member then, or is a device of one's own. In another room, a
// successor, only an admin's word counts, or the other one's in a direct
// conversation. Where nothing is known any more, people who were accepted before
// are believed.
func (s *step) mayTakeBack(r *room, cv *conversation, inv *letter.Wrapper, j *joining) (bool, error) {
	me, err := s.me()
	if err != nil {
		return false, err
	}
	st := j.roster.State()
	if convID(st.ID) != cv.ID || kindName(st.Kind) != cv.Kind || roleOf(j.roster, me.ID) == 0 {
		return false, nil
	}
	if other, err := s.room(inv.Room); err != nil || other != nil && other.Conv != cv.ID {
		return false, err
	}
	if inv.Room == r.ID {
		if inv.Server != r.Server && r.Server != "" || inv.Epoch <= r.Epoch {
			return false, nil
		}
		if gone, err := s.lost(r.ID); err != nil {
			return false, err
		} else if !gone {
			g, err := s.group(r.ID)
			if err != nil || !bytes.Equal(g.GroupID(), j.group.GroupID()) {
				return false, err
			}
		}
	}
	if inv.Account == me.ID {
		return true, nil
	}
	if cv.Kind == KindDirect {
		return inv.Account == cv.Peer, nil
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil {
		return false, err
	}
	if ro == nil {
		p, err := s.person(inv.Account)
		return p.Contact, err
	}
	if inv.Room != r.ID {
		return atLeast(ro, inv.Account, roster.RoleAdmin), nil
	}
	return roleOf(ro, inv.Account) != 0, nil
}

// takeBack puts the room that a Welcome leads to in the place of the old one. What
// waited to be said is said there, under the same message ids, and changes that
// were waiting are made there; so is a leave.
func (s *step) takeBack(old *room, cv *conversation, inv *letter.Wrapper, j *joining) error {
	h, err := s.healing(old.ID)
	if err != nil {
		return err
	}
	before, err := s.lastRoster(old.ID)
	if err != nil {
		return err
	}
	var rows []row
	err = s.rows(old.ID, func(w *row) (bool, error) {
		if w.Kind == content.KindContent {
			rows = append(rows, row{Kind: w.Kind, Body: w.Body, Message: w.Message, Until: w.Until})
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	var plans []plan
	err = s.scan(planName(old.ID), func(_ string, b []byte) (bool, error) {
		var p plan
		if err := decodeRecord(b, &p); err != nil {
			return false, err
		}
		// A renewal is not needed; in another room evidence names leaves that are
		// not there.
		if !p.Renew && !p.Found && (len(p.Evidence) == 0 || inv.Room == old.ID) {
			plans = append(plans, p)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	waits, err := s.waitingRefreshes(old.ID)
	if err != nil {
		return err
	}
	next, leaving := old.Next, old.Leaving
	if l, err := s.lineage(old.ID); err != nil {
		return err
	} else if err := s.abandon(old, l); err != nil {
		return err // a successor of our own that nobody was told of
	}
	s.closeRoom(old, roomBeaten)
	r, err := s.moveIn(cv, inv, j)
	if err != nil {
		return err
	}
	r.Next = max(r.Next, next) // no number twice: a plan keeps its own
	for _, p := range plans {
		s.put(planRecord(r.ID, p.N), p)
	}
	if err := s.sayElsewhere(h, cv, old, r); err != nil {
		return err
	}
	for _, w := range rows {
		if _, err := s.enqueue(r, w); err != nil {
			return err
		}
	}
	if err := s.answerWaiting(r, waits); err != nil {
		return err
	}
	if leaving {
		if err := s.leaveAgain(r); err != nil {
			return err
		}
	}
	s.putRoom(r)
	if cv.Kind == KindSelf {
		if err := s.shareDevice(); err != nil {
			return err
		}
	}
	return s.tellBack(h, cv, before, inv, j.roster)
}

// tellBack says that this device is back, how long it was away, and what is to be
// doubted.
func (s *step) tellBack(h *healing, cv *conversation, before *roster.Roster, inv *letter.Wrapper, after *roster.Roster) error {
	now := s.c.now()
	away := ""
	if h != nil {
		away = " after " + showAway(now.Sub(time.Unix(h.Since, 0)))
	}
	n, err := s.record(cv, happening{Type: EventNotice, At: now.UnixMilli(), Code: NoticeRejoined,
		Text: "This device is back in step" + away + ". " + textMissing, Until: now.Add(noticeKept).Unix()})
	if err != nil {
		return err
	}
	// A device of one's own that was in step has what is missing.
	if err := s.backAgain(cv, n); err != nil || before == nil || cv.Kind != KindGroup {
		return err
	}
	me, err := s.me()
	if err != nil || inv.Account == me.ID || atLeast(before, inv.Account, roster.RoleAdmin) {
		return err
	}
	for _, m := range after.State().Members {
		if roleOf(before, m.Account) != m.Role {
			return s.notice(cv, NoticeUnproven, "A member who is not an admin has put this device back, and the group's members or roles have changed meanwhile. Ask somebody you trust whether that is right.")
		}
	}
	return nil
}

// showAway writes a duration as people say it.
func showAway(d time.Duration) string {
	n, unit := int(d/(24*time.Hour)), "day"
	switch {
	case d < 2*time.Minute:
		return "a moment"
	case d < 2*time.Hour:
		n, unit = int(d/time.Minute), "minute"
	case d < 48*time.Hour:
		n, unit = int(d/time.Hour), "hour"
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// hearVerdict deals with the word of a member that a request of ours cannot be
// carried out. That the account was removed is believed only of those who had the
// right to remove it, by the last roles that this device knew, of its own other
// devices, and of all who were there together: anybody else could end a
// conversation by a lie.
func (s *step) hearVerdict(v *letter.Verdict) error {
	var q rejoining
	if ok, err := s.get(rejoinName(v.Ref), &q); err != nil || !ok || q.Conv != convID(v.Conversation) {
		return err
	}
	r, cv, err := s.roomAndConv(q.Room)
	if err != nil || r == nil {
		return err
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	if v.Removed && r.State == roomBeaten {
		return s.removedBefore(r, cv, v)
	}
	if h, err := s.healing(r.ID); err != nil || r.State != roomOutOfStep && (h == nil || !h.stillAsks(r)) {
		return err
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil {
		return err
	}
	if v.Removed {
		if cv.Kind != KindGroup {
			return nil
		}
		if v.Account != me.ID && (ro == nil || !mayRemove(roleOf(ro, v.Account), roleOf(ro, me.ID))) {
			if all, err := s.allSayOut(r.ID, ro, v.Account); err != nil || !all {
				return err
			}
			return s.isRemoved(r, cv, me.ID)
		}
		return s.isRemoved(r, cv, v.Account)
	}
	return s.told(r, cv, ro, v)
}

// allSayOut notes that a member says this account is out, who had no right to
// remove it, and reports whether by now all have said so who were there. A home
// restored from a copy may have left the group since: of an owner nobody else
// could say it.
func (s *step) allSayOut(id wire.RoomID, ro *roster.Roster, by wire.AccountID) (bool, error) {
	me, err := s.me()
	if err != nil || ro == nil || roleOf(ro, by) == 0 {
		return false, err
	}
	h, err := s.healing(id)
	if err != nil || h == nil {
		return false, err
	}
	if !slices.Contains(h.Out, by) {
		h.Out = append(h.Out, by)
		s.put(healingName(id), h)
	}
	for _, m := range ro.State().Members {
		if m.Account == me.ID || slices.Contains(h.Out, m.Account) {
			continue
		}
		if there, err := s.hasJoined(id, ro, m.Account); err != nil || there {
			return false, err
		}
	}
	return true, nil
}

// isRemoved ends a room from which somebody has removed the account.
func (s *step) isRemoved(r *room, cv *conversation, by wire.AccountID) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	if waits, err := s.anyBehind(outboxName(r.ID), 0); err != nil {
		return err
	} else if waits {
		if err := s.notice(cv, NoticeUndelivered, "What you said last could not be delivered: you are no longer in this conversation."); err != nil {
			return err
		}
	}
	s.closeRoom(r, roomRemoved)
	_, err = s.record(cv, happening{Type: EventLeft, At: s.c.now().UnixMilli(), Account: me.ID, By: by, Until: s.c.now().Add(noticeKept).Unix()})
	return err
}

// mayRemove reports whether a role removes another (package roster).
func mayRemove(by, who roster.Role) bool {
	return by == roster.RoleOwner || by == roster.RoleAdmin && who == roster.RoleMember
}

// maxTold bounds the leaves that others say this device holds.
const maxTold = 16

// told takes in which leaf a member says this device holds, and asks that member
// once more. A lie names a leaf that is not there, and changes nothing.
func (s *step) told(r *room, cv *conversation, ro *roster.Roster, v *letter.Verdict) error {
	h, err := s.healing(r.ID)
	if err != nil || h == nil || !bytes.Equal(h.Ref, v.Ref) || len(h.Leaves) >= maxTold {
		return err
	}
	if h.Where && ro != nil && slices.ContainsFunc(ro.Leaves(), func(l roster.Leaf) bool { return l.Hash == v.Leaf }) {
		return nil // here
	}
	h.Leaves = append(h.Leaves, v.Leaf)
	if err := s.ask(h, cv, ro); err != nil {
		return err
	}
	s.put(healingName(r.ID), h)
	p, err := s.person(v.Account)
	if err != nil {
		return err
	}
	for _, at := range p.reachedAt() {
		if err := s.sendRequest(h, at); err != nil {
			return err
		}
	}
	return nil
}
