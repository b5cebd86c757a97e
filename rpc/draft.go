package rpc

import (
	"context"

	"hearth/core"
)

// DraftParams are those of draft: a text that is not to be sent yet.
type DraftParams struct {
	To   string  `json:"to"`             // handle, bare name, account id or room
	Text *string `json:"text,omitempty"` // absent: it stays; empty: it goes
}

func draft(ctx context.Context, c Core, p DraftParams) (core.Draft, error) {
	if err := need("to", p.To); err != nil {
		return core.Draft{}, err
	}
	if p.Text == nil {
		fresh(ctx, c) // if it can be: another device may have changed it
	}
	return c.Draft(ctx, p.To, p.Text)
}
