package rpc

import (
	"context"

	"hearth/core"
)

// GroupRoleParams are those of group.role.
type GroupRoleParams struct {
	Room string `json:"room"`
	Who  string `json:"who"`
	Role string `json:"role"` // owner, admin or member
}

func groupRole(ctx context.Context, c Core, p GroupRoleParams) (core.Member, error) {
	if err := need("role", p.Role); err != nil {
		return core.Member{}, err
	}
	return memberOf(ctx, c, GroupMemberParams{p.Room, p.Who}, func(ctx context.Context, room, who string) (core.Member, error) {
		return c.GroupRole(ctx, room, who, p.Role)
	})
}

// GroupMemberParams are those of a method about one member of a group.
type GroupMemberParams struct {
	Room string `json:"room"`
	Who  string `json:"who"`
}

func groupTransfer(ctx context.Context, c Core, p GroupMemberParams) (core.Member, error) {
	return memberOf(ctx, c, p, c.GroupTransfer)
}

func memberOf(ctx context.Context, c Core, p GroupMemberParams, f func(ctx context.Context, room, who string) (core.Member, error)) (core.Member, error) {
	if err := need("room", p.Room); err != nil {
		return core.Member{}, err
	}
	if err := need("who", p.Who); err != nil {
		return core.Member{}, err
	}
	if err := fresh(ctx, c); err != nil {
		return core.Member{}, err
	}
	return f(ctx, p.Room, p.Who)
}

// GroupLinkParams are those of group.link.
type GroupLinkParams struct {
	Room    string `json:"room"`
	Uses    int    `json:"uses,omitempty"`    // 0: no limit
	Expire  string `json:"expire,omitempty"`  // a time span such as 7d; absent: no end
	Approve bool   `json:"approve,omitempty"` // who follows it waits for a word
}

func groupLink(ctx context.Context, c Core, p GroupLinkParams) (core.Invitation, error) {
	if err := need("room", p.Room); err != nil {
		return core.Invitation{}, err
	}
	expire, err := optionalSpan("expire", p.Expire)
	if err != nil {
		return core.Invitation{}, err
	}
	if p.Uses < 0 {
		return core.Invitation{}, invalidParams("uses can't be less than 0")
	}
	if err := fresh(ctx, c); err != nil {
		return core.Invitation{}, err
	}
	return c.GroupLink(ctx, p.Room, core.GroupLinkOptions{Uses: p.Uses, Expire: expire, Approve: p.Approve})
}

// GroupJoinParams are those of group.join.
type GroupJoinParams struct {
	Link string `json:"link"`
	Text string `json:"text,omitempty"` // for whoever decides
}

func groupJoin(ctx context.Context, c Core, p GroupJoinParams) (core.Joined, error) {
	if err := need("link", p.Link); err != nil {
		return core.Joined{}, err
	}
	return c.GroupJoin(ctx, p.Link, p.Text)
}
