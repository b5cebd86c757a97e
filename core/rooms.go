package core

import (
	"context"
	"errors"

	"hearth/core/lane"
	"hearth/core/roster"
	"hearth/identity"
)

// Rooms lists the conversations.
func (c *Client) Rooms(ctx context.Context) ([]Room, error) {
	var out []Room
	err := c.look(ctx, func(s *step) error {
		if _, err := s.me(); err != nil {
			return err
		}
		return s.scan("conversation", func(_ string, b []byte) (bool, error) {
			cv := new(conversation)
			if err := decodeRecord(b, cv); err != nil {
				return false, err
			}
			r, err := s.room(cv.Room)
			if err != nil || r == nil {
				return true, err // only a request so far
			}
			room, err := s.describe(cv)
			out = append(out, room)
			return true, err
		})
	})
	return sorted(out), err
}

// describe writes a conversation as people see it.
func (s *step) describe(cv *conversation) (Room, error) {
	out := Room{Room: cv.ID.String(), Kind: cv.Kind, Unread: int(cv.Unread), Members: []Member{}}
	me, err := s.me()
	if err != nil {
		return out, err
	}
	r, err := s.room(cv.Room)
	if err != nil || r == nil {
		return out, err
	}
	kept, err := s.arranged(cv.ID, cv.Peer)
	if err != nil {
		return out, err
	}
	out.Nickname, out.Pinned, out.Muted, out.Archived = kept.Nickname, kept.Pinned, kept.Muted, kept.Archived
	if kept.Notify != NotifyAll {
		out.Notify = kept.Notify
	}
	if out.Mentions, err = s.mentions(cv.ID); err != nil {
		return out, err
	}
	if out.Typing, err = s.writers(cv.ID); err != nil {
		return out, err
	}
	draft, err := s.setting(settingOf(draftSetting, cv.ID))
	if err != nil {
		return out, err
	}
	out.Draft = string(draft)
	out.Epoch = uint64(r.Epoch)
	switch {
	case r.Leaving, r.State == roomLeft:
		out.State = RoomLeft
	case r.State == roomRemoved:
		out.State = RoomRemoved
	case r.State == roomOutOfStep:
		out.State = RoomOutOfStep
	default:
		out.State = RoomOK
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil || ro == nil {
		return out, err // lost, and on its way back
	}
	st := ro.State()
	out.Name, out.Retention = st.Name, showRetention(st.Retention)
	if own, err := s.ownTimer(cv.ID); err != nil {
		return out, err
	} else if shorter(st.Retention, own) != st.Retention {
		out.OwnRetention = showRetention(own)
	}
	// A room whose first commit is on its way lists those whom it invites.
	invited, err := s.saga(r.ID)
	if err != nil {
		return out, err
	}
	for _, m := range st.Members {
		joined, err := s.hasJoined(r.ID, ro, m.Account)
		if err != nil {
			return out, err
		}
		if r.State == roomLeft || r.State == roomRemoved {
			joined = true // who had not accepted went with the room
		}
		if err := s.listMember(&out, m, joined); err != nil {
			return out, err
		}
		if m.Account == me.ID {
			out.Role = m.Role.String()
		}
	}
	if invited != nil && r.State == roomFounding {
		for _, a := range invited.Leaves {
			if _, in := st.Member(a.Account); in {
				continue
			}
			if err := s.listMember(&out, roster.Member{Account: a.Account, Role: roster.RoleMember}, false); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

func (s *step) listMember(out *Room, m roster.Member, joined bool) error {
	row := Member{Account: m.Account.String(), Role: m.Role.String(), State: "invited"}
	if joined {
		row.State = "joined"
	}
	name, err := s.show(m.Account)
	if err != nil {
		return err
	}
	if name != row.Account {
		row.Handle = name
	}
	if row.Nickname, err = s.nickname(m.Account); err != nil {
		return err
	}
	out.Members = append(out.Members, row)
	return nil
}

// CatchUp waits until every open seat and door is live. A server that can't be
// reached is given up on at once: what the others hold is read all the same, and
// unreachable is the answer.
func (c *Client) CatchUp(ctx context.Context) error {
	if _, err := c.self(ctx); errors.Is(err, errRevoked) {
		return nil // there is nothing to catch up with
	} else if err != nil {
		return err
	}
	tried := map[string]error{} // by server
	for {
		changed := c.changes()
		untried, late := "", false
		err := c.look(ctx, func(*step) error {
			for _, r := range c.readers {
				if r.live || r.ended || r.refused {
					continue
				}
				if why, known := tried[r.server]; !known {
					untried = r.server
				} else if why == nil {
					late = true
				}
			}
			return nil
		})
		switch {
		case err != nil:
			return err
		case untried != "":
			_, tried[untried] = c.net.To(untried, lane.Seats).Now(ctx)
			continue
		case !late:
			for _, err := range tried {
				if err != nil {
					return err
				}
			}
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Safety returns the safety number shared with a person.
func (c *Client) Safety(ctx context.Context, who string) (Safety, error) {
	me, err := c.self(ctx)
	if err != nil {
		return Safety{}, err
	}
	p, err := c.find(ctx, who)
	if err != nil {
		return Safety{}, err
	}
	out := Safety{Safety: identity.SafetyNumber(me.ID, p.Account), Account: p.Account.String(), Handle: p.Handle, Verified: p.Verified}
	return out, c.look(ctx, func(s *step) error {
		out.Nickname, err = s.nickname(p.Account)
		return err
	})
}

// Block stops showing what a person says.
func (c *Client) Block(ctx context.Context, who string) (Blocking, error) {
	return c.setBlocked(ctx, who, true)
}

// Unblock takes a block back.
func (c *Client) Unblock(ctx context.Context, who string) (Blocking, error) {
	return c.setBlocked(ctx, who, false)
}

func (c *Client) setBlocked(ctx context.Context, who string, blocked bool) (Blocking, error) {
	p, err := c.find(ctx, who)
	if err != nil {
		return Blocking{}, err
	}
	me, err := c.self(ctx)
	if err != nil {
		return Blocking{}, err
	}
	if p.Account == me.ID {
		return Blocking{}, errYou
	}
	err = c.step(ctx, func(s *step) error {
		known, err := s.person(p.Account)
		if err != nil {
			return err
		}
		known.Blocked = blocked
		s.putPerson(known)
		if !blocked {
			return nil
		}
		return s.rotateSoon()
	})
	out := Blocking{Account: p.Account.String(), State: "unblocked"}
	if blocked {
		out.State = "blocked"
	}
	return out, err
}
