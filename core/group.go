package core

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"hearth/core/roster"
	"hearth/wire"
)

// GroupNew founds a group and invites people to it. Who cannot be invited is
// listed in Skipped.
func (c *Client) GroupNew(ctx context.Context, name string, who []string) (Group, error) {
	me, err := c.self(ctx)
	if err != nil {
		return Group{}, err
	}
	chain, err := me.chain()
	if err != nil {
		return Group{}, err
	}
	id := roster.NewGroupID()
	var prefs preferences
	err = c.look(ctx, func(s *step) error {
		prefs, err = s.preferences()
		return err
	})
	if err != nil {
		return Group{}, err
	}
	st := roster.NewGroup(id, name, chain, prefs.Retention)
	if _, err := roster.ParseState(st.Encode()); err != nil {
		return Group{}, wire.Errorf(wire.BadInput, "a group's name has 1 to %d bytes and no control characters", roster.MaxName)
	}
	invitees, _, skipped, err := c.invitees(ctx, who, nil)
	if err != nil {
		return Group{}, err
	}
	if len(who) > 0 && len(invitees) == 0 {
		return Group{}, wire.Errorf(wire.NotFound, "none of these people could be invited").WithNext("check the names")
	}
	region, err := c.region(ctx, me.Server)
	if err != nil {
		return Group{}, err
	}
	err = c.step(ctx, func(s *step) error {
		s.reinvite(convID(id), skipped)
		return s.found(foundation{me: me, conv: convID(id), kind: KindGroup, region: region, state: st,
			chains: [][][]byte{chain.Entries()}, plan: plan{Add: invitees}})
	})
	if err != nil {
		return Group{}, err
	}
	err = c.wait(ctx, func(s *step) (bool, error) {
		cv, err := s.conv(convID(id))
		if err != nil || cv == nil {
			return true, err
		}
		r, err := s.room(cv.Room)
		return r == nil || r.State != roomFounding, err
	})
	if err != nil && ctx.Err() == nil {
		return Group{}, err
	}
	out := Group{Room: id.String(), Name: name, Skipped: skipped}
	err = c.look(context.WithoutCancel(ctx), func(s *step) error {
		cv, err := s.conv(convID(id))
		if err != nil || cv == nil {
			return err
		}
		room, err := s.describe(cv)
		out.Members = room.Members
		return err
	})
	return out, err
}

// invitees claims KeyPackages for the people named; those who cannot be invited
// are listed with why. in are the accounts that are there already.
func (c *Client) invitees(ctx context.Context, who []string, in map[wire.AccountID]bool) (out []invitee, accounts []wire.AccountID, skipped []Skipped, err error) {
	skipped = []Skipped{}
	me, err := c.self(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	named := make(map[wire.AccountID]bool)
	for _, text := range who {
		skip := func(err error) {
			k := code(err)
			if k == "" {
				k = wire.Internal
			}
			skipped = append(skipped, Skipped{Handle: text, Code: string(k)})
		}
		p, err := c.find(ctx, text)
		if err != nil {
			if ctx.Err() != nil {
				return nil, nil, nil, ctx.Err()
			}
			skip(err)
			continue
		}
		if p.Account == me.ID || in[p.Account] || named[p.Account] {
			skip(&wire.Error{Code: wire.Taken})
			continue
		}
		if p.Blocked {
			skip(&wire.Error{Code: wire.Denied})
			continue
		}
		got, err := c.claim(ctx, p, nil)
		if err != nil {
			if ctx.Err() != nil {
				return nil, nil, nil, ctx.Err()
			}
			skip(err)
			continue
		}
		named[p.Account] = true
		accounts = append(accounts, p.Account)
		out = append(out, got...)
	}
	return out, accounts, skipped, nil
}

// inGroup returns the room of a group in which this device can act.
func (s *step) inGroup(id convID) (*room, *roster.Roster, *account, error) {
	me, err := s.me()
	if err != nil {
		return nil, nil, nil, err
	}
	cv, err := s.conv(id)
	if err != nil {
		return nil, nil, nil, err
	}
	if cv == nil {
		return nil, nil, nil, errNoRoom
	}
	if cv.Kind != KindGroup {
		return nil, nil, nil, wire.Errorf(wire.BadInput, "that is not a group")
	}
	return s.active(cv, me)
}

func (s *step) active(cv *conversation, me *account) (*room, *roster.Roster, *account, error) {
	r, err := s.room(cv.Room)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := canPost(r); err != nil {
		return nil, nil, nil, err
	}
	ro, err := s.roster(r.ID)
	return r, ro, me, err
}

// errRole says that a role does not allow what was asked.
var errRole = &wire.Error{Code: wire.Denied, Message: "your role in the group does not allow that", Next: "ask an owner or admin"}

func atLeast(ro *roster.Roster, a wire.AccountID, role roster.Role) bool {
	return roleOf(ro, a) >= role
}

// roleOf returns an account's role; 0 for one that is not in the group.
func roleOf(ro *roster.Roster, a wire.AccountID) roster.Role {
	st := ro.State()
	m, _ := st.Member(a)
	return m.Role
}

// GroupAdd invites people to a group.
func (c *Client) GroupAdd(ctx context.Context, room string, who []string) (Changed, error) {
	id, err := c.roomByText(ctx, room)
	if err != nil {
		return Changed{}, err
	}
	in := make(map[wire.AccountID]bool)
	err = c.look(ctx, func(s *step) error {
		_, ro, me, err := s.inGroup(id)
		if err != nil {
			return err
		}
		if !atLeast(ro, me.ID, roster.RoleAdmin) {
			return errRole
		}
		for _, m := range ro.State().Members {
			in[m.Account] = true
		}
		return nil
	})
	if err != nil {
		return Changed{}, err
	}
	invitees, accounts, skipped, err := c.invitees(ctx, who, in)
	if err != nil {
		return Changed{}, err
	}
	if err := c.step(ctx, func(s *step) error { s.reinvite(id, skipped); return nil }); err != nil {
		return Changed{}, err
	}
	out := Changed{Room: id.String(), Changed: []string{}, Skipped: skipped}
	if len(invitees) > 0 {
		if err := c.change(ctx, id, plan{Add: invitees}); err != nil {
			return Changed{}, err
		}
	}
	for _, a := range accounts {
		out.Changed = append(out.Changed, a.String())
	}
	out.Epoch, err = c.epochOf(ctx, id)
	return out, err
}

// GroupRemove removes people from a group.
func (c *Client) GroupRemove(ctx context.Context, room string, who []string) (Changed, error) {
	id, err := c.roomByText(ctx, room)
	if err != nil {
		return Changed{}, err
	}
	out := Changed{Room: id.String(), Changed: []string{}, Skipped: []Skipped{}}
	var gone []wire.AccountID
	for _, text := range who {
		waited := false
		err := c.step(ctx, func(s *step) (err error) {
			waited, err = s.dontReinvite(id, text)
			return err
		})
		if err != nil {
			return Changed{}, err
		}
		a, err := c.memberByText(ctx, id, text)
		if waited && code(err) != "" {
			continue // not in it yet, and not invited any more
		}
		if err != nil {
			if code(err) == "" || ctx.Err() != nil {
				return Changed{}, err
			}
			out.Skipped = append(out.Skipped, Skipped{Handle: text, Code: string(code(err))})
			continue
		}
		gone = append(gone, a)
		out.Changed = append(out.Changed, a.String())
	}
	if len(gone) > 0 {
		if err := c.change(ctx, id, plan{Remove: gone}); err != nil {
			return Changed{}, err
		}
	}
	out.Epoch, err = c.epochOf(ctx, id)
	return out, err
}

// memberByText finds a member of a group whom we may remove.
func (c *Client) memberByText(ctx context.Context, id convID, text string) (wire.AccountID, error) {
	p, err := c.find(ctx, text)
	if err != nil {
		return wire.AccountID{}, err
	}
	return p.Account, c.look(ctx, func(s *step) error {
		_, ro, me, err := s.inGroup(id)
		if err != nil {
			return err
		}
		theirs, mine := roleOf(ro, p.Account), roleOf(ro, me.ID)
		switch {
		case theirs == 0:
			return errNotMember
		case p.Account == me.ID:
			return wire.Errorf(wire.BadInput, "that is you").WithNext("leave with: hearth group leave")
		case mine == roster.RoleOwner, mine == roster.RoleAdmin && theirs == roster.RoleMember:
			return nil
		}
		return errRole
	})
}

// GroupSet changes a conversation's settings.
func (c *Client) GroupSet(ctx context.Context, room string, set GroupSettings) (Settings, error) {
	id, err := c.roomByText(ctx, room)
	if err != nil {
		return Settings{}, err
	}
	p := plan{Name: set.Name, Traced: set.Traced}
	if set.Retention != nil {
		seconds, err := parseRetention(*set.Retention)
		if err != nil {
			return Settings{}, err
		}
		p.Retention = &seconds
	}
	if set.Limit != nil {
		if *set.Limit < 1 || *set.Limit > roster.MaxLimit {
			return Settings{}, wire.Errorf(wire.BadInput, "a limit is a number from 1 to %d", roster.MaxLimit)
		}
		limit := uint32(*set.Limit)
		p.Limit = &limit
	}
	same := false
	err = c.look(ctx, func(s *step) error {
		me, err := s.me()
		if err != nil {
			return err
		}
		cv, err := s.conv(id)
		if err != nil {
			return err
		}
		_, ro, _, err := s.active(cv, me)
		if err != nil {
			return err
		}
		st := ro.State()
		if cv.Kind == KindGroup && !atLeast(ro, me.ID, roster.RoleAdmin) {
			return errRole
		}
		if cv.Kind != KindGroup && (p.Name != nil || p.Limit != nil || p.Traced != nil) {
			return wire.Errorf(wire.BadInput, "only a group has a name and a limit, and can be traced")
		}
		if p.Limit != nil && int(*p.Limit) < len(st.Members) {
			return wire.Errorf(wire.BadInput, "the group has more members than that")
		}
		same = (p.Name == nil || *p.Name == st.Name) && (p.Limit == nil || *p.Limit == st.Limit) && (p.Retention == nil || *p.Retention == st.Retention) &&
			(p.Traced == nil || *p.Traced == st.Traced)
		if p.Name != nil {
			st.Name = *p.Name
			if _, err := roster.ParseState(st.Encode()); err != nil {
				return wire.Errorf(wire.BadInput, "a group's name has 1 to %d bytes and no control characters", roster.MaxName)
			}
		}
		return nil
	})
	if err != nil {
		return Settings{}, err
	}
	if !same {
		if err := c.change(ctx, id, p); err != nil {
			return Settings{}, err
		}
	}
	out := Settings{Room: id.String()}
	err = c.look(ctx, func(s *step) error {
		cv, err := s.conv(id)
		if err != nil || cv == nil {
			return err
		}
		ro, err := s.roster(cv.Room)
		if err != nil {
			return err
		}
		out.Retention, out.Limit, out.Traced = showRetention(ro.State().Retention), int(ro.State().Limit), ro.State().Traced
		return nil
	})
	return out, err
}

// change plans a change of a conversation and waits until it was seen.
func (c *Client) change(ctx context.Context, id convID, p plan) error {
	var at planID
	err := c.step(ctx, func(s *step) error {
		cv, err := s.conv(id)
		if err != nil || cv == nil {
			return err
		}
		r, err := s.room(cv.Room)
		if err != nil {
			return err
		}
		if err := canPost(r); err != nil {
			return err
		}
		at = planID{r.ID, s.plan(r, p)}
		s.putRoom(r)
		return nil
	})
	if err != nil {
		return err
	}
	err = c.wait(ctx, func(s *step) (bool, error) {
		if why := c.failed[at]; why != nil {
			delete(c.failed, at)
			return true, refused(why)
		}
		waits, err := s.has(planRecord(at.room, at.n))
		return !waits, err
	})
	if err != nil && ctx.Err() != nil {
		return wire.Errorf(wire.Unreachable, "the server has not confirmed the change yet").
			WithNext("it goes on by itself; look with: hearth rooms")
	}
	return err
}

// refused puts a plan's failure into words for people.
func refused(why error) error {
	if errors.Is(why, roster.ErrRefused) {
		return wire.Errorf(wire.Denied, "the group does not allow that: %w", why)
	}
	return why
}

func (c *Client) epochOf(ctx context.Context, id convID) (epoch uint64, err error) {
	err = c.look(context.WithoutCancel(ctx), func(s *step) error {
		cv, err := s.conv(id)
		if err != nil || cv == nil {
			return err
		}
		r, err := s.room(cv.Room)
		if err != nil || r == nil {
			return err
		}
		epoch = uint64(r.Epoch)
		return nil
	})
	return epoch, err
}

// parseRetention reads a timer as people type it: 30d, 12h, 1w, 1y or keep.
func parseRetention(text string) (uint32, error) {
	wrong := wire.Errorf(wire.BadInput, "a timer is written like 12h, 7d, 1w, 1y, or keep")
	if text == "keep" {
		return 0, nil
	}
	if text == "" {
		return 0, wrong
	}
	units := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour, 'y': 365 * 24 * time.Hour}
	unit, ok := units[text[len(text)-1]]
	n, err := strconv.ParseUint(strings.TrimSuffix(text, text[len(text)-1:]), 10, 16)
	if !ok || err != nil || n == 0 || n > uint64(roster.MaxRetention*time.Second/unit) {
		return 0, wrong
	}
	return uint32(time.Duration(n) * unit / time.Second), nil
}

// showRetention writes a timer as parseRetention reads it.
func showRetention(seconds uint32) string {
	const day = 24 * 3600
	switch n := uint64(seconds); {
	case n == 0:
		return "keep"
	case n%(365*day) == 0:
		return strconv.FormatUint(n/(365*day), 10) + "y"
	case n%day == 0:
		return strconv.FormatUint(n/day, 10) + "d"
	case n%3600 == 0:
		return strconv.FormatUint(n/3600, 10) + "h"
	case n%60 == 0:
		return strconv.FormatUint(n/60, 10) + "m"
	default:
		return strconv.FormatUint(n, 10) + "s"
	}
}
