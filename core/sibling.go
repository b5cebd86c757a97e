package core

import (
	"context"
	"errors"
	"time"

	"hearth/core/roster"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// What a device does differently because another of the account's devices spoke,
// invited, answered or left.

// isMe reports whether an account is this one.
func (s *step) isMe(account wire.AccountID) (bool, error) {
	me, err := s.account()
	return err == nil && me != nil && me.ID == account, err
}

// peerOf returns the other account of a direct conversation.
func (s *step) peerOf(st roster.State) (peer wire.AccountID, err error) {
	if st.Kind != roster.Direct {
		return peer, nil
	}
	for _, m := range st.Members {
		if mine, err := s.isMe(m.Account); err != nil {
			return peer, err
		} else if !mine {
			peer = m.Account
		}
	}
	return peer, nil
}

// invitedBySibling accepts an invitation that a device of this account has
// signed: it brings this device where the account is already.
func (s *step) invitedBySibling(me *account, k knock, id []byte) error {
	inv := k.wrapper
	known, err := me.chain()
	if err != nil {
		return err
	}
	switch k.chain.Compare(known) {
	case identity.Same:
	case identity.Ahead:
		if err := s.learnOwnChain(k.chain); err != nil {
			return err
		}
	case identity.Behind:
		// Signed by the chain of then: a device revoked since is no sibling.
		if d, ok := known.Device(inv.Device); !ok || !d.Live {
			return nil
		}
	default:
		return nil
	}
	st, err := roster.ParseState(inv.State)
	if err != nil {
		return nil
	}
	if _, in := st.Member(me.ID); !in {
		return nil
	}
	now := s.c.now()
	rq := request{ID: id, Ref: k.ref, Wrapper: *inv, At: now.UnixMilli(), Until: now.Add(wire.ClaimWithin).Unix(), Decided: true}
	s.putRequest(&rq)
	s.then(func() { s.c.wakeRequests() })
	return nil
}

// hearSibling learns where a device of ours is reached, from itself in the self
// room; in another if that is not known: one that was restored may not be in the
// self room, and know no way to this device.
func (s *step) hearSibling(cv *conversation, from roster.Leaf, doors []address) error {
	if len(doors) == 0 {
		return nil
	}
	d, err := s.device(from.Device)
	if err != nil || cv.Kind != KindSelf && d.Sibling.Server != "" {
		return err
	}
	d.Sibling = doors[0]
	s.putDevice(d)
	s.then(func() { s.c.wakeAllDevices() })
	return nil
}

// youngRoom is how long after a room was founded, or joined, its first words are
// said again to siblings that come after them.
const youngRoom = time.Hour

// tellSiblings says again in a young room what this device said there before its
// siblings came: they are in the conversation no later than this device. Others
// drop the second copy.
func (s *step) tellSiblings(r *room, cv *conversation, came []addedLeaf) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	late := false
	for _, a := range came {
		l, ok := ro.Leaf(mls.LeafIndex(a.Index))
		if !ok || l.Account != me.ID {
			continue
		}
		// One that has just been linked is handed all of it.
		handed, err := s.has(handoverName(l.Device))
		if err != nil {
			return err
		}
		late = late || !handed
	}
	if !late {
		return nil
	}
	oldest := s.c.now().Add(-youngRoom).Unix()
	for _, at := range ro.Leaves() {
		l, err := s.leaf(r.ID, at.Index)
		if err != nil || l.Since != 0 && l.Since < oldest {
			return err
		}
	}
	if err := s.withdraw(r); err != nil {
		return err
	}
	return s.repeat(cv, r, r, 0, true)
}

// withdraw takes the messages that wait out of a room's outbox, for them to be said
// behind others. Running counts that they took are not missing to anybody.
func (s *step) withdraw(r *room) error {
	var rows []*row
	err := s.scan(outboxName(r.ID), func(_ string, b []byte) (bool, error) {
		w := new(row)
		rows = append(rows, w)
		return true, decodeRecord(b, w)
	})
	if err != nil {
		return err
	}
	for _, w := range rows {
		switch {
		case len(w.Message) == 0:
		case w.Count == 0:
			s.del(rowName(r.ID, w.N))
		default:
			s.putRow(r.ID, s.c.void(w))
		}
	}
	return nil
}

// leftWithSibling leaves a room that another device of ours has left: its word
// is the account's.
func (s *step) leftWithSibling(r *room, e roster.Evidence) error {
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	st, err := e.ReadLeave(ro.Chain)
	if err != nil || convID(st.Conversation) != r.Conv {
		return nil
	}
	cv, err := s.conv(r.Conv)
	if err != nil || cv == nil {
		return err
	}
	return s.leftRoom(r, cv)
}

// ownSync applies what this device posted to its siblings, now that the log says
// where it stands among what they posted.
func (s *step) ownSync(b []byte) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	body, err := parseSync(b)
	if err != nil {
		return nil // an earlier version's
	}
	return s.applySync(me, key.ID(), body)
}

// declineAll declines an invitation for the whole account. A leave must name all
// of its leaves, so the group is looked at first: it may hold those of other
// devices.
func (c *Client) declineAll(ctx context.Context, rq *request) error {
	leave, err := c.leaveOf(ctx, rq)
	if err != nil && (code(err) == "" || code(err) == wire.Unreachable) {
		return err // tried again
	}
	return c.step(ctx, func(s *step) error {
		now, err := s.request(rq.ID)
		if err != nil || now == nil {
			return err
		}
		return s.decline(now, leave)
	})
}

// leaveOf signs a leave for all leaves that this account has in a group to which
// it was invited.
func (c *Client) leaveOf(ctx context.Context, rq *request) (*roster.Evidence, error) {
	var me *account
	var kp keyPackage
	err := c.look(ctx, func(s *step) (err error) {
		if me, err = s.me(); err != nil {
			return err
		}
		ok, err := s.get(packageName(rq.Ref), &kp)
		if err == nil && !ok {
			err = errNoRequest
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	blob, err := c.cfg.Blobs.Get(ctx, rq.Wrapper.Server, rq.Wrapper.Tree.Blob)
	if err != nil {
		return nil, err
	}
	j, err := c.open(&rq.Wrapper, &kp, blob)
	if err != nil {
		return nil, errors.Join(errForged, err)
	}
	key, err := me.key()
	if err != nil {
		return nil, err
	}
	e, err := j.roster.NewLeave(key, me.ID)
	return &e, err
}
