package core

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// Following a successor: its Welcome waits, unasked, until the old log has named
// it. Where no log can be read, the best founding counts that is learned of, on
// the last roles known here, and people are told that (protocol §5).

// candidate is a founding Welcome that waits for the log's word.
type candidate struct {
	_       struct{} `cbor:",toarray"`
	ID      []byte
	Ref     []byte // the KeyPackage's that it is for
	Wrapper letter.Wrapper
	At      int64 // Unix seconds
	Until   int64
	// Asked: its log did not name it, and this device asked where the
	// conversation is.
	Asked bool
}

func candidateName(id []byte) string { return vault.Name("candidate", b64(id)) }

// successorQueue is what deals with candidates.
const successorQueue queueKind = 0x30

// foundingCame deals with a founding Welcome. It returns false if the
// conversation is not one that this device stands in: then it is an invitation
// like any other.
func (s *step) foundingCame(k knock, id []byte) (bool, error) {
	inv := k.wrapper
	f, err := roster.ParseFounding(inv.Founding)
	if err != nil {
		return true, nil
	}
	me, err := s.me()
	if err != nil {
		return true, err
	}
	st, ok, err := s.plausible(me, inv)
	if err != nil || !ok || st.ID != f.Conversation || st.Generation != f.Generation {
		return true, err
	}
	cv, err := s.conv(convID(st.ID))
	if err != nil || cv == nil {
		return false, err
	}
	r, err := s.room(cv.Room)
	if err != nil || r == nil || r.State == roomLeft || r.State == roomRemoved {
		return false, err
	}
	p, err := s.person(inv.Account)
	if err != nil {
		return true, err
	}
	if agrees, err := p.learnChain(k.chain); err != nil || !agrees {
		return true, err
	}
	s.putPerson(p)
	now := s.c.now()
	until := now.Add(wire.ClaimWithin).Unix()
	s.putUntil(candidateName(id), candidate{ID: id, Ref: k.ref, Wrapper: *inv, At: now.Unix(), Until: until}, until)
	s.then(s.c.wakeSuccessors)
	return true, nil
}

// verdict is what is to become of a candidate.
type verdict uint8

const (
	verdictWait verdict = iota // the log has not said
	verdictJoin
	verdictDrop
)

// wakeSuccessors looks at the candidates.
func (c *Client) wakeSuccessors() {
	c.poke(queueID{what: successorQueue}, func(ctx context.Context) (act action, err error) {
		var look time.Duration
		err = c.step(ctx, func(s *step) error {
			return s.scan("candidate", func(name string, b []byte) (bool, error) {
				cand := new(candidate)
				if err := decodeRecord(b, cand); err != nil {
					return false, err
				}
				v, err := s.decide(cand)
				switch {
				case err != nil:
					return false, err
				case v == verdictDrop:
					s.del(name)
				case v == verdictJoin:
					act = func(ctx context.Context) (time.Duration, error) { return 0, c.follow(ctx, cand) }
				default:
					left, err := s.whileUnnamed(name, cand)
					if err != nil {
						return false, err
					}
					if left > 0 && (look == 0 || left < look) {
						look = left
					}
				}
				return act == nil, nil
			})
		})
		if act == nil && look > 0 {
			act = waitFor(look)
		}
		return act, err
	})
}

// decide says what is to become of a candidate.
func (s *step) decide(cand *candidate) (verdict, error) {
	inv := &cand.Wrapper
	f, err := roster.ParseFounding(inv.Founding)
	if err != nil {
		return verdictDrop, nil
	}
	cv, err := s.conv(convID(f.Conversation))
	if err != nil || cv == nil {
		return verdictDrop, err
	}
	r, err := s.room(inv.Old)
	if err != nil {
		return verdictWait, err
	}
	if r == nil || r.Conv != cv.ID {
		return verdictWait, nil // a successor's successor: the one between comes first
	}
	l, err := s.lineage(r.ID)
	if err != nil {
		return verdictWait, err
	}
	switch a := l.Accepted; {
	case a != nil && string(a.Founding) == string(inv.Founding):
		if a.Entered || a.Void {
			return verdictDrop, nil
		}
		return verdictJoin, nil
	case a != nil && a.Number > 0:
		return verdictWait, nil // a later one of the same log may still come
	case !l.unreadable(s.c.now()):
		return verdictWait, nil
	case l.shutFor(s.c.now()) > 0:
		return verdictWait, nil // a refresh comes first
	case r.ID != cv.Room && (a == nil || !a.Entered):
		return verdictDrop, nil
	}
	// No log can tell: the lowest rank, then the lowest hash.
	rank, ok, err := s.untoldRank(r, l, inv)
	if err != nil || !ok {
		return verdictDrop, err
	}
	if l.Accepted != nil && better(l.Accepted, rank, inv.Founding) {
		return verdictDrop, nil
	}
	return verdictJoin, nil
}

// untoldRank returns a founder's place by the last roles that are known here.
func (s *step) untoldRank(r *room, l *lineage, inv *letter.Wrapper) (uint64, bool, error) {
	ro, err := s.newest(r, l)
	if code(err) == wire.Damaged || errors.Is(err, roster.ErrRefused) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	leaf, ok := ro.LeafOf(inv.Account, inv.Device)
	return rankOf(ro, leaf), ok, nil
}

// follow enters a successor whose founding counts.
func (c *Client) follow(ctx context.Context, cand *candidate) error {
	inv := &cand.Wrapper
	var kp keyPackage
	known := false
	err := c.look(ctx, func(s *step) (err error) {
		known, err = s.get(packageName(cand.Ref), &kp)
		return err
	})
	if err != nil {
		return err
	}
	drop := func(void error) error {
		c.debug("a successor was refused", void)
		return c.step(ctx, func(s *step) error { return s.void(cand) })
	}
	if !known {
		return drop(errForged)
	}
	blob, err := c.cfg.Blobs.Get(ctx, inv.Server, inv.Tree.Blob)
	if err != nil {
		if k := code(err); k == wire.NotFound && c.now().Sub(time.Unix(cand.At, 0)) > enterWait || k == wire.Denied || k == wire.Gone {
			return drop(err)
		}
		return err
	}
	j, err := c.open(inv, &kp, blob)
	if err != nil {
		return drop(err)
	}
	f, err := roster.ParseFounding(inv.Founding)
	if err == nil && f.Info != j.info {
		err = errForged
	}
	if err != nil {
		return drop(err)
	}
	var refused error
	err = c.step(ctx, func(s *step) error {
		v, err := s.decide(cand)
		if err != nil || v != verdictJoin {
			return err
		}
		if have, err := s.has(packageName(cand.Ref)); err != nil || !have {
			return err // a KeyPackage is used once
		}
		r, cv, err := s.roomAndConv(inv.Old)
		if err != nil {
			return err
		}
		l, err := s.lineage(r.ID)
		if err != nil {
			return err
		}
		base, err := s.newest(r, l)
		if err != nil {
			return err
		}
		if refused = base.JudgeSuccessor(f, j.roster); refused != nil {
			return nil
		}
		s.del(candidateName(cand.ID))
		if !kp.LastResort {
			s.del(packageName(cand.Ref))
		}
		return s.followed(r, cv, l, inv, j)
	})
	if err == nil && refused != nil {
		return drop(refused)
	}
	return err
}

// void drops a candidate that does not hold what it must. If the log has named
// it, this device waits for a refresh, and then founds another.
func (s *step) void(cand *candidate) error {
	s.del(candidateName(cand.ID))
	r, cv, err := s.roomAndConv(cand.Wrapper.Old)
	if err != nil || r == nil {
		return err
	}
	l, err := s.lineage(r.ID)
	if err != nil || l.Accepted == nil || string(l.Accepted.Founding) != string(cand.Wrapper.Founding) || l.Accepted.Entered || l.Accepted.Void {
		return err
	}
	l.Accepted.Void = true
	if err := s.notice(cv, NoticeSuccessorRefused, "The new room of this conversation is not what it must be; this device did not follow."); err != nil {
		return err
	}
	if err := s.leftBehind(r); err != nil {
		return err
	}
	l.Due = 0
	return s.mayFound(r, l, NoticeOutOfStep, refreshWait)
}

// acceptedLate follows a successor whose founding Welcome came when this device did
// not stand in the conversation yet, and so became a request: by now it has joined
// the old room, and the log there has named that founding. It reports whether it
// was so.
func (s *step) acceptedLate(cv *conversation, inv *letter.Wrapper, j *joining) (bool, error) {
	f, err := roster.ParseFounding(inv.Founding)
	if err != nil {
		return false, nil
	}
	r, err := s.room(inv.Old)
	if err != nil || r == nil || r.Conv != cv.ID || r.State != roomSucceeded {
		return false, err
	}
	l, err := s.lineage(r.ID)
	if err != nil || l.Accepted == nil || l.Accepted.Entered || string(l.Accepted.Founding) != string(inv.Founding) {
		return false, err
	}
	base, err := s.newest(r, l)
	if err != nil {
		return false, err
	}
	if f.Info != j.info || base.JudgeSuccessor(f, j.roster) != nil {
		return false, errForged
	}
	return true, s.followed(r, cv, l, inv, j)
}

// acceptNamed accepts a request into a successor that the log has named: whoever
// accepted the old room is not asked about the new one.
func (s *step) acceptNamed(founding []byte) error {
	return s.scan("request", func(_ string, b []byte) (bool, error) {
		rq := new(request)
		if err := decodeRecord(b, rq); err != nil {
			return false, err
		}
		if string(rq.Wrapper.Founding) != string(founding) || rq.Decided || rq.over(s.c.now()) {
			return true, nil
		}
		return true, errors.Join(s.carryOut(rq, true), s.shareDecision(rq, true))
	})
}

// outlived drops the requests into rooms of a group that came before the one that
// was joined: nobody is there any more.
func (s *step) outlived(cv *conversation, joined roster.State) error {
	if cv.Kind != KindGroup {
		return nil
	}
	return s.scan("request", func(name string, b []byte) (bool, error) {
		rq := new(request)
		if err := decodeRecord(b, rq); err != nil {
			return false, err
		}
		if st, err := roster.ParseState(rq.Wrapper.State); err == nil && st.ID == joined.ID && st.Generation < joined.Generation {
			s.del(name)
		}
		return true, nil
	})
}

// followed goes over to a successor that was joined.
func (s *step) followed(r *room, cv *conversation, l *lineage, inv *letter.Wrapper, j *joining) error {
	if l.Mine != nil {
		if err := s.abandon(r, l); err != nil {
			return err
		}
	}
	if l.Accepted == nil || string(l.Accepted.Founding) != string(inv.Founding) {
		rank, _, err := s.untoldRank(r, l, inv)
		if err != nil {
			return err
		}
		l.Accepted = &acceptedFounding{Founding: inv.Founding, Rank: rank, At: s.c.now().Unix()}
	}
	was := cv.Room
	next, err := s.moveIn(cv, inv, j)
	if err != nil {
		return err
	}
	for _, at := range j.roster.Leaves() {
		if err := s.carryLeaf(r.ID, next.ID, j.roster, at.Index); err != nil {
			return err
		}
	}
	return s.goOver(r, cv, was, l, next)
}

// goOver makes a successor the room of a conversation, which was in another, and
// says again there what
// the others may not have.
func (s *step) goOver(r *room, cv *conversation, was wire.RoomID, l *lineage, next *room) error {
	untold := l.Accepted.Number == 0
	from := r
	if was != r.ID {
		// A better founding than the one that was followed before.
		before, err := s.room(was)
		if err != nil {
			return err
		}
		if before != nil {
			from = before
		}
	}
	if len(l.Later) == 0 {
		if ro, err := s.newest(r, l); err == nil {
			l.Later = ro.Marshal() // what is left to judge others by
		}
	}
	l.Accepted.Entered, l.Due, l.Why, l.To = true, 0, "", ""
	cv.Room = next.ID
	s.putConv(cv)
	if err := s.sayAgain(cv, from, l, next); err != nil {
		return err
	}
	from.State = roomSucceeded
	if err := s.askInPassing(from, cv); err != nil {
		return err
	}
	s.del(healingName(from.ID))
	s.putLineage(r, l)
	s.putRoom(from)
	if from.ID != r.ID || l.unreadable(s.c.now()) {
		s.closeRoom(from, roomBeaten)
	}
	if ro, err := s.roster(next.ID); err == nil && ro.State().Traced && next.Commit == 1 {
		// A room begins untraced: a commit takes the state's mode to the server.
		s.plan(next, plan{Renew: true})
	}
	s.putRoom(next)
	id := r.ID
	s.then(func() { s.c.wakeRoom(id); s.c.wakeRoom(next.ID); s.c.wakeSuccessors() })
	if untold {
		return s.notice(cv, NoticeMovedUntold, "This conversation goes on in a new room. Its old one could not be asked, so that rests on the members as this device last knew them.")
	}
	return s.notice(cv, NoticeMoved, textMoved)
}

const textMoved = "This conversation goes on in a new room."

// infoHash names a GroupInfo.
func infoHash(info *mls.GroupInfo) [sha256.Size]byte { return sha256.Sum256(info.Marshal()) }
