package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hearth/core/lane"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// A change of a group, from plan to commit to what it does. protocol §3: all of
// a commit is saved before it leaves; the first entry that leaves its epoch
// decides; no Welcome leaves before its commit was seen.

func rosterName(id wire.RoomID) string { return vault.Name("roster", b64(id[:])) }

// roster returns who is in a room's group, proven again from the disk and
// checked against the group.
func (s *step) roster(id wire.RoomID) (*roster.Roster, error) {
	if ro := s.c.rosters[id]; ro != nil {
		return ro, nil
	}
	b, ok, err := s.bytes(rosterName(id))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, wire.Errorf(wire.Damaged, "a conversation's members are missing")
	}
	ro, err := roster.Parse(b)
	if err != nil {
		return nil, err
	}
	if g, err := s.group(id); err != nil {
		return nil, err
	} else if g != nil {
		if err := ro.Check(g.Extensions(), g.Members()); err != nil {
			return nil, err
		}
	}
	s.c.rosters[id] = ro
	return ro, nil
}

func (s *step) putRoster(id wire.RoomID, ro *roster.Roster) {
	s.groups[id] = true
	s.c.rosters[id] = ro
	s.putBytes(rosterName(id), ro.Marshal())
}

// errPlanVoid says that a plan has nothing left to do: another member did it.
var errPlanVoid = errors.New("nothing left to do")

// stage turns a plan into a commit and saves it with its staged state. A plan
// that cannot be carried out is given up, with the reason for whoever waits.
func (s *step) stage(r *room, p *plan) error {
	sg, err := s.build(r, p)
	switch {
	case errors.Is(err, roster.ErrRefused), errors.Is(err, mls.ErrInvalid), errors.Is(err, mls.ErrUsage), errors.Is(err, errPlanVoid), code(err) != "" && code(err) != wire.Damaged && code(err) != wire.Internal:
		s.giveUp(r.ID, p, err)
		return nil
	case err != nil:
		return err
	}
	s.put(sagaName(r.ID), sg)
	id := r.ID
	s.then(func() { s.c.wakeRoom(id) })
	return nil
}

// giveUp drops a plan.
func (s *step) giveUp(id wire.RoomID, p *plan, why error) {
	s.dropPlan(id, p.N)
	s.then(func() {
		if !errors.Is(why, errPlanVoid) {
			s.c.failed[planID{id, p.N}] = why
		}
		s.c.wakeRoom(id)
	})
}

// build makes the commit of a plan on the room's present state.
func (s *step) build(r *room, p *plan) (*saga, error) {
	g, err := s.group(r.ID)
	if err != nil {
		return nil, err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return nil, err
	}
	after, o, chains, err := s.apply(r, ro, p)
	if err != nil {
		return nil, err
	}
	var evidence []roster.Evidence
	for _, b := range p.Evidence {
		e, err := roster.ParseEvidence(b)
		if err != nil {
			return nil, err
		}
		evidence = append(evidence, e)
	}
	prop, err := ro.Propose(after, chains, evidence...)
	if err != nil {
		return nil, err
	}
	o.Custom, o.Extensions = prop.Custom, prop.Extensions
	o.PadTo = commitPad
	sg := &saga{Plan: *p, Base: wire.Epoch(g.Epoch())}
	for _, i := range o.Remove {
		l, err := s.leaf(r.ID, i)
		if err != nil {
			return nil, err
		}
		if l.Seat != nil {
			sg.Remove = append(sg.Remove, *l.Seat)
		} else {
			// protocol §1: a Remove whose seat isn't known lists a random id.
			sg.Remove = append(sg.Remove, wire.NewSeatID(r.ID.Region()))
		}
	}
	s.groups[r.ID] = true // a commit uses up a generation of our handshake ratchet
	pending, err := g.Commit(*o)
	if err != nil {
		return nil, err
	}
	next, err := ro.Judge(pending.Staged().Changes())
	if err != nil {
		return nil, err // also asked of our own, before it can hurt anyone
	}
	token, err := postToken(pending.Staged(), r.ID)
	if err != nil {
		return nil, err
	}
	sg.Message, sg.NewHash, sg.Traced = pending.Message(), token.Hash(), next.State().Traced
	if len(sg.Message) > wire.MaxCommit {
		return nil, wire.Errorf(wire.Full, "that is too large a change at once").WithNext("invite fewer people at a time")
	}
	if p.Succeeds != nil {
		sg.Room = r.ID
		if sg.Founding, err = p.Succeeds.founding(pending); err != nil {
			return nil, err
		}
	}
	if err := s.welcomes(r, ro, next, p, pending, sg); err != nil {
		return nil, err
	}
	sg.Pending = pending.Marshal()
	s.putRatchets(r.ID, g)
	return sg, nil
}

// commitPad is the least size of a commit's content, so that the small ones
// look alike.
const commitPad = 4096

// apply returns the state after a plan, and the leaves that come and go.
func (s *step) apply(r *room, ro *roster.Roster, p *plan) (after roster.State, o *mls.CommitOptions, chains []*identity.Chain, err error) {
	after, o = ro.State(), &mls.CommitOptions{}
	if len(p.Remove) > 0 {
		var gone []wire.AccountID
		for _, a := range p.Remove {
			leaves := ro.LeavesOf(a)
			if _, in := after.Member(a); !in || after.Kind != roster.Group && len(leaves) == 0 {
				continue
			}
			gone = append(gone, a)
			for _, l := range leaves {
				o.Remove = append(o.Remove, l.Index)
			}
		}
		if len(gone) == 0 {
			return after, nil, nil, errPlanVoid
		}
		after = ro.Without(gone...)
	}
	for _, inv := range p.Add {
		chain, err := identity.VerifyFor(inv.Account, inv.Chain)
		if err != nil {
			return after, nil, nil, err
		}
		kp, err := mls.ParseKeyPackage(inv.Package)
		if err != nil {
			return after, nil, nil, err
		}
		cred, err := identity.ParseCredential(kp.Leaf().Credential.Identity)
		if err != nil {
			return after, nil, nil, err
		}
		if asks := p.asking(inv.Account, cred.Device); asks != nil {
			if !putsBack(asks, ro, chain, o) {
				continue
			}
		} else if _, there := ro.LeafOf(inv.Account, cred.Device); there {
			continue // another member was faster
		}
		if _, in := after.Member(inv.Account); !in {
			after.Put(chain, roster.RoleMember)
		}
		if !slices.ContainsFunc(chains, func(c *identity.Chain) bool { return c.Account() == inv.Account }) {
			chains = append(chains, chain)
		}
		o.Add = append(o.Add, kp)
	}
	if len(p.Add) > 0 && len(o.Add) == 0 {
		return after, nil, nil, errPlanVoid
	}
	dead, longer := s.corpses(ro, after)
	if p.Revoke && len(dead) == 0 {
		return after, nil, nil, errPlanVoid
	}
	for _, c := range longer {
		chains = slices.DeleteFunc(chains, func(k *identity.Chain) bool { return k.Account() == c.Account() && c.Extends(k) })
		if !slices.ContainsFunc(chains, func(k *identity.Chain) bool { return k.Account() == c.Account() }) {
			chains = append(chains, c)
		}
	}
	for _, i := range dead {
		if !slices.Contains(o.Remove, i) {
			o.Remove = append(o.Remove, i)
		}
	}
	for _, c := range p.Roles {
		after.SetRole(c.Account, roster.Role(c.Role))
	}
	if p.Name != nil {
		after.Name = *p.Name
	}
	if p.Limit != nil {
		after.Limit = *p.Limit
	}
	if p.Retention != nil {
		after.Retention = *p.Retention
	}
	if p.Traced != nil {
		after.Traced = *p.Traced
	}
	return after, o, chains, nil
}

// sendFounding creates the room. The same creation repeated answers as the
// first did; its answer is what decides (protocol §1), for our seat's cursor
// begins behind the founding commit.
func (c *Client) sendFounding(r *room, sg *saga) action {
	seats := append([]wire.NewSeat{r.Seat.wire(false)}, sg.Add...)
	return func(ctx context.Context) (time.Duration, error) {
		s, err := c.net.To(r.Server, lane.Seats).Up(ctx)
		if err != nil {
			return 0, err
		}
		var a wire.Appended
		err = s.Call(ctx, wire.OpRoomCreate, wire.RoomCreate{Room: r.ID, TokenHash: sg.NewHash, Payload: sg.Message, Seats: seats}, &a)
		if err != nil {
			return 0, err
		}
		return 0, c.step(ctx, func(s *step) error {
			now, cv, err := s.roomAndConv(r.ID)
			if err != nil || now == nil || now.State != roomFounding {
				return err
			}
			saved, err := s.saga(r.ID)
			if err != nil || saved == nil {
				return err
			}
			g, err := s.group(r.ID)
			if err != nil {
				return err
			}
			now.State = roomOK
			now.Read = 1
			if err := s.ownCommit(now, cv, g, saved, 1); err != nil {
				return err
			}
			s.putRoom(now)
			s.then(func() { c.resume(now) })
			return nil
		})
	}
}

// ownCommit applies a staged commit that was the first to leave its epoch.
func (s *step) ownCommit(r *room, cv *conversation, g *mls.Group, sg *saga, number wire.Number) error {
	pending, err := g.ParsePendingCommit(sg.Pending)
	if err != nil {
		return err
	}
	staged := pending.Staged()
	if err := s.enter(r, cv, g, staged, number); err != nil {
		return err
	}
	for _, a := range sg.Leaves {
		l, err := s.leaf(r.ID, mls.LeafIndex(a.Index))
		if err != nil {
			return err
		}
		l.Seat = &a.Seat
		s.putLeaf(r.ID, mls.LeafIndex(a.Index), l)
	}
	if err := s.carryJoined(r, sg); err != nil {
		return err
	}
	if err := s.tellSiblings(r, cv, sg.Leaves); err != nil {
		return err
	}
	s.dropPlan(r.ID, sg.Plan.N)
	if sg.Plan.Renew && r.State == roomOK && r.Old == nil {
		// protocol §2: a device renames its seat when it renews its leaf.
		old := r.Seat
		r.Old, r.Seat = &old, newSeat(r.ID.Region())
		ro, err := s.roster(r.ID)
		if err != nil {
			return err
		}
		if err := s.announce(r, ro); err != nil {
			return err
		}
	}
	id := r.ID
	s.then(func() { delete(s.c.posted[id], sagaSent); s.c.wakeRoom(id) })
	s.del(sagaName(r.ID))
	if len(sg.Welcomes) > 0 {
		n := sg.Plan.N // it is as old as what brought it about
		s.put(vault.Numbered(deliveryName(r.ID), n), delivery{N: n, Room: r.ID, Server: r.Server,
			Blob: sg.Blob, BlobID: sg.BlobID, Welcomes: sg.Welcomes})
		s.then(func() { s.c.wakeDelivery(id) })
	}
	return nil
}

// ownCommitSeen applies our commit and compares the seats that the server made
// of it.
func (s *step) ownCommitSeen(r *room, cv *conversation, g *mls.Group, sg *saga, e *wire.Entry) error {
	same := len(e.Add) == len(sg.Add)
	for i := range sg.Add {
		same = same && e.Add[i] == sg.Add[i].ID
	}
	if !same {
		if err := s.notice(cv, NoticeSeats, "The places on the server do not match a change of the group."); err != nil {
			return err
		}
	}
	return s.ownCommit(r, cv, g, sg, e.Number)
}

// foreignCommit judges another member's commit and applies it. One that is not
// valid is refused whole, and the room shows out of step.
func (s *step) foreignCommit(r *room, cv *conversation, g *mls.Group, e *wire.Entry) error {
	staged, err := g.Process(e.Payload)
	if errors.Is(err, mls.ErrTwin) {
		return s.outOfStep(r, cv, NoticeTwin, "A copy of this device's data is in use somewhere.")
	}
	if err == nil {
		err = checkForm(staged)
	}
	if err == nil {
		ro, rerr := s.roster(r.ID)
		if rerr != nil {
			return rerr
		}
		_, err = ro.Judge(staged.Changes())
	}
	if err != nil {
		s.c.debug("a commit was refused", err)
		if err := s.unentered(r, g, e); err != nil {
			return err
		}
		return s.outOfStep(r, cv, NoticeOutOfStep, "A member sent a change that does not hold; this device did not follow it.")
	}
	ch := staged.Changes()
	if len(ch.Added) != len(e.Add) || len(ch.Removed) != len(e.Remove) {
		// Shown, and never a reason to refuse (protocol §1).
		if err := s.notice(cv, NoticeSeats, "The places on the server do not match a change of the group."); err != nil {
			return err
		}
	}
	return s.enter(r, cv, g, staged, e.Number)
}

// checkForm refuses commits that are not framed as a conversation's are
// (protocol §8): readable by all the world, or with something readable beside
// them.
func checkForm(staged *mls.Staged) error {
	switch {
	case staged.Kind() != mls.ContentCommit:
		return fmt.Errorf("%w: a post where a commit must be", roster.ErrRefused)
	case !staged.Private():
		return fmt.Errorf("%w: a commit that is not a PrivateMessage", roster.ErrRefused)
	case len(staged.AuthenticatedData()) > 0:
		return fmt.Errorf("%w: a commit with authenticated data", roster.ErrRefused)
	}
	return nil
}

// enter applies a commit that was judged: the group's next state, who is in it,
// and what people are told.
func (s *step) enter(r *room, cv *conversation, g *mls.Group, staged *mls.Staged, number wire.Number) error {
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	ch := staged.Changes()
	next, err := ro.Judge(ch)
	if err != nil {
		return err
	}
	s.groups[r.ID] = true
	s.then(func() { delete(s.c.posted, r.ID) })
	committer, _ := ro.Leaf(ch.Committer)
	if staged.SelfRemoved() {
		if revoked, err := s.revokedBy(next); err != nil || revoked {
			r.State = roomRemoved
			return err
		}
		if own, err := s.outOfOwnWill(r, cv, ch); err != nil || own {
			return err
		}
		return s.removed(r, cv, ro, committer.Account)
	}
	mine := ch.Committer == g.OwnLeaf()
	past := pastEpoch{Commit: r.Commit, Transcript: commitHash(g)}
	ng := staged.Apply()
	if err := s.keepLinkKey(r.ID, ng); err != nil {
		return err
	}
	s.putGroup(r.ID, ng)
	s.putRoster(r.ID, next)
	r.Epoch, r.Commit, r.Reserved = wire.Epoch(ng.Epoch()), number, 0
	if err := s.entered(r, past, ch, number); err != nil {
		return err
	}
	if mine && ch.Path {
		r.Renewed, r.RenewAt = s.c.now().Unix(), 0
	}
	back, err := s.backIn(r.ID, ro, next, ch)
	if err != nil {
		return err
	}
	for _, m := range ch.Removed {
		s.del(leafName(r.ID, m.Index))
	}
	for _, m := range ch.Added {
		// A device that is put back among its siblings may be in another room with
		// some of them by then (see wins).
		l := &leaf{Since: s.c.now().Unix(), By: committer.Account}
		if back[m.Index] && cv.Kind != KindSelf {
			l.came(s.c.now())
		}
		s.putLeaf(r.ID, m.Index, l)
	}
	if err := s.tellRefreshed(cv, next, ch); err != nil {
		return err
	}
	if mine && len(ch.Added) > 0 && next.State().Kind == roster.Group {
		if err := s.sendNames(r, next, ch.Added); err != nil {
			return err
		}
	}
	if len(ch.Added) > 0 && r.InvitedUntil == 0 {
		r.InvitedUntil = s.c.now().Add(wire.ClaimWithin + s.c.jitter(24*time.Hour)).Unix()
		id, at := r.ID, r.InvitedUntil
		s.then(func() { s.c.wakeAt(id, at) })
	}
	if err := s.learnChains(ro, next); err != nil {
		return err
	}
	if len(ch.Added)+len(ch.Removed) > 0 {
		s.then(func() { s.c.wakeAllDevices(); s.c.wakeHandover() })
	}
	if len(ch.Added) > 0 && next.State().Kind == roster.Self {
		// Whoever comes is told of each device that is there, and asked for what
		// is missing on them.
		if err := s.inSelfRoom(); err != nil {
			return err
		}
	}
	// A committer is there, whether or not it has spoken.
	if !mine {
		if err := s.arrived(r, cv, next, ch.Committer); err != nil {
			return err
		}
	}
	return s.tellChange(r, cv, ro, next, ch, committer.Account)
}
