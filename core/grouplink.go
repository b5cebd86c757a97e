package core

import (
	"context"
	"crypto/sha256"
	"time"

	"hearth/core/lane"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// A group's link: whoever has it asks to be let in, and the device that made the
// link does so, at once or after an owner's or admin's word. The link names the
// account that made it, not the group.

// GroupLinkOptions says what a group's link lets in.
type GroupLinkOptions struct {
	Uses    int           // how many may follow it; 0: no limit
	Expire  time.Duration // when it ends; 0: never
	Approve bool          // each who follows it waits for a word
}

// errBadLink says that a link leads nowhere any more.
var errBadLink = &wire.Error{Code: wire.Denied, Message: "that link has ended, was taken back, or is used up", Next: "ask for another one"}

// GroupLink makes a link into a group. Owners and admins do.
func (c *Client) GroupLink(ctx context.Context, room string, o GroupLinkOptions) (Invitation, error) {
	id, err := c.roomByText(ctx, room)
	if err != nil {
		return Invitation{}, err
	}
	err = c.look(ctx, func(s *step) error {
		_, ro, me, err := s.inGroup(id)
		if err == nil && !atLeast(ro, me.ID, roster.RoleAdmin) {
			err = errRole
		}
		return err
	})
	if err != nil {
		return Invitation{}, err
	}
	class := newDoorClass(forGroupLink)
	class.Conv, class.Approve = id, o.Approve
	return c.newLink(ctx, class, o.Uses, o.Expire)
}

// Revoke takes a link back, one to this account or into a group: nobody can
// follow it any more.
func (c *Client) Revoke(ctx context.Context, link string) (Invitation, error) {
	l, err := letter.ParseInvitation(link)
	if err != nil {
		return Invitation{}, err
	}
	var changed []wire.RoomID
	err = c.step(ctx, func(s *step) error {
		for _, at := range l.Doors {
			d, err := s.door(at.ID)
			if err != nil {
				return err
			}
			if d == nil {
				continue
			}
			for i, k := range d.Classes {
				if (k.For == forLink || k.For == forGroupLink) && k.Key.Hash() == at.Key.Hash() && !k.over(s.c.now()) {
					d.Classes[i].Until = s.c.now().Unix()
					d.Synced = false
					s.putDoor(d)
					changed = append(changed, d.ID)
				}
			}
		}
		if len(changed) == 0 {
			return wire.Errorf(wire.NotFound, "no link of yours that could be taken back").WithNext("only the account that made a link can take it back")
		}
		return nil
	})
	if err != nil {
		return Invitation{}, err
	}
	for _, id := range changed {
		if err := c.stock(ctx, id, true); err != nil {
			return Invitation{}, err
		}
	}
	now := c.now().Truncate(time.Second)
	return Invitation{Link: link, Expires: &now}, nil
}

// asked is an invitation that this device has asked for: what comes for its
// KeyPackage from this account is accepted at once.
type asked struct {
	_    struct{} `cbor:",toarray"`
	From wire.AccountID
	// Conv is where it led, once an invitation came; zero until then.
	Conv convID
}

func askedName(ref []byte) string { return vault.Name("asked", b64(ref)) }

// askedLife is how long one waits to be let in: as long as the KeyPackage may be
// used, by the one who decides.
const askedLife = wire.ClaimWithin

// joinGrace is how long following a link waits to be let in at once.
const joinGrace = 4 * time.Second

// GroupJoin follows a group's link. It waits a moment to be let in; else
// the state is asked, and joining goes on by itself.
func (c *Client) GroupJoin(ctx context.Context, link, text string) (Joined, error) {
	l, err := letter.ParseInvitation(link)
	if err != nil {
		return Joined{}, err
	}
	if !l.Group {
		return Joined{}, wire.Errorf(wire.BadInput, "that link leads to a person and into no group").WithNext("follow it with: hearth contact add")
	}
	if len(text) > letter.MaxJoinText {
		return Joined{}, wire.Errorf(wire.BadInput, "a request to join has at most %d bytes of text", letter.MaxJoinText)
	}
	me, err := c.self(ctx)
	if err != nil {
		return Joined{}, err
	}
	if l.Account == me.ID {
		return Joined{}, errYou
	}
	key, err := me.key()
	if err != nil {
		return Joined{}, err
	}
	member, err := me.member()
	if err != nil {
		return Joined{}, err
	}
	now := c.now()
	kp, secrets, err := mls.NewKeyPackage(suite, member, lifetime(now), nil)
	if err != nil {
		return Joined{}, err
	}
	var waiting []parcel
	err = c.step(ctx, func(s *step) error {
		_, private, err := s.doors()
		if err != nil || private == nil {
			return err
		}
		until := now.Add(askedLife).Unix()
		s.putUntil(packageName(kp.Ref()), keyPackage{Package: kp.Marshal(), Secrets: secrets.Marshal(), Door: private.ID},
			now.Add(packageLife+packageGrace).Unix())
		s.putUntil(askedName(kp.Ref()), asked{From: l.Account}, until)
		for _, at := range l.Doors {
			body, err := letter.NewJoin(key, letter.Join{Link: at.Key, Account: me.ID, Chain: me.Chain,
				KeyPackage: kp.Marshal(), Door: private.address(forFellows), Text: text})
			if err != nil {
				return err
			}
			to := at.On(l.Server)
			payload, err := letter.Seal(to, letter.KindJoin, body)
			if err != nil {
				return err
			}
			waiting = append(waiting, parcel{To: to, Payload: payload, Until: until})
		}
		return s.verified(l.Account)
	})
	if err != nil {
		return Joined{}, err
	}
	if err := c.handIn(ctx, waiting); err != nil {
		c.step(ctx, func(s *step) error {
			s.del(packageName(kp.Ref()))
			s.del(askedName(kp.Ref()))
			return nil
		})
		return Joined{}, err
	}
	out := Joined{State: JoinAsked}
	ctx, cancel := context.WithTimeout(ctx, joinGrace)
	defer cancel()
	err = c.wait(ctx, func(s *step) (bool, error) {
		var a asked
		if ok, err := s.get(askedName(kp.Ref()), &a); err != nil || !ok || a.Conv == (convID{}) {
			return false, err
		}
		cv, err := s.conv(a.Conv)
		if err != nil || cv == nil {
			return false, err
		}
		r, err := s.room(cv.Room)
		if err != nil || r == nil || r.State != roomOK {
			return false, err
		}
		list, err := s.describe(cv)
		out = Joined{Room: list.Room, Name: list.Name, State: JoinJoined}
		return true, err
	})
	if err != nil && ctx.Err() == nil {
		return out, err
	}
	return out, nil
}

// handIn posts requests to join: at least one must be taken now, so that a link
// that has ended says so. What could not be reached waits like any parcel; the
// same post again is one entry.
func (c *Client) handIn(ctx context.Context, waiting []parcel) error {
	var over, later int
	for _, p := range waiting {
		err := c.net.To(p.To.Server, lane.Posts).Do(ctx, wire.OpDoorPost,
			wire.DoorPost{Door: p.To.ID, Key: p.To.Key, Payload: p.Payload, TTL: ttlLeft(p.Until, c.now())}, new(wire.Appended))
		switch code(err) {
		case wire.Denied, wire.Full, wire.Gone:
			over++
			continue
		case "":
			if err == nil {
				continue
			}
		}
		later++
		if err := c.step(ctx, func(s *step) error { return s.ship(p) }); err != nil {
			return err
		}
	}
	if over == len(waiting) {
		return errBadLink
	}
	return nil
}

// Somebody who was taken out does not come back by a link alone: a link lets in
// those whom nobody has shown the door.
func outcastName(conv convID, a wire.AccountID) string {
	return vault.Name("outcast", b64(conv[:]), b64(a[:]))
}

// outcastKept is how long that is remembered.
const outcastKept = 365 * 24 * time.Hour

// asking is somebody who followed a group's link and waits for a word.
type asking struct {
	_    struct{} `cbor:",toarray"`
	ID   []byte
	Conv convID
	// Invitee is what lets them in.
	Invitee invitee
	Text    string
	At      int64 // Unix milliseconds
	Until   int64 // Unix seconds
}

func askingName(id []byte) string { return vault.Name("asking", b64(id)) }

// asksToJoin deals with a request to join, whose signature was checked. What
// does not fit a link of ours has no effect, and no answer: a link that is over
// and one that never was are the same to a stranger.
func (s *step) asksToJoin(d *door, k knock) error {
	j := k.join
	class := d.opens(j.Link)
	if class == nil || class.For != forGroupLink || class.over(s.c.now()) {
		return nil
	}
	p, err := s.person(j.Account)
	if err != nil || p.Blocked {
		return err
	}
	if agrees, err := s.learnChain(p, k.chain); err != nil || !agrees {
		return err // a fork: no first contact (protocol §7)
	}
	if live, err := p.live(j.Device); err != nil || !live {
		return err // signed by the chain of then: the device was revoked since
	}
	chain, err := p.chain()
	if err != nil {
		return err
	}
	if _, err := checkPackage(j.KeyPackage, chain, s.c.now()); err != nil {
		return nil
	}
	cv, err := s.conv(class.Conv)
	if err != nil || cv == nil {
		return err
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	r, ro, _, err := s.active(cv, me)
	if code(err) != "" {
		return nil // we have left it, or can't post there
	} else if err != nil {
		return err
	}
	st := ro.State()
	if _, in := st.Member(j.Account); in || !atLeast(ro, me.ID, roster.RoleAdmin) || len(st.Members) >= int(st.Limit) {
		return nil
	}
	outcast, err := s.has(outcastName(cv.ID, j.Account))
	if err != nil {
		return err
	}
	s.putPerson(p)
	inv := invitee{Account: j.Account, Package: j.KeyPackage, Chain: chain.Entries(), Door: j.Door, Link: j.Link}
	if !class.Approve && !outcast {
		s.plan(r, plan{Add: []invitee{inv}})
		s.putRoom(r)
		return nil
	}
	h := sha256.Sum256(j.KeyPackage)
	now := s.c.now()
	a := asking{ID: h[:16], Conv: cv.ID, Invitee: inv, Text: j.Text, At: now.UnixMilli(), Until: now.Add(askedLife).Unix()}
	s.putUntil(askingName(a.ID), a, a.Until)
	_, err = s.record(cv, happening{Type: EventRequest, At: a.At, Account: j.Account, ID: a.ID, Kind: KindJoin,
		Name: st.Name, Text: j.Text, Until: a.Until})
	return err
}

// joinRequest returns a request to join that waits; nil if there is none.
func (c *Client) joinRequest(ctx context.Context, id []byte) (a *asking, err error) {
	err = c.look(ctx, func(s *step) error {
		read := new(asking)
		ok, err := s.get(askingName(id), read)
		if ok {
			a = read
		}
		return err
	})
	return a, err
}

// joinRequests adds those who wait to be let in to a list of requests.
func (s *step) joinRequests(out []Request) ([]Request, error) {
	err := s.scan("asking", func(_ string, b []byte) (bool, error) {
		a := new(asking)
		if err := decodeRecord(b, a); err != nil {
			return false, err
		}
		if s.c.now().Unix() >= a.Until {
			return true, nil
		}
		from, err := s.show(a.Invitee.Account)
		if err != nil {
			return false, err
		}
		q := Request{ID: b64(a.ID), Kind: KindJoin, From: from, Account: a.Invitee.Account.String(), Room: a.Conv.String(),
			Text: a.Text, Sent: time.UnixMilli(a.At).UTC()}
		if q.Nickname, err = s.nickname(a.Invitee.Account); err != nil {
			return false, err
		}
		t := end(a.Until)
		q.Expires = &t
		cv, err := s.conv(a.Conv)
		if err != nil || cv == nil {
			return true, err
		}
		if ro, err := s.roster(cv.Room); err == nil {
			q.Name = ro.State().Name
		}
		out = append(out, q)
		return true, nil
	})
	return out, err
}

// letIn answers a request to join.
func (c *Client) letIn(ctx context.Context, a *asking, yes bool) (Answered, error) {
	out := Answered{ID: b64(a.ID), Room: a.Conv.String(), State: "declined"}
	if yes {
		out.State = "accepted"
		if err := c.change(ctx, a.Conv, plan{Add: []invitee{a.Invitee}}); err != nil {
			return Answered{}, err
		}
	}
	return out, c.step(ctx, func(s *step) error {
		s.del(askingName(a.ID))
		return nil
	})
}
