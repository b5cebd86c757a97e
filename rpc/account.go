package rpc

import (
	"context"
	"time"

	"hearth/core"
)

// RegisterParams are those of register.
type RegisterParams struct {
	Name   string `json:"name,omitempty"`
	Server string `json:"server"`           // a URL
	Invite string `json:"invite,omitempty"` // the operator's invitation
}

func register(ctx context.Context, c Core, p RegisterParams) (core.Registered, error) {
	if err := need("server", p.Server); err != nil {
		return core.Registered{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, registerWait)
	defer cancel()
	return c.Register(ctx, core.RegisterOptions{Name: p.Name, Server: p.Server, Invite: p.Invite})
}

// registerWait bounds register: nothing of it can go on by itself.
const registerWait = 30 * time.Second

// InviteParams are those of invite.
type InviteParams struct {
	Uses   int    `json:"uses,omitempty"`   // 0: no limit
	Expire string `json:"expire,omitempty"` // a time span such as 7d; absent: no end
}

func invite(ctx context.Context, c Core, p InviteParams) (core.Invitation, error) {
	expire, err := optionalSpan("expire", p.Expire)
	if err != nil {
		return core.Invitation{}, err
	}
	if p.Uses < 0 {
		return core.Invitation{}, invalidParams("uses can't be less than 0")
	}
	return c.Invite(ctx, p.Uses, expire)
}

// LinkParams are those of a method about one link.
type LinkParams struct {
	Link string `json:"link"`
}

func inviteRevoke(ctx context.Context, c Core, p LinkParams) (core.Invitation, error) {
	if err := need("link", p.Link); err != nil {
		return core.Invitation{}, err
	}
	return c.Revoke(ctx, p.Link)
}

// ContactAddParams are those of contact.add.
type ContactAddParams struct {
	Link string `json:"link"`
}

func contactAdd(ctx context.Context, c Core, p ContactAddParams) (core.Contact, error) {
	if err := need("link", p.Link); err != nil {
		return core.Contact{}, err
	}
	return c.AddContact(ctx, p.Link)
}

// WhoParams are those of a method about one person: a handle, a bare name, an
// account id or a link.
type WhoParams struct {
	Who string `json:"who"`
}

func safety(ctx context.Context, c Core, p WhoParams) (core.Safety, error) {
	if err := need("who", p.Who); err != nil {
		return core.Safety{}, err
	}
	return c.Safety(ctx, p.Who)
}

// optionalSpan reads a time span that may be absent.
func optionalSpan(name, value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	d, err := ParseDuration(value)
	if err != nil {
		return 0, invalidParams(name + ": " + err.Error())
	}
	return d, nil
}
