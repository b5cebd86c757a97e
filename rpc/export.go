package rpc

import (
	"context"

	"hearth/core"
)

// ExportParams are those of export.
type ExportParams struct {
	To string `json:"to"` // a folder that is there, in full
}

func export(ctx context.Context, c Core, p ExportParams) (core.Exported, error) {
	if err := need("to", p.To); err != nil {
		return core.Exported{}, err
	}
	fresh(ctx, c) // an old export is better than none
	return c.Export(ctx, p.To)
}
