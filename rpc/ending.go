package rpc

import (
	"context"

	"hearth/core"
)

// AccountDeleteParams are those of account.delete.
type AccountDeleteParams struct {
	Confirm string `json:"confirm"` // the account's own handle or id
}

func accountDelete(ctx context.Context, c Core, p AccountDeleteParams) (core.Deleted, error) {
	if err := need("confirm", p.Confirm); err != nil {
		return core.Deleted{}, err
	}
	fresh(ctx, c) // rooms that were joined elsewhere are left, too
	return c.AccountDelete(ctx, p.Confirm)
}
