package core

import (
	"context"
	"strings"

	"hearth/core/roster"
	"hearth/identity"
	"hearth/wire"
)

// A note to oneself is said in the self room, so that all devices of the account
// have it, and nobody else. An account with one device founds the room with its
// first note.

// ownName reports whether a text names this account's own person: by account id,
// handle, bare name, or the id of the conversation with oneself.
func (a *account) ownName(text string) bool {
	text = strings.TrimSpace(text)
	if id, ok := parseConv(text); ok && id == convID(roster.SelfID(a.ID)) {
		return true
	}
	if id, err := wire.ParseAccountID(text); err == nil {
		return id == a.ID
	}
	if a.Name == "" {
		return false
	}
	if strings.Contains(text, "@") {
		h, err := identity.ParseHandle(text)
		return err == nil && h.String() == a.Handle()
	}
	name, err := identity.ParseName(text)
	return err == nil && name == a.Name
}

// noteTo returns the conversation with oneself, and how to begin it, if a text
// names this account's own person.
func (c *Client) noteTo(ctx context.Context, text string) (id convID, begin beginning, ok bool, err error) {
	me, err := c.self(ctx)
	if err != nil || !me.ownName(text) {
		return id, nil, false, err
	}
	return convID(roster.SelfID(me.ID)), func(s *step) error { return s.foundSelf(false) }, true, nil
}
