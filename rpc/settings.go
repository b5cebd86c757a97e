package rpc

import (
	"context"

	"hearth/core"
)

// SettingsParams are those of settings; what is absent stays.
type SettingsParams struct {
	// Receipts tells others what has come and what was read, and shows what they
	// tell.
	Receipts *bool `json:"receipts,omitempty"`
	// Retention is the timer of the conversations that this account begins: 1d, 7d,
	// 30d, 1y or keep.
	Retention *string `json:"retention,omitempty"`
}

func settings(ctx context.Context, c Core, p SettingsParams) (core.AccountSettings, error) {
	fresh(ctx, c) // if it can be: another device may have changed them
	return c.Configure(ctx, core.SettingsChange{Receipts: p.Receipts, Retention: p.Retention})
}
