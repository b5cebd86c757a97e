package core

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"hearth/core/lane"
	"hearth/core/roster"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// foundation is a conversation about to begin.
type foundation struct {
	me     *account
	conv   convID
	kind   string
	peer   wire.AccountID
	region wire.Region
	// state is that of epoch 0, with our leaf alone in the tree; chains are
	// those of its accounts.
	state  roster.State
	chains [][][]byte
	plan   plan
	// server is where the room is to be; "": on the home server.
	server string
}

// found makes the conversation, its room and the commit that creates it. All of
// it is saved in the caller's step; the room's sender does the rest.
func (s *step) found(f foundation) error {
	_, err := s.foundRoom(f)
	return err
}

// foundRoom is found, and returns what begins the room. The first room of a
// conversation is its room at once; a successor is when the old log says so.
func (s *step) foundRoom(f foundation) (*saga, error) {
	member, err := f.me.member()
	if err != nil {
		return nil, err
	}
	now := s.c.now()
	g, err := mls.NewGroup(mls.GroupConfig{Suite: suite, Extensions: roster.Extensions(f.state), Limits: limits()}, member, lifetime(now))
	if err != nil {
		return nil, err
	}
	ro, err := roster.JudgeWelcome(f.state.Encode(), g.Extensions(), g.Members(), f.chains)
	if err != nil {
		return nil, err
	}
	r := &room{ID: wire.NewRoomID(f.region), Server: cmp.Or(f.server, f.me.Server), Conv: f.conv, Seat: newSeat(f.region),
		State: roomFounding, Renewed: now.Unix()}
	cv, err := s.conv(f.conv)
	if err != nil {
		return nil, err
	}
	if cv == nil {
		cv = &conversation{ID: f.conv, Kind: f.kind, Peer: f.peer}
	}
	if f.plan.Succeeds == nil {
		cv.Room = r.ID
		s.putConv(cv)
		if err := s.crossed(cv); err != nil {
			return nil, err
		}
	}
	s.putRoom(r)
	s.putGroup(r.ID, g)
	s.putRoster(r.ID, ro)
	f.plan.Found = true
	r.Next++
	f.plan.N = r.Next
	sg, err := s.build(r, &f.plan)
	if err != nil {
		return nil, err
	}
	s.put(sagaName(r.ID), sg)
	s.putRoom(r)
	s.then(func() { s.c.wakeRoom(r.ID) })
	return sg, nil
}

// limits are those of every group: defaults, and nothing optional (protocol §4:
// external commits and proposals are off).
func limits() mls.Limits {
	return mls.Limits{MaxForward: 8192, MaxSkipped: 1000, MaxMembers: wire.MaxSeats}
}

// region returns the storage region in which a server creates things.
func (c *Client) region(ctx context.Context, server string) (wire.Region, error) {
	s, err := c.net.To(server, lane.Seats).Now(ctx)
	if err != nil {
		return 0, err
	}
	return s.Welcome().Region, nil
}

// linkUse says that a person is reached through a link.
type linkUse struct {
	at []address
}

// claim takes a KeyPackage for each device of a person that can be reached. The
// person's directory is asked first where that is by now, unless it has just said
// so: devices come and go, and an invitation to one that is gone is never seen.
func (c *Client) claim(ctx context.Context, p *person, link *linkUse) ([]invitee, error) {
	if link != nil {
		return c.claimFrom(ctx, p, link.at, true)
	}
	if !p.shown {
		p = c.seekPerson(ctx, p)
	}
	return c.claimFrom(ctx, p, p.ways(), false)
}

// ways lists the doors that lead to a person.
func (p *person) ways() []address {
	return distinct(slices.Concat(p.Doors, p.Fellow, p.Knocks))
}

func (c *Client) claimFrom(ctx context.Context, p *person, doors []address, link bool) ([]invitee, error) {
	if len(doors) == 0 {
		return nil, wire.Errorf(wire.NotFound, "it is not known where to reach that person").
			WithNext("ask the person for a link")
	}
	var out []invitee
	var last error
	have := make(map[identity.DeviceID]bool)
	all := 0 // devices that the person has, as far as is known
	for _, at := range doors {
		if all > 0 && len(out) >= all {
			break
		}
		inv, device, err := c.claimAt(ctx, p, at)
		if err != nil {
			last = err
			continue
		}
		if have[device] {
			continue
		}
		have[device] = true
		if chain, err := identity.VerifyFor(p.Account, inv.Chain); err == nil {
			all = liveDevices(chain)
		}
		if link {
			inv.Link = at.Key
		}
		out = append(out, inv)
	}
	if len(out) == 0 {
		if last == nil {
			last = errNobody
		}
		return nil, last
	}
	return stillLive(out)
}

// stillLive leaves out what the doors of devices gave that are revoked by the
// longest chain that any door showed.
func stillLive(invitees []invitee) ([]invitee, error) {
	chain, err := identityChain(invitees)
	if err != nil {
		return nil, err
	}
	out := invitees[:0]
	for _, inv := range invitees {
		kp, err := mls.ParseKeyPackage(inv.Package)
		if err != nil {
			return nil, err
		}
		cred, err := identity.ParseCredential(kp.Leaf().Credential.Identity)
		if err != nil {
			return nil, err
		}
		if d, ok := chain.Device(cred.Device); ok && d.Live {
			out = append(out, inv)
		}
	}
	if len(out) == 0 {
		return nil, errNobody
	}
	return out, nil
}

// claimAt takes one KeyPackage from one door and checks that it is a live device
// of the person's account, by the chain and not by the door's word.
func (c *Client) claimAt(ctx context.Context, p *person, at address) (inv invitee, device identity.DeviceID, err error) {
	var got wire.DoorClaimed
	if err := c.net.To(at.Server, lane.Posts).Do(ctx, wire.OpDoorClaim, wire.DoorClaim{Door: at.ID, Key: at.Key}, &got); err != nil {
		return inv, device, err
	}
	b, entries, err := openPackage(at, got.Sealed)
	if err != nil {
		return inv, device, errBadPackage
	}
	chain, err := identity.VerifyFor(p.Account, entries)
	if err != nil {
		return inv, device, errBadPackage
	}
	if known, err := p.chain(); err != nil {
		return inv, device, err
	} else if known != nil {
		switch {
		case chain.Extends(known):
		case known.Extends(chain):
			chain = known // the door's is older: a device revoked since must not pass
		default:
			return inv, device, errBadPackage
		}
	}
	kp, err := checkPackage(b, chain, c.now())
	if errors.Is(err, identity.ErrRevoked) {
		return inv, device, errNobody // the door is still there, its device is gone
	}
	if err != nil {
		return inv, device, errBadPackage
	}
	cred, err := identity.ParseCredential(kp.Leaf().Credential.Identity)
	if err != nil {
		return inv, device, errBadPackage
	}
	return invitee{Account: p.Account, Package: b, Chain: chain.Entries(), Door: at}, cred.Device, nil
}

var errBadPackage = (&wire.Error{Code: wire.Denied, Message: "what the server handed out for that person is not theirs"}).
	WithNext("try again later; compare safety numbers if it stays")

// identityChain returns the longest chain among the invitations of one account.
func identityChain(invitees []invitee) (*identity.Chain, error) {
	var best *identity.Chain
	for _, inv := range invitees {
		c, err := identity.VerifyFor(inv.Account, inv.Chain)
		if err != nil {
			return nil, err
		}
		if best == nil || c.Extends(best) {
			best = c
		}
	}
	if best == nil {
		return nil, errors.New("nobody to invite")
	}
	return best, nil
}

// distinct leaves each door in once, by the first way in.
func distinct(doors []address) (out []address) {
	for _, d := range doors {
		if !slices.ContainsFunc(out, func(k address) bool { return k.ID == d.ID }) {
			out = append(out, d)
		}
	}
	return out
}

func liveDevices(c *identity.Chain) (n int) {
	for _, d := range c.Devices() {
		if d.Live {
			n++
		}
	}
	return n
}
