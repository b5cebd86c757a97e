package core

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"time"

	"hearth/content"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/mls"
	"hearth/wire"
)

// Joining: an invitation that was accepted becomes a room. Everything that it
// claimed is checked again, against the group itself.

// errForged says that an invitation does not lead to what it says.
var errForged = (&wire.Error{Code: wire.Denied, Message: "that invitation does not hold what it says"}).
	WithNext("ask for another one")

// join carries out an accepted request and returns its conversation.
func (c *Client) join(ctx context.Context, id []byte) (convID, error) {
	var conv convID
	var rq *request
	var kp keyPackage
	err := c.look(ctx, func(s *step) (err error) {
		if rq, err = s.request(id); err != nil {
			return err
		}
		if rq == nil {
			return errNoRequest
		}
		ok, err := s.get(packageName(rq.Ref), &kp)
		if err == nil && !ok {
			err = errForged
		}
		return err
	})
	if err != nil {
		return conv, err
	}
	inv := &rq.Wrapper
	if rq.over(c.now()) {
		c.step(ctx, func(s *step) error { return s.expired(id) })
		return conv, errExpired
	}
	blob, err := c.cfg.Blobs.Get(ctx, inv.Server, inv.Tree.Blob)
	if code(err) == wire.NotFound || code(err) == wire.Denied || code(err) == wire.Gone {
		c.step(ctx, func(s *step) error { return s.expired(id) })
		return conv, errExpired
	}
	if err != nil {
		return conv, err
	}
	j, err := c.open(inv, &kp, blob)
	if err != nil {
		c.debug("an invitation was refused", err)
		c.step(ctx, func(s *step) error { return s.refuse(id, inv) })
		return conv, errForged
	}
	conv = convID(j.roster.State().ID)
	// A removal that waits in the log is read before the way back.
	if err := c.wait(ctx, func(s *step) (bool, error) { return s.upToDate(conv) }); err != nil {
		return conv, err
	}
	err = c.step(ctx, func(s *step) error {
		if again, err := s.has(requestName(id)); err != nil {
			return err
		} else if !again {
			return errNoRequest
		}
		if have, err := s.has(packageName(rq.Ref)); err != nil || !have {
			return errForged // a KeyPackage is used once
		}
		if beaten, err := s.beaten(rq, j); err != nil || beaten {
			return err
		}
		s.del(requestName(id))
		if !kp.LastResort {
			s.del(packageName(rq.Ref)) // the init key is gone with it (RFC 9420 §16.8)
		}
		return s.joined(inv, j)
	})
	if errors.Is(err, errForged) {
		// It stays refused: carried out again it would be again.
		c.step(ctx, func(s *step) error { return s.refuse(id, inv) })
	}
	return conv, err
}

// joining is a group that was joined in memory, judged whole.
type joining struct {
	group  *mls.Group
	roster *roster.Roster
	places []letter.Place
	info   [32]byte // of the GroupInfo
}

// open opens an invitation: the Welcome, the tree, and every leaf in it against
// its account's chain (attacks A15, A16).
func (c *Client) open(inv *letter.Wrapper, kp *keyPackage, blob []byte) (*joining, error) {
	tree, err := letter.OpenTree(inv.Tree, blob)
	if err != nil {
		return nil, err
	}
	pub, err := mls.ParseKeyPackage(kp.Package)
	if err != nil {
		return nil, err
	}
	secrets, err := mls.ParseKeyPackageSecrets(kp.Secrets)
	if err != nil {
		return nil, err
	}
	defer secrets.Wipe()
	g, info, err := mls.Join(inv.Welcome, pub, secrets, mls.JoinOptions{RatchetTree: tree.Ratchet, Limits: limits()})
	if err != nil {
		return nil, err
	}
	ro, err := roster.JudgeWelcome(inv.State, g.Extensions(), g.Members(), tree.Chains)
	if err != nil {
		return nil, err
	}
	// Who invites is who signed the group's state: the letter's word alone is
	// nothing.
	signer, ok := ro.Leaf(info.Signer())
	if !ok || signer.Account != inv.Account || signer.Device != inv.Device || g.Suite() != suite || wire.Epoch(g.Epoch()) != inv.Epoch {
		return nil, errForged
	}
	return &joining{group: g, roster: ro, places: append(inv.Places, tree.Places...), info: infoHash(info)}, nil
}

// joined makes the room.
func (s *step) joined(inv *letter.Wrapper, j *joining) error {
	st := j.roster.State()
	id := convID(st.ID)
	cv, err := s.conv(id)
	if err != nil {
		return err
	}
	if cv == nil {
		cv = &conversation{ID: id, Kind: kindName(st.Kind)}
		if me, err := s.me(); err != nil {
			return err
		} else if inv.Account == me.ID {
			cv.addGap(gap{Since: beforeAll}) // what a sibling hands over comes before
		}
	}
	if cv.Peer, err = s.peerOf(st); err != nil {
		return err
	}
	if k, err := s.copied(); err != nil || k != nil {
		return cmp.Or(err, error(errCopied))
	}
	if back, err := s.backBySibling(cv, inv, j); err != nil || back {
		return err
	}
	if named, err := s.acceptedLate(cv, inv, j); err != nil || named {
		return err
	}
	if err := s.standing(cv, inv, j); err != nil {
		return err
	}
	if known, err := s.room(inv.Room); err != nil {
		return err
	} else if known != nil {
		if known.State == roomOK && known.Epoch >= inv.Epoch {
			return nil // we are there, and further
		}
		s.closeRoom(known, roomRemoved) // and come back as a new leaf
	}
	old := cv.Room
	r, err := s.moveIn(cv, inv, j)
	if err != nil {
		return err
	}
	if st.Kind == roster.Self {
		if err := s.crossOver(old, r, j.roster); err != nil {
			return err
		}
	}
	if err := s.replaced(cv, old, r); err != nil {
		return err
	}
	if err := errors.Join(s.crossed(cv), s.outlived(cv, st)); err != nil {
		return err
	}
	s.putRoom(r)
	if st.Kind == roster.Self {
		if err := s.inSelfRoom(); err != nil {
			return err
		}
	}
	if err := s.defaultTimer(cv, st, inv); err != nil {
		return err
	}
	return s.firstMessage(cv, st, inv)
}

// backBySibling takes this device back into a room that it fell out of, where a
// sibling was faster than its request. It reports whether that was so.
func (s *step) backBySibling(cv *conversation, inv *letter.Wrapper, j *joining) (bool, error) {
	me, err := s.me()
	if err != nil || inv.Account != me.ID {
		return false, err
	}
	out, err := s.room(cv.Room)
	if err != nil || out == nil || out.State != roomOutOfStep {
		return false, err
	}
	ok, err := s.mayTakeBack(out, cv, inv, j)
	if err != nil || !ok {
		return false, err
	}
	return true, s.takeBack(out, cv, inv, j)
}

// moveIn makes the room of a group that was joined the conversation's. The caller
// saves the room.
func (s *step) moveIn(cv *conversation, inv *letter.Wrapper, j *joining) (*room, error) {
	now := s.c.now()
	r := &room{ID: inv.Room, Server: inv.Server, Conv: cv.ID, Seat: newSeat(inv.Room.Region()), Old: &seat{ID: inv.Seat, Secret: inv.SeatSecret},
		Epoch: wire.Epoch(j.group.Epoch()), Renewed: now.Unix(), RenewAt: s.c.renewAfterJoining(len(j.group.Members()))}
	cv.Room = r.ID
	s.putConv(cv)
	s.del(lineageName(r.ID))
	s.putGroup(r.ID, j.group)
	s.putRoster(r.ID, j.roster)
	s.putUntil(adderName(r.ID), adder{Account: inv.Account}, now.Add(wire.ClaimWithin).Unix())
	if err := s.keepLinkKey(r.ID, j.group); err != nil {
		return nil, err
	}
	if err := s.meet(r, j, inv); err != nil {
		return nil, err
	}
	if err := s.announce(r, j.roster); err != nil {
		return nil, err
	}
	s.then(func() { s.c.resume(r) })
	return r, nil
}

// standing refuses an invitation that would take the place of a conversation in
// which this device stands. Whoever knows a group's ids, as each member does,
// can found another that carries them: it must not pass for the group.
func (s *step) standing(cv *conversation, inv *letter.Wrapper, j *joining) error {
	if known, err := s.room(inv.Room); err != nil || known != nil && known.Conv != cv.ID {
		return cmp.Or(err, error(errForged))
	}
	if cv.Kind != KindGroup {
		return nil // of two rooms for it one wins, see wins
	}
	r, err := s.room(cv.Room)
	if err != nil || r == nil {
		return err
	}
	switch r.State {
	case roomOK, roomFounding:
		// A removal, if there was one, is read first.
		return wire.Errorf(wire.Taken, "this device is in that group already").WithNext("see it with: hearth rooms")
	case roomOutOfStep:
		// Back into the same group, by somebody who may invite: by the last
		// roles that this device knew (protocol §5).
		g, err := s.group(r.ID)
		if err != nil || g == nil {
			return err
		}
		ro, err := s.roster(r.ID)
		if err != nil {
			return err
		}
		if r.ID != inv.Room || !bytes.Equal(g.GroupID(), j.group.GroupID()) || !atLeast(ro, inv.Account, roster.RoleAdmin) {
			return errForged
		}
	}
	return nil
}

// upToDate reports whether this device knows if it stands in a group: its log
// was read to the head, or cannot be read.
func (s *step) upToDate(id convID) (bool, error) {
	cv, err := s.conv(id)
	if err != nil || cv == nil || cv.Kind != KindGroup {
		return true, err
	}
	r, err := s.room(cv.Room)
	return r == nil || r.State != roomOK || s.c.live(r.ID), err
}

// firstMessage keeps the message that came with an invitation: it arrives once,
// whether or not the room still has it.
func (s *step) firstMessage(cv *conversation, st roster.State, inv *letter.Wrapper) error {
	if inv.First == nil {
		return nil
	}
	m, err := content.Parse(inv.First.Content)
	if err != nil {
		return nil
	}
	id, err := content.ID(inv.Account, cv.ID, inv.First.Content)
	if err != nil {
		return nil
	}
	_, err = s.keepMessage(cv, st, inv.Account, id, m, inv.First.Content, false)
	return err
}

// meet learns who is there: chains, seats, doors.
func (s *step) meet(r *room, j *joining, inv *letter.Wrapper) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	ro := j.roster
	for _, m := range ro.State().Members {
		if m.Account == me.ID {
			continue
		}
		p, err := s.person(m.Account)
		if err != nil {
			return err
		}
		if chain, ok := ro.Chain(m.Account); ok {
			if _, err := s.learnChain(p, chain); err != nil {
				return err
			}
		}
		if m.Account == inv.Account {
			p.Contact = true
			p.Doors = mergeDoors(p.Doors, inv.Doors)
		}
		s.putPerson(p)
	}
	for _, k := range j.places[:min(len(j.places), wire.MaxSeats)] {
		from, ok := ro.Leaf(mls.LeafIndex(k.Leaf))
		if !ok || from.Index == j.group.OwnLeaf() {
			continue
		}
		l := &leaf{Since: s.c.now().Unix()}
		if k.Seat != (wire.SeatID{}) {
			l.Seat = &k.Seat
			l.came(s.c.now())
		}
		s.putLeaf(r.ID, from.Index, l)
		if from.Account != inv.Account && from.Account != me.ID {
			learn := s.learnFellow
			if ro.State().Kind == roster.Direct {
				learn = s.learnDoors
			}
			if err := learn(from.Account, k.Doors); err != nil {
				return err
			}
		}
		// Who let us in by a link is one whom no directory has named here.
		if err := s.learnName(from.Account, k.Handle); err != nil {
			return err
		}
	}
	return nil
}

// learnFellow keeps a fellow member's doors, unless it told us better ones.
func (s *step) learnFellow(account wire.AccountID, doors []address) error {
	if len(doors) == 0 {
		return nil
	}
	p, err := s.person(account)
	if err != nil {
		return err
	}
	p.Fellow = mergeDoors(p.Fellow, doors)
	s.putPerson(p)
	return nil
}

// announce tells the members our seat and our doors (protocol §2).
func (s *step) announce(r *room, ro *roster.Roster) error {
	doors, err := s.ownDoors(ro.State().Kind)
	if err != nil {
		return err
	}
	_, err = s.enqueue(r, row{Kind: content.KindAnnounce, Body: wire.Encode(announcement{Seat: r.Seat.ID, Doors: doors}),
		Until: s.c.now().Add(wire.MaxTTL).Unix()})
	return err
}

// renewAfterJoining picks the random moment after joining at which a leaf is
// renewed: minutes in a small room, up to three days in a large one (protocol
// §8).
func (c *Client) renewAfterJoining(members int) int64 {
	most := 10 * time.Minute
	if members > 8 {
		most = min(72*time.Hour, time.Duration(members)*20*time.Minute)
	}
	return c.now().Add(time.Minute + c.jitter(most)).Unix()
}

// expired drops a request whose invitation can no longer be accepted.
func (s *step) expired(id []byte) error {
	s.del(requestName(id))
	return nil
}

// refuse drops a request that turned out to be forged, and says so.
func (s *step) refuse(id []byte, inv *letter.Wrapper) error {
	rq, err := s.request(id)
	if err != nil || rq == nil {
		return err
	}
	s.del(requestName(id))
	st, err := roster.ParseState(inv.State)
	if err != nil {
		return nil
	}
	cv, err := s.conv(convID(st.ID))
	if err != nil || cv == nil {
		return err
	}
	return s.notice(cv, NoticeRequest, "An invitation did not hold what it said and was refused.")
}

// decline sends a signed leave to the inviter's doors and forgets the request.
// leave is the account's with all its leaves; nil where this device's is the only
// one.
func (s *step) decline(rq *request, leave *roster.Evidence) error {
	inv := &rq.Wrapper
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
	var kp keyPackage
	ok, err := s.get(packageName(rq.Ref), &kp)
	if err != nil {
		return err
	}
	s.del(requestName(rq.ID))
	if !ok {
		return nil
	}
	pub, err := mls.ParseKeyPackage(kp.Package)
	if err != nil {
		return err
	}
	if !kp.LastResort {
		s.del(packageName(rq.Ref))
	}
	st, err := roster.ParseState(inv.State)
	if err != nil {
		return err
	}
	e := roster.LeaveInvited(key, chain, st.ID, pub)
	if leave != nil {
		e = *leave
	}
	body, err := letter.NewAnswer(key, letter.Answer{Conversation: st.ID, Ref: rq.Ref, Account: me.ID, Leave: e.Encode()})
	if err != nil {
		return err
	}
	until := s.c.now().Add(wire.MaxTTL).Unix()
	for _, at := range inv.Doors {
		payload, err := letter.Seal(at, letter.KindAnswer, body)
		if err != nil {
			return err
		}
		if err := s.ship(parcel{To: at, Payload: payload, Until: until}); err != nil {
			return err
		}
	}
	return nil
}
