package core

import (
	"context"

	"hearth/core/roster"
	"hearth/wire"
)

// GroupRole gives a member of a group another role: owner, admin or member. Only
// owners do; anybody may step down by naming themselves. An owner who makes
// another owner and then steps down has handed the group over; GroupTransfer
// does both at once.
func (c *Client) GroupRole(ctx context.Context, room, who, role string) (Member, error) {
	to, err := parseRole(role)
	if err != nil {
		return Member{}, err
	}
	return c.setRoles(ctx, room, who, func(roster.Role) (theirs, mine roster.Role, err error) { return to, 0, nil })
}

// GroupTransfer makes a member owner in one's own place; one stays as an admin.
func (c *Client) GroupTransfer(ctx context.Context, room, who string) (Member, error) {
	return c.setRoles(ctx, room, who, func(mine roster.Role) (roster.Role, roster.Role, error) {
		if mine != roster.RoleOwner {
			return 0, 0, errRole
		}
		return roster.RoleOwner, roster.RoleAdmin, nil
	})
}

// setRoles changes the role of a member, and our own with it if choose says so:
// 0 leaves it. It is judged here before anything is planned, so that the answer
// says why.
func (c *Client) setRoles(ctx context.Context, room, who string, choose func(mine roster.Role) (theirs, ours roster.Role, err error)) (Member, error) {
	id, err := c.roomByText(ctx, room)
	if err != nil {
		return Member{}, err
	}
	p, err := c.find(ctx, who)
	if err != nil {
		return Member{}, err
	}
	var changes []roleChange
	err = c.look(ctx, func(s *step) error {
		_, ro, me, err := s.inGroup(id)
		if err != nil {
			return err
		}
		was, mine := roleOf(ro, p.Account), roleOf(ro, me.ID)
		if was == 0 {
			return errNotMember
		}
		to, own, err := choose(mine)
		if err != nil {
			return err
		}
		if p.Account == me.ID && own != 0 {
			return errYou
		}
		if to != was {
			changes = append(changes, roleChange{Account: p.Account, Role: uint8(to)})
		}
		if own != 0 && own != mine {
			changes = append(changes, roleChange{Account: me.ID, Role: uint8(own)})
		}
		stepsDown := p.Account == me.ID && to < mine
		if len(changes) > 0 && mine != roster.RoleOwner && !stepsDown {
			return errRole
		}
		if stepsDown && mine == roster.RoleOwner && owners(ro) == 1 {
			return wire.Errorf(wire.Denied, "a group needs an owner, and you are the only one").
				WithNext("hand it over first with: hearth group transfer")
		}
		return nil
	})
	if err != nil {
		return Member{}, err
	}
	if len(changes) > 0 {
		if err := c.change(ctx, id, plan{Roles: changes}); err != nil {
			return Member{}, err
		}
	}
	var out Member
	err = c.look(context.WithoutCancel(ctx), func(s *step) error {
		cv, err := s.conv(id)
		if err != nil || cv == nil {
			return err
		}
		list, err := s.describe(cv)
		for _, m := range list.Members {
			if m.Account == p.Account.String() {
				out = m
			}
		}
		return err
	})
	return out, err
}

// errNotMember says that a person who was named is not in the group.
var errNotMember = &wire.Error{Code: wire.NotFound, Message: "that person is not in the group", Next: "see who is with: hearth rooms"}

func owners(ro *roster.Roster) (n int) {
	for _, m := range ro.State().Members {
		if m.Role == roster.RoleOwner {
			n++
		}
	}
	return n
}

// parseRole reads a role as people type it.
func parseRole(text string) (roster.Role, error) {
	for _, r := range []roster.Role{roster.RoleMember, roster.RoleAdmin, roster.RoleOwner} {
		if r.String() == text {
			return r, nil
		}
	}
	return 0, wire.Errorf(wire.BadInput, "a role is owner, admin or member")
}
