package rpc

import (
	"context"

	"hearth/core"
)

// GroupMoveParams are those of group.move.
type GroupMoveParams struct {
	Room   string `json:"room"`
	Server string `json:"server"`
}

func groupMove(ctx context.Context, c Core, p GroupMoveParams) (core.Moved, error) {
	if err := need("room", p.Room); err != nil {
		return core.Moved{}, err
	}
	if err := need("server", p.Server); err != nil {
		return core.Moved{}, err
	}
	if err := fresh(ctx, c); err != nil {
		return core.Moved{}, err
	}
	return c.GroupMove(ctx, p.Room, p.Server)
}
