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
}

func settings(ctx context.Context, c Core, p SettingsParams) (core.HomeSettings, error) {
	return c.Configure(ctx, core.SettingsChange{Receipts: p.Receipts})
}
