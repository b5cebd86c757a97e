package core

import (
	"context"
	"time"

	"hearth/core/lane"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/wire"
)

// When a room cannot go on, the clients found another by themselves, and the old
// room's log decides which one (protocol §5). This file holds what calls for a
// successor and whose turn it is; founding is in successor_found.go, following
// in successor_follow.go, and what is said again in successor_resend.go.

const (
	// foundTurn is how long a member waits for each one before it in rank.
	foundTurn = 2 * time.Minute
	// lostAfter is how long a server may not answer before it counts as lost: a
	// day, so that no night's outage moves a conversation. The protocol leaves
	// the time open.
	lostAfter = 24 * time.Hour
	// enterWait is how long a founding that cannot be entered is waited for
	// before another is founded: its members are asked for a refresh meanwhile.
	enterWait = 2 * time.Hour
)

// mayFound plans to found a successor after a while, when it is our turn, unless
// that is planned for sooner.
func (s *step) mayFound(r *room, l *lineage, why string, after time.Duration) error {
	defer s.putLineage(r, l)
	rank, ok, err := s.rankIn(r, l)
	if err != nil || !ok {
		return err
	}
	due := s.c.now().Add(after + time.Duration(rank)*foundTurn).Unix()
	if l.Due != 0 && l.Due <= due {
		return nil
	}
	l.Due, l.Why = due, why
	id := r.ID
	s.then(func() { s.c.wakeRoom(id); s.c.wakeAt(id, due) })
	return nil
}

// rankIn returns our place among those who may found a successor; false if we
// may not.
func (s *step) rankIn(r *room, l *lineage) (uint64, bool, error) {
	me, err := s.me()
	if err != nil {
		return 0, false, err
	}
	key, err := me.key()
	if err != nil {
		return 0, false, err
	}
	ro, err := s.newest(r, l)
	if code(err) == wire.Damaged {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	own, ok := ro.LeafOf(me.ID, key.ID())
	if !ok {
		return 0, false, nil
	}
	return rankOf(ro, own), true, nil
}

func rankOf(ro *roster.Roster, l roster.Leaf) uint64 {
	for n, i := range ro.Rank() {
		if i == l.Index {
			return uint64(n)
		}
	}
	return 1 << 32
}

// logState reacts to what a server says of a room's log when its seat is opened.
func (s *step) logState(r *room, cv *conversation, o wire.SeatOpened) error {
	l, err := s.lineage(r.ID)
	if err != nil {
		return err
	}
	if l.LostSince != 0 || l.Unread {
		l.LostSince, l.Unread, l.Shut = 0, false, 0
		if l.Why == NoticeServerLost {
			l.Due, l.Why = 0, ""
		}
		s.putLineage(r, l)
	}
	switch {
	case o.Head < r.Read:
		return s.logRestored(r, cv, l, o.Head, o.Cursor)
	case o.Closing && r.State == roomOK && l.Why != NoticeClosing:
		if err := s.notice(cv, NoticeClosing, "The server closes this conversation's room; it goes on in a new one."); err != nil {
			return err
		}
		return s.mayFound(r, l, NoticeClosing, 0)
	}
	return nil
}

// logGone reacts to a log that does not open for us any more: the room is gone,
// or our place in it.
func (s *step) logGone(r *room, why wire.Code) error {
	l, err := s.lineage(r.ID)
	if err != nil || l.Unread {
		return err
	}
	l.Unread = true
	if why != wire.Gone {
		l.Shut = s.c.now().Unix()
	}
	s.then(s.c.wakeSuccessors)
	if why == wire.Gone {
		// Those who are in another already can let us in until then.
		return s.mayFound(r, l, NoticeServerLost, refreshWait)
	}
	s.putLineage(r, l)
	return nil
}

// dueSuccession says what a room's sender has to do for its successor; nil:
// nothing now.
func (c *Client) dueSuccession(s *step, r *room) (action, error) {
	if r.State == roomSucceeded {
		if f, err := s.forsaken(r.ID); err != nil {
			return nil, err
		} else if f != nil {
			return s.dueForsaken(r, f), nil
		}
	}
	if !r.Moving {
		return nil, nil
	}
	l, err := s.lineage(r.ID)
	if err != nil {
		return nil, err
	}
	if l.Accepted != nil && l.Accepted.Entered {
		if r.State == roomSucceeded && (c.live(r.ID) || l.unreadable(c.now())) {
			// In the successor, and at the old log's end.
			s.closeRoom(r, roomBeaten)
		}
		return nil, nil
	}
	if l.Mine != nil {
		return c.bringThrough(s, r, l)
	}
	if a := l.Accepted; a != nil && r.State == roomSucceeded {
		// Its Welcome should be here: after a while somebody must let us in.
		if left := time.Unix(a.At, 0).Add(refreshWait).Sub(c.now()); left > 0 {
			return waitFor(left), nil
		}
		if err := s.leftBehind(r); err != nil {
			return nil, err
		}
	}
	switch left := time.Unix(l.Due, 0).Sub(c.now()); {
	case l.Due == 0:
		return nil, nil
	case left > 0 && (r.State == roomOK || r.State == roomFounding):
		return nil, nil // a timer wakes us
	case left > 0:
		return waitFor(left), nil
	}
	calls, err := s.stillDue(r, l)
	if err != nil {
		return nil, err
	}
	if !calls {
		l.Due, l.Why, l.To = 0, "", ""
		s.putLineage(r, l)
		return nil, nil
	}
	if r.State == roomOK && l.Why != NoticeServerLost && !c.live(r.ID) {
		return waitFor(time.Second), nil // what the log says comes first
	}
	return c.foundSuccessor(r.ID), nil
}

func waitFor(d time.Duration) action {
	return func(context.Context) (time.Duration, error) { return d, nil }
}

// stillDue reports whether what called for a successor still does.
func (s *step) stillDue(r *room, l *lineage) (bool, error) {
	if l.Accepted != nil && !l.Accepted.Entered {
		return true, nil // a founding that could not be entered in its time
	}
	switch l.Why {
	case NoticeOutOfStep:
		return r.State == roomOutOfStep, nil
	case NoticeRolledBack:
		return l.Restored != 0, nil
	case NoticeServerLost:
		return l.Unread || l.lost(s.c.now()), nil
	case NoticeClosing:
		return r.State == roomOK, nil
	case NoticeMoved: // at will
		me, err := s.me()
		if err != nil {
			return false, err
		}
		ro, err := s.newest(r, l)
		if err != nil {
			return false, err
		}
		return ro.State().Kind == roster.Direct || atLeast(ro, me.ID, roster.RoleAdmin), nil
	}
	return false, nil
}

// lost reports whether a room's server counts as lost.
func (l *lineage) lost(now time.Time) bool {
	return l.LostSince != 0 && !now.Before(time.Unix(l.LostSince, 0).Add(lostAfter))
}

// unreadable reports whether no log can tell which founding counts.
func (l *lineage) unreadable(now time.Time) bool { return l.Unread || l.lost(now) }

// lostLook is how often a client looks which servers do not answer.
const lostLook = time.Hour

// watchServers notes for how long the servers of rooms have not answered.
func (c *Client) watchServers(ctx context.Context) {
	for {
		select {
		case <-time.After(lostLook):
		case <-ctx.Done():
			return
		}
		var late []wire.RoomID
		err := c.look(ctx, func(s *step) error {
			me, err := s.account()
			if err != nil || me == nil || !c.net.To(me.Server, lane.Seats).Answers() {
				return err // nothing answers: the network is down here, for all we know
			}
			for id, r := range c.readers {
				if _, room := r.log.(*roomLog); room && !r.live && c.net.To(r.server, lane.Seats).Failing() {
					late = append(late, id)
				}
			}
			return nil
		})
		for _, id := range late {
			if err == nil {
				err = c.step(ctx, func(s *step) error { return s.serverLate(id) })
			}
		}
		if err != nil {
			c.debug("looking at the servers failed", err)
		}
	}
}

// serverLate notes that a room's server does not answer.
func (s *step) serverLate(id wire.RoomID) error {
	r, cv, err := s.roomAndConv(id)
	if err != nil || r == nil || r.State != roomOK && r.State != roomOutOfStep && r.State != roomSucceeded {
		return err
	}
	l, err := s.lineage(id)
	if err != nil {
		return err
	}
	now := s.c.now()
	switch {
	case l.LostSince == 0:
		l.LostSince = now.Unix()
		s.putLineage(r, l)
		return nil
	case !l.lost(now):
		return nil
	}
	s.then(s.c.wakeSuccessors)
	s.then(func() { s.c.wakeRoom(id) })
	if l.Why == NoticeServerLost || r.State == roomSucceeded {
		return nil
	}
	if err := s.notice(cv, NoticeServerLost, "This conversation's server has not answered for a day; it goes on elsewhere."); err != nil {
		return err
	}
	l.Due, l.Why = 0, NoticeServerLost // sooner than what a log would have to decide
	return s.mayFound(r, l, NoticeServerLost, 0)
}

// hearFounding judges a founding notice by the log, and follows it if it is the
// one that counts.
func (s *step) hearFounding(r *room, cv *conversation, n heard) error {
	if r.State != roomOK && r.State != roomOutOfStep && r.State != roomSucceeded {
		return nil
	}
	f, err := roster.ParseFounding(n.Body)
	if err != nil {
		return nil
	}
	l, err := s.lineage(r.ID)
	if err != nil {
		return err
	}
	st, err := s.standingOf(r, l)
	if code(err) == wire.Damaged {
		return nil
	}
	if err != nil {
		return err
	}
	mine := l.Mine != nil && string(l.Mine.Founding) == string(n.Body)
	if verdict := st.Judge(f, n.Account, n.Device); verdict != nil {
		s.c.debug("a founding does not count", verdict)
		if mine {
			// Another was faster, or the room has moved on.
			return s.abandon(r, l)
		}
		return nil
	}
	if l.Mine != nil && !mine {
		if err := s.abandon(r, l); err != nil {
			return err
		}
	}
	leaf, _ := st.Newest.LeafOf(n.Account, n.Device)
	l.Accepted = &acceptedFounding{Founding: n.Body, Number: n.number, Rank: rankOf(st.Newest, leaf), At: s.c.now().Unix()}
	l.OutOfStep, l.Due, l.Why, l.To = nil, 0, "", ""
	r.State = roomSucceeded
	s.putLineage(r, l)
	if err := s.countFounding(r, cv, st.Newest); err != nil {
		return err
	}
	if mine {
		switch follow, err := s.followable(l, st.Newest, f); {
		case err != nil:
			return err
		case !follow:
			return s.unfollowed(r, l)
		}
		return s.enterOwn(r, cv, l)
	}
	if err := s.acceptNamed(n.Body); err != nil {
		return err
	}
	s.then(s.c.wakeSuccessors)
	return s.mayFound(r, l, NoticeOutOfStep, enterWait)
}

// unfollowed gives up a founding of ours that the log has named, but that nobody
// follows: what was said there just before it has made it worthless. Like all
// others this device is left behind then.
func (s *step) unfollowed(r *room, l *lineage) error {
	l.Accepted.Void = true
	if err := s.abandon(r, l); err != nil {
		return err
	}
	if err := s.leftBehind(r); err != nil {
		return err
	}
	return s.mayFound(r, l, NoticeOutOfStep, refreshWait)
}

// foundings are the times of a conversation's newest foundings, Unix seconds.
type foundings struct {
	_     struct{} `cbor:",toarray"`
	Times []int64
}

// oftenFounded is how many foundings in a day an admin is asked about.
const oftenFounded = 3

// countFounding asks an admin what goes on when there are too many foundings.
func (s *step) countFounding(r *room, cv *conversation, ro *roster.Roster) error {
	name := foundingsName(cv.ID)
	var past foundings
	if _, err := s.get(name, &past); err != nil {
		return err
	}
	now := s.c.now()
	kept := []int64{now.Unix()}
	for _, t := range past.Times {
		if now.Sub(time.Unix(t, 0)) < 24*time.Hour && len(kept) < oftenFounded {
			kept = append(kept, t)
		}
	}
	s.putUntil(name, foundings{Times: kept}, now.Add(24*time.Hour).Unix())
	me, err := s.me()
	if err != nil || len(kept) < oftenFounded || cv.Kind == KindGroup && !atLeast(ro, me.ID, roster.RoleAdmin) {
		return err
	}
	return s.notice(cv, NoticeFoundedOften, "This conversation had to move three times in a day. Somebody in it may be doing that: look who, and remove them.")
}

// leftBehind asks the members to let this device into a successor that it cannot
// enter: it is out of step.
func (s *step) leftBehind(r *room) error {
	cv, err := s.conv(r.Conv)
	if err != nil || cv == nil {
		return err
	}
	r.State = roomOutOfStep
	s.putRoom(r)
	return s.heal(r, cv, NoticeOutOfStep)
}

// tellFounding puts a founding into the old room's log.
func (s *step) tellFounding(r *room, founding []byte) {
	s.postNotice(r, letter.NoticeFounding, founding)
}
