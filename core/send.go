package core

import (
	"context"
	"errors"
	"time"

	"hearth/content"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/wire"
)

// retention is the timer of a new conversation whose founder has not set another:
// 30 days (design §5).
const retention = 30 * 24 * 3600

// Send queues a message and waits until it is sent; when ctx ends first, the
// state is queued and that is no error. Sending to a person begins the direct
// conversation if there is none.
func (c *Client) Send(ctx context.Context, o SendOptions) (Sent, error) {
	if o.File == "" && o.Poll == nil && o.Place == nil || o.Text != "" {
		if err := content.CheckText(o.Text); err != nil {
			return Sent{}, err
		}
	}
	var marks []content.Mark
	if o.Format {
		var err error
		if o.Text, marks, err = c.formatted(ctx, o.To, o.Text); err != nil {
			return Sent{}, err
		}
	}
	opts, err := c.options(o)
	if err != nil {
		return Sent{}, err
	}
	if o.File != "" {
		return c.sendFile(ctx, o, opts, marks)
	}
	m, err := said(o, opts)
	if err == nil {
		err = m.Mark(marks)
	}
	if err != nil {
		return Sent{}, err
	}
	return c.tellTo(ctx, o.To, m, opts.Sent)
}

// said makes the message that the options of a Send ask for.
func said(o SendOptions, opts content.Options) (*content.Message, error) {
	switch {
	case (o.Poll != nil || o.Place != nil) && (o.Text != "" || o.File != "") || o.Poll != nil && o.Place != nil:
		return nil, wire.Errorf(wire.BadInput, "one message is a text, a poll or a place")
	case o.Poll != nil:
		return content.NewPoll(content.Question{Question: o.Poll.Question, Options: o.Poll.Options, Multi: o.Poll.Multi}, opts)
	case o.Place != nil:
		return content.NewPlace(o.Place.Lat, o.Place.Lon, o.Place.Accuracy, o.Place.Label, opts)
	}
	return content.NewText(o.Text, opts)
}

// options are what the options of a Send mean for any message.
func (c *Client) options(o SendOptions) (content.Options, error) {
	opts := content.Options{Sent: c.now()}
	if o.Expire < 0 {
		return opts, wire.Errorf(wire.BadInput, "a message cannot end before it is sent")
	}
	switch {
	case o.Expire > 0 && o.FromReading:
		opts.Expires = content.EndsAfterReading(o.Expire)
	case o.FromReading:
		return opts, wire.Errorf(wire.BadInput, "there is no time to count from reading").WithNext("give --expire, such as 30s")
	case o.Expire > 0:
		opts.Expires = content.EndsAt(opts.Sent.Add(o.Expire))
	}
	if o.Reply != "" {
		id, err := content.ParseMessageID(o.Reply)
		if err != nil {
			return opts, err
		}
		opts.InReplyTo = &id
	}
	return opts, nil
}

// tellTo says something to a person or in a room.
func (c *Client) tellTo(ctx context.Context, to string, m *content.Message, at time.Time) (Sent, error) {
	body, err := m.Encode()
	if err != nil {
		return Sent{}, err
	}
	conv, begin, err := c.target(ctx, to, body)
	if err != nil {
		return Sent{}, err
	}
	return c.utter(ctx, conv, begin, m, body, at)
}

// utter says something in a conversation, which begins with it if it has to, and
// waits until it is sent or ctx ends.
func (c *Client) utter(ctx context.Context, conv convID, begin beginning, m *content.Message, body []byte, at time.Time) (Sent, error) {
	return c.utterWith(ctx, conv, begin, m, body, at, nil)
}

// utterWith is utter of a message that waits for its file, if there is one.
func (c *Client) utterWith(ctx context.Context, conv convID, begin beginning, m *content.Message, body []byte, at time.Time, f *stored) (Sent, error) {
	var id content.MessageID
	err := c.step(ctx, func(s *step) error {
		if begin != nil {
			if err := begin(s); err != nil {
				return err
			}
		}
		var err error
		id, err = s.say(conv, m, body, f)
		return err
	})
	if err != nil {
		return Sent{}, err
	}
	out := Sent{Room: conv.String(), ID: id.String(), Sent: at.Truncate(time.Millisecond), State: StateQueued}
	err = c.wait(ctx, func(s *step) (bool, error) {
		n, err := s.lineOf(conv, id[:])
		if err != nil {
			return false, err
		}
		h, err := s.line(conv, n)
		if err != nil || h == nil {
			return true, err // it has ended meanwhile
		}
		out.State = h.State
		return h.State == StateSent, nil
	})
	if err != nil && ctx.Err() == nil {
		return out, err
	}
	return out, nil
}

// say puts a message of ours into the history and the outbox; with a file, once that
// is at the server.
func (s *step) say(id convID, m *content.Message, body []byte, f *stored) (content.MessageID, error) {
	var mid content.MessageID
	cv, err := s.conv(id)
	if err != nil {
		return mid, err
	}
	if cv == nil {
		return mid, errNoRoom
	}
	r, err := s.room(cv.Room)
	if err != nil {
		return mid, err
	}
	if err := s.canSay(r); err != nil {
		return mid, err
	}
	me, err := s.me()
	if err != nil {
		return mid, err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return mid, err
	}
	if mid, err = content.ID(me.ID, id, body); err != nil {
		return mid, err
	}
	n, err := s.keep(cv, ro.State(), me.ID, mid, m, body, true)
	if err != nil {
		return mid, err
	}
	if n == 0 {
		return mid, wire.Errorf(wire.BadInput, "that message would end before it is sent")
	}
	h, err := s.line(id, n)
	if err != nil {
		return mid, err
	}
	if m.Kind() == content.Delete {
		if unsent, err := s.unsay(id, r, m.Replaces[:]); err != nil || unsent {
			h.State = StateSent
			s.putUntil(lineName(id, n), h, h.Until)
			return mid, err
		}
	}
	if f != nil {
		err = s.holdBack(id, r, n, h, f)
	} else {
		err = s.postLine(id, r, m, h)
	}
	if err != nil {
		return mid, err
	}
	return mid, s.spent(id, m)
}

// postLine puts a line of ours into the outbox.
func (s *step) postLine(id convID, r *room, m *content.Message, h *happening) error {
	until, err := s.stays(id, r, m, h)
	if err != nil {
		return err
	}
	if _, err := s.enqueue(r, row{Kind: content.KindContent, Body: h.Body, Message: h.ID, Until: until}); err != nil {
		return err
	}
	s.putRoom(r)
	return nil
}

// stays is how long others may still come for a line of ours, Unix seconds.
func (s *step) stays(id convID, r *room, m *content.Message, h *happening) (int64, error) {
	if m.Expires == nil || !m.Expires.Relative {
		return s.lasts(id, h, r.ID)
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return 0, err
	}
	return s.keepUntil(ro.State()), nil // for as long as others may take to read it
}

// canSay says why a room takes no messages from us, if it does not. Out of step
// they wait: the room heals itself, or has a successor.
func (s *step) canSay(r *room) error {
	if r == nil || r.State != roomOutOfStep && r.State != roomSucceeded {
		return canPost(r)
	}
	if k, err := s.copied(); err != nil || k != nil {
		return err
	}
	if h, err := s.healing(r.ID); err != nil || r.Moving || h != nil && !h.Unseated {
		return err
	}
	return canPost(r)
}

// canPost says why a room takes nothing from us, if it does not.
func canPost(r *room) error {
	if r == nil {
		return errNoRoom
	}
	switch r.State {
	case roomOK, roomFounding:
		return nil
	case roomLeft, roomRemoved:
		return wire.Errorf(wire.Denied, "you are no longer in this conversation").WithNext("ask a member to invite you again")
	}
	return wire.Errorf(wire.Stale, "this device is out of step with the conversation").
		WithNext("it heals by itself within minutes; try again then")
}

// beginning begins a conversation within a step, unless it has begun meanwhile.
type beginning func(*step) error

// target finds the conversation to send to; with a person it may be one that
// has to begin, together with its first message.
func (c *Client) target(ctx context.Context, to string, first []byte) (convID, beginning, error) {
	if id, begin, own, err := c.noteTo(ctx, to); err != nil || own {
		return id, begin, err
	}
	if id, ok := parseConv(to); ok {
		var cv *conversation
		var peer *person
		if _, err := c.knows(ctx, id); err != nil {
			return id, nil, err
		}
		err := c.look(ctx, func(s *step) (err error) {
			if cv, err = s.conv(id); err != nil || cv == nil {
				return err
			}
			if deserted, err := s.deserted(cv); err != nil || !deserted {
				return err
			}
			peer, err = s.person(cv.Peer)
			return err
		})
		if err != nil || cv != nil && peer == nil {
			return id, nil, err
		}
		if peer != nil {
			// They declined, or went, or never answered: they are asked again.
			return c.direct(ctx, peer, first, nil)
		}
	}
	if letter.IsLink(to) {
		// The link's owner has accepted whoever follows it.
		p, use, err := c.readLink(ctx, to)
		if err != nil {
			return convID{}, nil, err
		}
		id, begin, err := c.direct(ctx, p, first, use)
		return id, func(s *step) error {
			if begin != nil {
				if err := begin(s); err != nil {
					return err
				}
			}
			return s.verified(p.Account)
		}, err
	}
	p, err := c.find(ctx, to)
	if err != nil {
		if _, ok := parseConv(to); ok && errors.Is(err, errNobody) {
			return convID{}, nil, errNoRoom
		}
		return convID{}, nil, err
	}
	return c.direct(ctx, p, first, nil)
}

// direct returns the direct conversation with a person, and how to begin it if
// there is none: a room, the person's devices invited, first their first
// message.
func (c *Client) direct(ctx context.Context, p *person, first []byte, link *linkUse) (convID, beginning, error) {
	me, err := c.self(ctx)
	if err != nil {
		return convID{}, nil, err
	}
	if p.Account == me.ID {
		return convID{}, nil, errYou
	}
	id := convID(roster.DirectID(me.ID, p.Account))
	ready := false
	err = c.look(ctx, func(s *step) (err error) {
		ready, err = s.ready(id)
		return err
	})
	if err != nil || ready {
		return id, nil, err
	}
	if p.Blocked {
		return id, nil, wire.Errorf(wire.Denied, "you have blocked that person").WithNext("take it back with: hearth unblock")
	}
	// A request of theirs that waits is the conversation: to answer it is
	// better than a second room.
	if accepted, err := c.acceptFrom(ctx, p.Account); err != nil || accepted {
		return id, nil, err
	}
	invitees, err := c.claim(ctx, p, link)
	if err != nil {
		return id, nil, err
	}
	for i := range invitees {
		invitees[i].First = first
	}
	chain, err := me.chain()
	if err != nil {
		return id, nil, err
	}
	theirs, err := identityChain(invitees)
	if err != nil {
		return id, nil, err
	}
	region, err := c.region(ctx, me.Server)
	if err != nil {
		return id, nil, err
	}
	return id, func(s *step) error {
		if ready, err := s.ready(id); err != nil || ready {
			return err
		}
		if alone, r, err := s.alone(id); err != nil {
			return err
		} else if alone {
			// They declined, or left: the room stands, and they are invited again.
			s.plan(r, plan{Add: invitees})
			s.putRoom(r)
			return nil
		}
		var before wire.RoomID
		if cv, err := s.conv(id); err != nil {
			return err
		} else if cv != nil {
			before = cv.Room
		}
		known, err := s.person(p.Account)
		if err != nil {
			return err
		}
		known.Contact = true
		if _, err := s.learnChain(known, theirs); err != nil {
			return err
		}
		s.putPerson(known)
		prefs, err := s.preferences()
		if err != nil {
			return err
		}
		err = s.found(foundation{
			me: me, conv: id, kind: KindDirect, peer: p.Account, region: region,
			state: roster.NewDirect(chain, theirs, prefs.Retention), chains: [][][]byte{chain.Entries(), theirs.Entries()},
			plan: plan{Add: invitees},
		})
		if err != nil || before == (wire.RoomID{}) {
			return err
		}
		return s.refounded(id, before) // which the other one cannot join any more
	}, nil
}

// ready reports whether a direct conversation takes what we say: its room
// stands, and the other one has a leaf there, or is being invited.
func (s *step) ready(id convID) (bool, error) {
	cv, err := s.conv(id)
	if err != nil || cv == nil {
		return false, err
	}
	r, err := s.room(cv.Room)
	if err != nil || s.canSay(r) != nil {
		return false, err
	}
	deserted, err := s.deserted(cv)
	return !deserted, err
}

// deserted reports whether a direct conversation's room is one that the other one
// is not in and will not come to.
func (s *step) deserted(cv *conversation) (bool, error) {
	alone, r, err := s.alone(cv.ID)
	if err != nil || alone || r == nil || cv.Kind != KindDirect {
		return alone, err
	}
	return s.unanswered(cv, r)
}

// unanswered reports whether a direct conversation's room stands with the other
// one invited, and the invitation can no longer be accepted (protocol §6).
func (s *step) unanswered(cv *conversation, r *room) (bool, error) {
	if r.State == roomOutOfStep {
		return s.nobodyThere(r)
	}
	if r.State != roomOK {
		return false, nil
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return false, err
	}
	leaves := ro.LeavesOf(cv.Peer)
	for _, at := range leaves {
		l, err := s.leaf(r.ID, at.Index)
		if err != nil || l.Joined || s.c.now().Before(time.Unix(l.Since, 0).Add(wire.ClaimWithin)) {
			return false, err
		}
	}
	return len(leaves) > 0, nil
}

// refounded says again in a direct conversation's new room what was said in the
// one before.
func (s *step) refounded(id convID, before wire.RoomID) error {
	cv, err := s.conv(id)
	if err != nil {
		return err
	}
	r, err := s.room(cv.Room)
	if err != nil {
		return err
	}
	if old, err := s.room(before); err != nil {
		return err
	} else if old != nil && old.State == roomOutOfStep {
		old.State = roomOK // what was said there, nobody has read
	}
	if err := s.replaced(cv, before, r); err != nil {
		return err
	}
	s.putRoom(r)
	return nil
}

// alone reports whether a direct conversation's room stands without the other
// one.
func (s *step) alone(id convID) (bool, *room, error) {
	cv, err := s.conv(id)
	if err != nil || cv == nil || cv.Kind != KindDirect {
		return false, nil, err
	}
	r, err := s.room(cv.Room)
	if err != nil || r == nil || r.State != roomOK {
		return false, r, err
	}
	if p, err := s.firstPlan(r.ID); err != nil || p != nil && len(p.Add) > 0 {
		return false, r, err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return false, r, err
	}
	return len(ro.LeavesOf(cv.Peer)) == 0, r, nil
}
