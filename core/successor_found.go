package core

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"hearth/core/lane"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// Founding a successor: a server is chosen, KeyPackages are claimed, the room is
// made with its Welcomes in one step that is saved, the Welcomes are delivered,
// and only then the old room is told (protocol §5). A founder that dies goes on
// where it was.

// succeeds says what a room takes the place of.
type succeeds struct {
	_          struct{} `cbor:",toarray"`
	Old        wire.RoomID
	Conv       convID
	Generation uint32
	Base       uint64
	Transcript [sha256.Size]byte
}

// founding returns what is said of a successor whose first commit is pending:
// the signature over the GroupInfo is always the same, so this is the one in the
// Welcomes.
func (x *succeeds) founding(pending *mls.PendingCommit) ([]byte, error) {
	info, err := pending.Staged().Next().GroupInfo(false, false)
	if err != nil {
		return nil, err
	}
	return roster.Founding{Conversation: roster.ConversationID(x.Conv), Generation: x.Generation, Base: x.Base,
		Transcript: x.Transcript, Info: sha256.Sum256(info)}.Encode(), nil
}

const (
	// foundWithin is how long a founder tries to make a successor before it
	// begins again, perhaps elsewhere.
	foundWithin = 10 * time.Minute
	// handWithin is how long a founder waits for the doors of others before it
	// tells the old room.
	handWithin = 30 * time.Second
	// foundLook is how often a founder looks how far it has got.
	foundLook = 2 * time.Second
)

// prospect is what a founder knows before it asks anybody.
type prospect struct {
	room    wire.RoomID
	server  string
	why, to string
	me      *account
	base    *roster.Roster
	people  []*person
	due     time.Time
	// gone: the room is, and after so long the doors of others may be, too.
	gone bool
}

// foundSuccessor founds one, now.
func (c *Client) foundSuccessor(id wire.RoomID) action {
	return func(ctx context.Context) (time.Duration, error) {
		p, err := c.prospect(ctx, id)
		if err != nil || p == nil {
			return 0, err
		}
		if p.why == NoticeServerLost {
			// Perhaps it was we who could not be reached.
			if _, err := c.net.To(p.server, lane.Seats).Now(ctx); err == nil {
				readable := false
				err := c.step(ctx, func(s *step) (err error) {
					readable, err = s.foundAgain(id)
					return err
				})
				if err != nil || readable {
					return 0, err
				}
			}
		}
		for i, who := range p.people {
			if p.gone || len(who.ways()) == 0 {
				p.people[i] = c.seekPerson(ctx, who)
			}
		}
		server, region, err := c.chooseServer(ctx, p)
		if err != nil {
			return 0, c.notMoved(ctx, p, err)
		}
		got, err := c.claimBase(ctx, p)
		if err != nil {
			return 0, c.notMoved(ctx, p, err)
		}
		return 0, c.step(ctx, func(s *step) error { return s.foundOn(id, server, region, got) })
	}
}

// moveWithin is how long a move at will may find nobody: meanwhile what is said
// waits.
const moveWithin = 10 * time.Minute

// notMoved gives a move at will up that has failed for too long. Until then, and for
// any other founding, it returns why it failed.
func (c *Client) notMoved(ctx context.Context, p *prospect, why error) error {
	if p.to == "" || ctx.Err() != nil || c.now().Sub(p.due) < moveWithin {
		return why
	}
	return c.step(ctx, func(s *step) error {
		r, cv, err := s.roomAndConv(p.room)
		if err != nil || r == nil {
			return err
		}
		l, err := s.lineage(p.room)
		if err != nil || l.Due == 0 || l.To == "" || l.Mine != nil {
			return err
		}
		l.Due, l.Why, l.To = 0, "", ""
		s.putLineage(r, l)
		return s.notice(cv, NoticeNotMoved, "This conversation could not move to another server: nobody else in it can be reached now. Try again later.")
	})
}

// foundAgain notes that a server that was thought lost answers; it reports
// whether its log can be read.
func (s *step) foundAgain(id wire.RoomID) (bool, error) {
	r, err := s.room(id)
	if err != nil || r == nil {
		return true, err
	}
	l, err := s.lineage(id)
	if err != nil || l.Unread {
		return false, err
	}
	l.LostSince, l.Due, l.Why = 0, 0, ""
	s.putLineage(r, l)
	return true, nil
}

// prospect looks at what is to be founded; nil: nothing any more.
func (c *Client) prospect(ctx context.Context, id wire.RoomID) (p *prospect, err error) {
	err = c.look(ctx, func(s *step) error {
		r, err := s.room(id)
		if err != nil || r == nil {
			return err
		}
		l, err := s.lineage(id)
		if err != nil || l.Due == 0 || l.Mine != nil {
			return err
		}
		at := &prospect{room: id, server: r.Server, why: l.Why, to: l.To, due: time.Unix(l.Due, 0)}
		if at.me, err = s.me(); err != nil {
			return err
		}
		if at.base, err = s.newest(r, l); err != nil {
			return err
		}
		at.gone = l.Unread && l.Shut == 0
		for _, m := range at.base.State().Members {
			if m.Account == at.me.ID {
				continue
			}
			known, err := s.person(m.Account)
			if err != nil {
				return err
			}
			at.people = append(at.people, known)
		}
		p = at
		return nil
	})
	return p, err
}

// chooseServer picks where a successor is to live: where somebody wants it, else
// where the room is, unless that is what ails it; then on our home server, or on
// that of another member.
func (c *Client) chooseServer(ctx context.Context, p *prospect) (server string, region wire.Region, err error) {
	var list []string
	add := func(server string) {
		if server != "" && !slices.Contains(list, server) {
			list = append(list, server)
		}
	}
	if p.to != "" {
		list = []string{p.to}
	} else {
		if p.why == NoticeOutOfStep {
			add(p.server)
		}
		if p.me.Server != p.server {
			add(p.me.Server)
		}
		for _, who := range p.people {
			for _, at := range slices.Concat(who.Doors, who.Fellow, who.Knocks) {
				if at.Server != p.server {
					add(at.Server)
				}
			}
		}
		add(p.server)
	}
	for _, server := range list {
		var one error
		if region, one = c.region(ctx, server); one == nil {
			return server, region, nil
		}
		err = cmp.Or(err, one)
	}
	return "", 0, err
}

// claimBase takes a KeyPackage for each device of the others that can be
// reached. Who cannot be reached stays in the roster and asks for a refresh.
func (c *Client) claimBase(ctx context.Context, p *prospect) (got []invitee, err error) {
	for _, who := range p.people {
		doors := map[wire.RoomID]bool{}
		devices := map[identity.DeviceID]bool{}
		for _, at := range slices.Concat(who.Doors, who.Fellow, who.Knocks) {
			if doors[at.ID] {
				continue
			}
			inv, device, one := c.claimAt(ctx, who, at)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if one != nil {
				err = cmp.Or(err, one)
				continue
			}
			doors[at.ID] = true
			if !devices[device] {
				devices[device] = true
				got = append(got, inv)
			}
		}
	}
	if len(got) == 0 && len(p.people) > 0 {
		return nil, cmp.Or(err, error(errNobody))
	}
	return got, nil
}

// foundOn makes the successor's room, beside the old one.
func (s *step) foundOn(id wire.RoomID, server string, region wire.Region, got []invitee) error {
	r, cv, err := s.roomAndConv(id)
	if err != nil || r == nil || cv.Room != id {
		return err
	}
	l, err := s.lineage(id)
	if err != nil || l.Due == 0 || l.Mine != nil {
		return err
	}
	if calls, err := s.stillDue(r, l); err != nil || !calls {
		return err
	}
	st, err := s.standingOf(r, l)
	if err != nil {
		return err
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	var chains []*identity.Chain
	for _, inv := range got {
		c, err := identity.VerifyFor(inv.Account, inv.Chain)
		if err != nil {
			return err
		}
		chains = append(chains, c)
	}
	own, err := me.chain()
	if err != nil {
		return err
	}
	x := &succeeds{Old: id, Conv: cv.ID, Generation: st.Accepted + 1, Base: st.Epoch, Transcript: st.Transcript}
	state, entries := st.Newest.Succeed(x.Generation, append(chains, own)...)
	got = slices.DeleteFunc(got, func(inv invitee) bool { _, in := state.Member(inv.Account); return !in })
	sg, err := s.foundRoom(foundation{me: me, conv: cv.ID, kind: cv.Kind, peer: cv.Peer, region: region, server: server,
		state: state, chains: entries, plan: plan{Add: got, Succeeds: x}})
	if err != nil {
		return err
	}
	welcomed, err := s.roster(sg.Room)
	if err != nil {
		return err
	}
	l.Mine = &ownSuccessor{Room: sg.Room, Founding: sg.Founding, Since: s.c.now().Unix(), Roster: welcomed.Marshal()}
	s.putLineage(r, l)
	return nil
}

// bringThrough takes a founding of ours one step further.
func (c *Client) bringThrough(s *step, r *room, l *lineage) (action, error) {
	now := c.now()
	since := func(t int64) time.Duration { return now.Sub(time.Unix(t, 0)) }
	next, err := s.room(l.Mine.Room)
	if err != nil {
		return nil, err
	}
	switch {
	case next == nil || next.State == roomBeaten:
		return nil, s.abandon(r, l)
	case next.State == roomFounding && since(l.Mine.Since) > foundWithin:
		return nil, s.abandon(r, l)
	case next.State == roomFounding:
		return waitFor(foundLook), nil
	case l.Mine.Handed == 0:
		if waits, err := s.anyBehind(deliveryName(next.ID), 0); err != nil {
			return nil, err
		} else if waits && since(l.Mine.Since) <= foundWithin {
			return waitFor(foundLook), nil
		}
		l.Mine.Handed = now.Unix()
		s.putLineage(r, l)
		return waitFor(foundLook), nil
	case l.unreadable(now):
		return nil, s.enterUntold(r, l)
	case l.Mine.Noted != 0:
		return waitFor(lookAgain), nil // it comes back in the log
	}
	waits := false
	err = s.scan("parcel", func(string, []byte) (bool, error) {
		waits = true
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	if waits && since(l.Mine.Handed) < handWithin {
		return waitFor(foundLook), nil
	}
	// What the log has said meanwhile may make it worthless.
	if holds, err := s.foundingHolds(r, l); err != nil {
		return nil, err
	} else if !holds {
		return nil, s.abandon(r, l)
	}
	s.tellFounding(r, l.Mine.Founding)
	l.Mine.Noted = now.Unix()
	s.putLineage(r, l)
	return waitFor(lookAgain), nil
}

// foundingHolds reports whether a founding of ours would be valid now.
func (s *step) foundingHolds(r *room, l *lineage) (bool, error) {
	st, err := s.standingOf(r, l)
	if err != nil {
		return false, err
	}
	me, err := s.me()
	if err != nil {
		return false, err
	}
	key, err := me.key()
	if err != nil {
		return false, err
	}
	f, err := roster.ParseFounding(l.Mine.Founding)
	if err != nil {
		return false, err
	}
	if why := st.Judge(f, me.ID, key.ID()); why != nil {
		s.c.debug("a founding of ours does not hold any more", why)
		return false, nil
	}
	return s.followable(l, st.Newest, f)
}

// followable reports whether those who know a roster follow where a founding of
// ours leads.
func (s *step) followable(l *lineage, newest *roster.Roster, f roster.Founding) (bool, error) {
	next, err := roster.Parse(l.Mine.Roster)
	if err != nil {
		return false, err
	}
	if why := newest.JudgeSuccessor(f, next); why != nil {
		s.c.debug("a founding of ours cannot be followed any more", why)
		return false, nil
	}
	return true, nil
}

// abandon gives a founding of ours up. If a successor is still called for, it is
// our turn again after a while.
func (s *step) abandon(r *room, l *lineage) error {
	if l.Mine == nil {
		return nil
	}
	next, err := s.room(l.Mine.Room)
	if err != nil {
		return err
	}
	if next != nil && next.State != roomBeaten {
		s.closeRoom(next, roomBeaten)
		s.dropDeliveries(next.ID)
	}
	l.Mine = nil
	why := l.Why
	l.Due, l.Why = 0, ""
	if l.Accepted != nil {
		s.putLineage(r, l)
		return nil
	}
	return s.mayFound(r, l, why, foundTurn)
}

// dropDeliveries forgets what was still to be handed over for a room.
func (s *step) dropDeliveries(id wire.RoomID) {
	s.scan(deliveryName(id), func(name string, _ []byte) (bool, error) {
		s.del(name)
		return true, nil
	})
}

// enterOwn goes over to the successor that we have founded.
func (s *step) enterOwn(r *room, cv *conversation, l *lineage) error {
	next, err := s.room(l.Mine.Room)
	if err != nil {
		return err
	}
	if next == nil || next.State != roomOK {
		return s.abandon(r, l)
	}
	l.Mine = nil
	return s.goOver(r, cv, cv.Room, l, next)
}

// enterUntold goes over to our own successor where no log can be told.
func (s *step) enterUntold(r *room, l *lineage) error {
	cv, err := s.conv(r.Conv)
	if err != nil || cv == nil {
		return err
	}
	rank, ok, err := s.rankIn(r, l)
	if err != nil || !ok {
		return err
	}
	if l.Accepted != nil && !l.Accepted.Void && better(l.Accepted, rank, l.Mine.Founding) {
		return s.abandon(r, l) // another's, which we are about to enter
	}
	l.Accepted = &acceptedFounding{Founding: l.Mine.Founding, Rank: rank, At: s.c.now().Unix()}
	return s.enterOwn(r, cv, l)
}

// better reports whether a founding goes before another where no log decides:
// the lower rank, then the lower hash, whenever it is learned of (protocol §5).
func better(a *acceptedFounding, rank uint64, founding []byte) bool {
	if a.Rank != rank {
		return a.Rank < rank
	}
	x, y := sha256.Sum256(a.Founding), sha256.Sum256(founding)
	return bytes.Compare(x[:], y[:]) <= 0
}

// carryJoined notes in a successor who had joined its conversation before.
func (s *step) carryJoined(r *room, sg *saga) error {
	if sg.Plan.Succeeds == nil {
		return nil
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	for _, a := range sg.Leaves {
		if err := s.carryLeaf(sg.Plan.Succeeds.Old, r.ID, ro, mls.LeafIndex(a.Index)); err != nil {
			return err
		}
	}
	return nil
}

// carryLeaf marks a leaf of a successor as joined if its account had joined the
// old room.
func (s *step) carryLeaf(old, id wire.RoomID, ro *roster.Roster, i mls.LeafIndex) error {
	at, ok := ro.Leaf(i)
	if !ok {
		return nil
	}
	before, err := s.roster(old)
	if code(err) == wire.Damaged {
		return nil // the old room's state is lost
	}
	if err != nil {
		return err
	}
	joined, err := s.hasJoined(old, before, at.Account)
	if err != nil || !joined {
		return err
	}
	l, err := s.leaf(id, i)
	if err != nil {
		return err
	}
	l.came(s.c.now())
	s.putLeaf(id, i, l)
	return nil
}

func foundingsName(id convID) string { return vault.Name("foundings", b64(id[:])) }
