package core

import (
	"context"
	"net/url"
	"strings"

	"hearth/core/lane"
	"hearth/core/letter"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// Finding people: by handle, bare name, account id or link. A server's
// directory only ever introduces somebody: once an account is known under a
// handle, no answer of a server puts another one in its place.

func handleName(handle string) string { return vault.Name("handle", b64([]byte(handle))) }

// errNobody is the answer for people who cannot be found.
var errNobody = &wire.Error{Code: wire.NotFound, Message: "nobody is known by that name",
	Next: "check the handle, or ask for an invitation link"}

// errTheyDeleted is the answer for people who have deleted their account.
var errTheyDeleted = &wire.Error{Code: wire.NotFound, Message: "that account was deleted"}

// find returns the account that a person named, and learns where to reach it.
func (c *Client) find(ctx context.Context, text string) (*person, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, wire.Errorf(wire.BadInput, "a person is missing")
	case letter.IsLink(text):
		return c.findByLink(ctx, text)
	case strings.Contains(text, "@"):
		h, err := identity.ParseHandle(text)
		if err != nil {
			return nil, wire.Errorf(wire.BadInput, "that is not a handle: %w", err)
		}
		return c.findByHandle(ctx, h)
	}
	if id, err := wire.ParseAccountID(text); err == nil {
		return c.findByAccount(ctx, id)
	}
	name, err := identity.ParseName(text)
	if err != nil {
		return nil, wire.Errorf(wire.BadInput, "that is not a person's handle, account or link: %w", err)
	}
	me, err := c.self(ctx)
	if err != nil {
		return nil, err
	}
	return c.findByHandle(ctx, identity.Handle{Name: name, Domain: me.Domain})
}

// self returns the account, which must be registered.
func (c *Client) self(ctx context.Context) (me *account, err error) {
	err = c.look(ctx, func(s *step) error {
		me, err = s.me()
		return err
	})
	return me, err
}

func (c *Client) findByHandle(ctx context.Context, h identity.Handle) (*person, error) {
	me, err := c.self(ctx)
	if err != nil {
		return nil, err
	}
	known, err := c.known(ctx, h.String())
	if err != nil || known != nil && len(known.Doors)+len(known.Knocks) > 0 {
		return known, err
	}
	if h.String() == me.Handle() {
		return &person{Account: me.ID, Handle: me.Handle(), Chain: me.Chain}, nil
	}
	return c.lookUp(ctx, serverOf(me, h.Domain), h.Domain, wire.AccountGet{Name: h.Name})
}

// known returns the person that a handle led to before; nil if it never did.
func (c *Client) known(ctx context.Context, handle string) (p *person, err error) {
	err = c.look(ctx, func(s *step) error {
		var id wire.AccountID
		ok, err := s.get(handleName(handle), &id)
		if err != nil || !ok {
			return err
		}
		p, err = s.person(id)
		return err
	})
	return p, err
}

func (c *Client) findByAccount(ctx context.Context, id wire.AccountID) (*person, error) {
	me, err := c.self(ctx)
	if err != nil {
		return nil, err
	}
	if id == me.ID {
		return &person{Account: me.ID, Handle: me.Handle(), Chain: me.Chain}, nil
	}
	var p *person
	if err := c.look(ctx, func(s *step) (err error) {
		p, err = s.person(id)
		return err
	}); err != nil {
		return nil, err
	}
	if len(p.Chain) > 0 {
		return p, nil
	}
	p, err = c.lookUp(ctx, me.Server, me.Domain, wire.AccountGet{Account: &id})
	if err == nil && p.Account != id {
		return nil, errNobody
	}
	return p, err
}

// lookUp asks a directory and keeps what it says, once it is proven.
func (c *Client) lookUp(ctx context.Context, server, domain string, get wire.AccountGet) (*person, error) {
	var rec wire.AccountRecord
	if err := c.net.To(server, lane.Accounts).Do(ctx, wire.OpAccountGet, get, &rec); err != nil {
		if code(err) == wire.NotFound {
			return nil, errNobody
		}
		return nil, err
	}
	chain, err := identity.Verify(rec.Chain)
	if err != nil || get.Name != "" && rec.Name != get.Name || get.Account != nil && chain.Account() != *get.Account {
		return nil, wire.Errorf(wire.Denied, "the server's answer about that person does not hold").
			WithNext("ask the person for a link")
	}
	if chain.Closed() {
		return nil, errTheyDeleted
	}
	name, err := identity.ParseName(rec.Name)
	if err != nil || name != rec.Name {
		return nil, errNobody
	}
	var knocks []address
	for _, k := range rec.Knocks[:min(len(rec.Knocks), identity.MaxDevices)] {
		knocks = append(knocks, address{Server: server, ID: k.Door, Key: k.Key, Sealing: k.Sealing})
	}
	var p *person
	err = c.step(ctx, func(s *step) (err error) {
		if p, err = s.person(chain.Account()); err != nil {
			return err
		}
		ok, err := s.learnChain(p, chain)
		if err != nil {
			return err
		}
		if !ok {
			return wire.Errorf(wire.Denied, "two device lists of that person contradict each other").
				WithNext("compare safety numbers with the person before you write")
		}
		handle := identity.Handle{Name: name, Domain: domain}.String()
		var pinned wire.AccountID
		known, err := s.get(handleName(handle), &pinned)
		if err != nil {
			return err
		}
		if known && pinned != p.Account {
			if get.Name != "" {
				return wire.Errorf(wire.Denied, "that handle belongs to another account than before").
					WithNext("ask the person for a link, or compare safety numbers")
			}
			s.putPerson(p) // without the name: it is somebody else's here
			return nil
		}
		if err := s.proveName(handle, p.Account); err != nil {
			return err
		}
		p.Handle, p.Knocks = handle, knocks
		s.putPerson(p)
		s.put(handleName(handle), p.Account)
		p.shown = true
		return nil
	})
	return p, err
}

// serverOf returns the URL of the server behind a domain.
func serverOf(me *account, domain string) string {
	if domain == me.Domain {
		return me.Server
	}
	host := domain
	if u, err := url.Parse("//" + domain); err == nil {
		host = u.Hostname()
	}
	if host == "localhost" || host == "127.0.0.1" || host == "::1" {
		return "http://" + domain
	}
	return "https://" + domain
}

// domainOf returns the domain that a server's URL stands for.
func domainOf(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	return u.Host
}
