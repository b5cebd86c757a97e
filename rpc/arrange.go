package rpc

import (
	"context"

	"hearth/core"
)

func contacts(ctx context.Context, c Core, _ None) (List[core.Contact], error) {
	return list(ctx, c, c.Contacts)
}

// ArrangeParams are those of arrange: what the person keeps to themselves of
// somebody or of a conversation; what is absent stays.
type ArrangeParams struct {
	To       string  `json:"to"`                 // handle, bare name, account id or room
	Nickname *string `json:"nickname,omitempty"` // empty: takes it back
	Muted    *bool   `json:"muted,omitempty"`
	Pinned   *bool   `json:"pinned,omitempty"`
	Archived *bool   `json:"archived,omitempty"`
	Notify   *string `json:"notify,omitempty"` // all, mentions or nothing
	// Retention is a timer for this account's devices alone; room: takes it back.
	Retention *string `json:"retention,omitempty"`
}

func arrange(ctx context.Context, c Core, p ArrangeParams) (core.Arranged, error) {
	if err := need("to", p.To); err != nil {
		return core.Arranged{}, err
	}
	fresh(ctx, c) // if it can be: another device may have changed it
	return c.Arrange(ctx, p.To, core.Arrangement{Nickname: p.Nickname, Muted: p.Muted, Pinned: p.Pinned, Archived: p.Archived, Notify: p.Notify, Retention: p.Retention})
}
