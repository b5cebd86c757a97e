package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// Out of step heals itself (protocol §5). A device that cannot follow a room asks
// to be put back: by a notice in the room, while its seat opens, and at doors. Any
// member answers (refresh.go); what comes back is in comeback.go.

// healQueue is what brings a room's device back into step, one a room.
const healQueue queueKind = 0x21

const (
	// refreshWait is how long a device that has posted the notice waits for a
	// refresh before it does anything else.
	refreshWait = 10 * time.Minute
	// membersAfter is how long after its siblings a device asks members, so many
	// at a time; and everyone again each day.
	membersAfter = time.Hour
	membersAsked = 3
	// askNext is how soon the next members are asked where the place of a device
	// does not open any more: who has one may be any of them.
	askNext  = time.Minute
	askAgain = 24 * time.Hour
)

// healing is what a device does to get back into step in a room.
type healing struct {
	_    struct{} `cbor:",toarray"`
	Room wire.RoomID
	Conv convID
	// Since is when this device fell out of step, Unix seconds; Posted when it
	// posted the notice, 0 if it did not.
	Since  int64
	Posted int64
	// Begun is when it began to ask.
	Begun int64
	// Request is the newest roster.RejoinRequest and Chain what leads to it; Ref
	// and New are the KeyPackage and the leaf in it; Made is when.
	Request []byte
	Chain   [][]byte
	Ref     []byte
	New     roster.LeafHash
	Made    int64
	// Leaves are those that this device may hold: its last, and those of
	// earlier requests.
	Leaves []roster.LeafHash
	// Siblings and Members are when those are asked next; Asked counts the
	// members that were.
	Siblings int64
	Members  int64
	Asked    uint32
	// Suspect gave this device the seat that does not open.
	Suspect wire.AccountID
	// Unseated: the seat does not open, so the account may have been removed.
	Unseated bool
	// Gone: the room is, or this device was away for long, and doors may be, too.
	Gone bool
	// Sought: directories were asked where members are reached by now.
	Sought bool
	// Copy: this home was a copy and is another device now, so that the seat is
	// its twin's, which is reached at Twin.
	Copy bool
	Twin []address
	// Where: this device is in step and asks where the conversation is
	// (whereabouts.go). After is the number behind which what it said may have
	// been heard by nobody.
	Where bool
	After wire.Number
	// Out are the members who say that the account is no longer one.
	Out []wire.AccountID
}

// asksLong reports whether those who are asked may be reached elsewhere by now.
func (h *healing) asksLong(now time.Time) bool {
	return h.Gone || now.Sub(time.Unix(h.Begun, 0)) >= askAgain
}

func healingName(id wire.RoomID) string { return vault.Name("healing", b64(id[:])) }

// rejoining ties a KeyPackage to what it was made for: only a Welcome for it can
// bring this device back, and only into that conversation.
type rejoining struct {
	_    struct{} `cbor:",toarray"`
	Room wire.RoomID
	Conv convID
}

func rejoinName(ref []byte) string { return vault.Name("rejoin", b64(ref)) }

// rejoinLeafName finds out whether a leaf in somebody's evidence is one that this
// device has asked for.
func rejoinLeafName(h roster.LeafHash) string { return vault.Name("rejoinleaf", b64(h[:])) }

func (s *step) healing(id wire.RoomID) (*healing, error) {
	h := new(healing)
	ok, err := s.get(healingName(id), h)
	if err != nil || !ok {
		return nil, err
	}
	return h, nil
}

// heal begins to bring a room back into step, unless that is under way; code is
// that of the notice which says why. The caller saves the room.
func (s *step) heal(r *room, cv *conversation, code string) error {
	// With a seat that opens, the room itself is the quickest way to all members.
	seated := code != NoticeSeatLost && code != NoticeGone && code != NoticeLapsed && r.Seat.ID != (wire.SeatID{})
	was, err := s.healing(r.ID)
	if err != nil || was != nil && !was.Where {
		return err
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	if cv.Kind == KindSelf {
		others, err := s.siblings(me)
		if err != nil {
			return err
		}
		if len(others) == 0 { // nobody is there who could put it back
			if err := s.foundSelf(false); err != nil {
				return err
			}
			r.State = roomBeaten
			return nil
		}
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	now := s.c.now()
	h := &healing{Room: r.ID, Conv: r.Conv, Since: now.Unix(), Begun: now.Unix(), Siblings: now.Unix(), Unseated: code == NoticeSeatLost, Gone: code == NoticeGone || code == NoticeLapsed}
	ro, err := s.lastRoster(r.ID)
	if err != nil {
		return err
	}
	if ro != nil {
		if l, ok := ro.LeafOf(me.ID, key.ID()); ok {
			h.Leaves = append(h.Leaves, l.Hash)
		}
	}
	if was != nil {
		h.Leaves = append(append(h.Leaves, was.Leaves...), was.New)
	}
	if !seated && r.ReadAt != 0 {
		h.Since = r.ReadAt
	}
	if err := s.fellOut(cv, r.ReadAt); err != nil {
		return err
	}
	if h.Unseated {
		if h.Suspect, err = s.suspect(r.ID); err != nil {
			return err
		}
	}
	wait, err := s.healBudget(r.ID)
	if err != nil {
		return err
	}
	h.Siblings += int64(wait.Seconds())
	if err := s.ask(h, cv, ro); err != nil {
		return err
	}
	if seated && wait == 0 {
		s.postNotice(r, letter.NoticeOutOfStep, letter.Rejoin{Request: h.Request, Chain: h.Chain}.Encode())
		h.Posted = now.Unix()
		h.Siblings = now.Add(refreshWait).Unix()
	}
	h.Members = h.Siblings
	if siblings, err := s.siblingDoors(); err != nil {
		return err
	} else if len(siblings) > 0 {
		h.Members += int64(membersAfter.Seconds())
	}
	s.put(healingName(r.ID), h)
	id := r.ID
	s.then(func() { s.c.wakeHealing(id) })
	return nil
}

// healBudget counts that a room is brought back into step, and returns how long to
// wait before it: a server that throws a device out again and again must not keep
// the whole group busy with it.
func (s *step) healBudget(id wire.RoomID) (wait time.Duration, err error) {
	name := vault.Name("healed", b64(id[:]))
	var past refreshesOf
	if _, err := s.get(name, &past); err != nil {
		return 0, err
	}
	now := s.c.now()
	if n := len(past.Times); n >= refreshesPerDay {
		past.Times = past.Times[n-refreshesPerDay:]
		wait = max(0, time.Unix(past.Times[0], 0).Add(noticeDay).Sub(now))
	}
	at := now.Add(wait)
	past.Times = append(past.Times, at.Unix())
	s.putUntil(name, past, at.Add(noticeDay).Unix())
	return wait, nil
}

// lastRoster returns who was in a room's group when this device could last tell;
// nil if that is lost.
func (s *step) lastRoster(id wire.RoomID) (*roster.Roster, error) {
	ro, err := s.roster(id)
	if code(err) == wire.Damaged || errors.Is(err, roster.ErrRefused) {
		return nil, nil
	}
	return ro, err
}

const textStateLost = "This device has lost its keys for the conversation."

// findLost makes the record of a room anew whose own is gone, so that its
// conversation can be asked for: O(conversations).
func (c *Client) findLost(ctx context.Context) error {
	return c.step(ctx, func(s *step) error {
		if _, err := s.me(); err != nil {
			return nil // nobody yet, or not any more
		}
		var lost []*conversation
		err := s.scan("conversation", func(_ string, b []byte) (bool, error) {
			cv := new(conversation)
			if err := decodeRecord(b, cv); err != nil {
				return false, err
			}
			if cv.Room == (wire.RoomID{}) {
				return true, nil // only a request so far
			}
			have, err := s.has(roomName(cv.Room))
			if !have {
				lost = append(lost, cv)
			}
			return true, err
		})
		if err != nil {
			return err
		}
		for _, cv := range lost {
			r := &room{ID: cv.Room, Conv: cv.ID}
			if err := s.outOfStep(r, cv, NoticeStateLost, textStateLost); err != nil {
				return err
			}
		}
		return nil
	})
}

// lost reports whether a room's group state is gone.
func (s *step) lost(id wire.RoomID) (bool, error) {
	g, err := s.group(id)
	if code(err) == wire.Damaged {
		return true, nil
	}
	return g == nil, err
}

// ask makes a new request: a KeyPackage, whose secrets are saved with it, and the
// signed word that this device wants to come back with it.
func (s *step) ask(h *healing, cv *conversation, ro *roster.Roster) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	chain, err := me.chain()
	if err != nil {
		return err
	}
	member, err := me.member()
	if err != nil {
		return err
	}
	_, private, err := s.doors()
	if err != nil {
		return err
	}
	if private == nil {
		return errNotRegistered
	}
	at := private.address(forFellows)
	if cv.Kind == KindDirect {
		at = private.address(forContacts)
	}
	now := s.c.now()
	kp, secrets, err := mls.NewKeyPackage(suite, member, lifetime(now), nil)
	if err != nil {
		return err
	}
	if h.New != (roster.LeafHash{}) {
		h.Leaves = append(h.Leaves, h.New) // it may have been carried out
	}
	q, err := roster.NewRejoin(key, chain, roster.ConversationID(h.Conv), h.Leaves, kp, wire.Encode(at), h.Suspect)
	if err != nil {
		return err
	}
	h.Request, h.Ref, h.New, h.Made = q.Encode(), kp.Ref(), roster.HashLeaf(kp.Leaf()), now.Unix()
	h.Chain = chain.Entries()
	if ro != nil {
		if known, ok := ro.Chain(me.ID); ok {
			h.Chain = chain.Since(known)
		}
	}
	until := now.Add(packageLife + packageGrace).Unix()
	s.putUntil(packageName(h.Ref), keyPackage{Package: kp.Marshal(), Secrets: secrets.Marshal(), Door: private.ID}, until)
	s.putUntil(rejoinName(h.Ref), rejoining{Room: h.Room, Conv: h.Conv}, until)
	s.putUntil(rejoinLeafName(h.New), true, until)
	return nil
}

// wakeHealing starts what brings a room back into step.
func (c *Client) wakeHealing(id wire.RoomID) {
	c.poke(queueID{healQueue, id}, func(ctx context.Context) (act action, err error) {
		err = c.step(ctx, func(s *step) error {
			act, err = s.nextHealing(id)
			return err
		})
		return act, err
	})
}

// nextHealing decides what is next: to take what came back, to ask, or to wait.
func (s *step) nextHealing(id wire.RoomID) (action, error) {
	if b, err := s.firstComeback(id); err != nil || b != nil {
		return s.c.comeBack(b), err
	}
	h, err := s.healing(id)
	if err != nil || h == nil {
		return nil, err
	}
	r, cv, err := s.roomAndConv(id)
	if err != nil {
		return nil, err
	}
	if r == nil || !h.stillAsks(r) {
		s.del(healingName(id))
		return nil, nil
	}
	if nobody, err := s.nobodyThere(r); err != nil || nobody && cv.Kind == KindGroup {
		return nil, errors.Join(err, s.foundAlone(r, cv))
	}
	if h.Where && !s.c.live(id) {
		return waitFor(lookAgain), nil // its log may say it
	}
	now := s.c.now()
	if next := min(h.Siblings, h.Members); next > now.Unix() {
		return func(context.Context) (time.Duration, error) { return time.Unix(next, 0).Sub(now), nil }, nil
	}
	if h.Where {
		me, err := s.me()
		if err != nil {
			return nil, err
		}
		ro, err := s.lastRoster(id)
		if err != nil {
			return nil, err
		}
		if over := time.Unix(h.Made, 0).Add(wire.MaxTTL).Sub(now); over <= 0 {
			s.del(healingName(id)) // no letter waits for an answer any more
			return nil, nil
		} else if h.Siblings > now.Unix() && h.everybodyAsked(ro, cv, me.ID) {
			return waitFor(over), nil
		}
	}
	if cv.Kind != KindSelf && h.asksLong(now) && !h.Sought {
		return s.c.seek(id, r.Conv), nil
	}
	if err := s.askNow(h, r, cv, now); err != nil {
		return nil, err
	}
	h.Sought = false // until the next day
	s.put(healingName(id), h)
	s.putRoom(r)
	return func(context.Context) (time.Duration, error) { return 0, nil }, nil // and look again
}

// askNow asks whoever is due. What was asked a day ago is asked anew, with a new
// KeyPackage: the old one may be in the group already, its Welcome lost.
func (s *step) askNow(h *healing, r *room, cv *conversation, now time.Time) error {
	ro, err := s.lastRoster(r.ID)
	if err != nil {
		return err
	}
	if now.Sub(time.Unix(h.Made, 0)) >= askAgain {
		if err := s.ask(h, cv, ro); err != nil {
			return err
		}
		if h.Posted != 0 {
			s.postNotice(r, letter.NoticeOutOfStep, letter.Rejoin{Request: h.Request, Chain: h.Chain}.Encode())
		}
	}
	var doors []address
	if h.Siblings <= now.Unix() {
		h.Siblings = now.Add(askAgain).Unix()
		if doors, err = s.siblingDoors(); err != nil {
			return err
		}
		doors = append(doors, h.Twin...)
	}
	if h.Members <= now.Unix() {
		h.Members = now.Add(askAgain).Unix()
		before := h.Asked
		more, err := s.memberDoors(h, cv, ro)
		if err != nil {
			return err
		}
		doors = append(doors, more...)
		switch n, err := s.others(ro); {
		case err != nil:
			return err
		case h.Where:
			h.Members = now.Add(whereNext).Unix()
		case h.Unseated && before < n && h.Asked < n:
			h.Members = now.Add(askNext).Unix()
		}
	}
	for _, at := range doors {
		if err := s.sendRequest(h, at); err != nil {
			return err
		}
	}
	return nil
}

// others counts the accounts beside ours that have a leaf.
func (s *step) others(ro *roster.Roster) (n uint32, err error) {
	me, err := s.me()
	if err != nil || ro == nil {
		return 0, err
	}
	for _, m := range ro.State().Members {
		if m.Account != me.ID && len(ro.LeavesOf(m.Account)) > 0 {
			n++
		}
	}
	return n, nil
}

// sendRequest sends the newest request to a door.
func (s *step) sendRequest(h *healing, at address) error {
	payload, err := letter.Seal(at, letter.KindRejoin, letter.Rejoin{Request: h.Request, Chain: h.Chain}.Encode())
	if err != nil {
		return err
	}
	return s.ship(parcel{To: at, Payload: payload, Until: s.c.now().Add(wire.MaxTTL).Unix()})
}

// siblingDoors returns the doors of this account's other devices.
func (s *step) siblingDoors() ([]address, error) {
	me, err := s.me()
	if err != nil {
		return nil, err
	}
	siblings, err := s.siblings(me)
	if err != nil {
		return nil, err
	}
	var out []address
	for _, d := range siblings {
		if d.Sibling.Server != "" {
			out = append(out, d.Sibling)
		}
	}
	return out, nil
}

// memberDoors returns the doors of the next few members to ask, in rank: who has
// the right to remove somebody can also say that it was done.
func (s *step) memberDoors(h *healing, cv *conversation, ro *roster.Roster) (doors []address, err error) {
	me, err := s.me()
	if err != nil {
		return nil, err
	}
	var who []wire.AccountID
	switch {
	case ro != nil:
		for _, i := range ro.Rank() {
			l, _ := ro.Leaf(i)
			if l.Account != me.ID && !slices.Contains(who, l.Account) && (!h.Where || counts(ro, cv, l.Account)) {
				who = append(who, l.Account)
			}
		}
	case cv.Kind == KindDirect:
		who = []wire.AccountID{cv.Peer}
	default:
		if who, err = s.metIn(h.Room, cv, me.ID); err != nil {
			return nil, err
		}
	}
	for range min(membersAsked, len(who)) {
		p, err := s.person(who[int(h.Asked)%len(who)])
		if err != nil {
			return nil, err
		}
		h.Asked++
		if h.asksLong(s.c.now()) {
			doors = append(doors, p.ways()...)
			continue
		}
		doors = append(doors, p.reachedAt()...)
	}
	return doors, nil
}

// metMost bounds whom a device remembers from a group whose members it has lost.
const metMost = 64

// metIn returns whom this device has met in a group whose roster it has lost:
// whoever let it in, then those who spoke there last. They need not be members any
// more; whoever is not answers nothing.
func (s *step) metIn(id wire.RoomID, cv *conversation, me wire.AccountID) (who []wire.AccountID, err error) {
	add := func(a wire.AccountID) {
		if a != me && a != (wire.AccountID{}) && !slices.Contains(who, a) && len(who) < metMost {
			who = append(who, a)
		}
	}
	by, err := s.suspect(id)
	if err != nil {
		return nil, err
	}
	add(by)
	err = s.linesBack(cv, cv.Lines, func(_ uint64, line *happening) bool {
		if line.Type == EventMessage || line.Type == EventJoined {
			add(line.Account)
			add(line.By)
		}
		return len(who) < metMost
	})
	return who, err
}

// reachedAt returns a person's doors, the ones that it named itself first.
func (p *person) reachedAt() []address {
	for _, doors := range [][]address{p.Doors, p.Fellow, p.Knocks} {
		if len(doors) > 0 {
			return doors
		}
	}
	return nil
}

// adder is who gave this device its seat in a room.
type adder struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
}

func adderName(id wire.RoomID) string { return vault.Name("adder", b64(id[:])) }

// suspect names who gave this device a seat that does not open any more, unless
// so much time has passed that a server drops it by itself (protocol §2).
func (s *step) suspect(id wire.RoomID) (wire.AccountID, error) {
	var a adder
	_, err := s.get(adderName(id), &a)
	return a.Account, err
}

func stepNoticeName(id wire.RoomID) string { return vault.Name("step", b64(id[:])) }

// hearOutOfStep deals with the notice of a device that cannot enter the room's
// epoch: it is noted, for it lets plain members found a successor, and answered.
func (s *step) hearOutOfStep(r *room, cv *conversation, _ *roster.Roster, n heard) error {
	s.put(stepNoticeName(r.ID), n.number)
	if n.own {
		if err := s.unheard(r); err != nil {
			return err
		}
	}
	return s.hearRejoin(n.Body)
}

// outOfStepAfter reports whether a notice out of step was heard behind a number
// of the log: what makes a plain member's founding valid (protocol §5).
func (s *step) outOfStepAfter(id wire.RoomID, commit wire.Number) (bool, error) {
	var n wire.Number
	_, err := s.get(stepNoticeName(id), &n)
	return n > commit, err
}
