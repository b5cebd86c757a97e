package rpc

import (
	"context"

	"hearth/core"
)

func requests(ctx context.Context, c Core, _ None) (List[core.Request], error) {
	return list(ctx, c, c.Requests)
}

// IDParams are those of a method about one request.
type IDParams struct {
	ID string `json:"id"`
}

func accept(ctx context.Context, c Core, p IDParams) (core.Answered, error) {
	return answer(ctx, c, p, c.Accept)
}

func decline(ctx context.Context, c Core, p IDParams) (core.Answered, error) {
	return answer(ctx, c, p, c.Decline)
}

func answer(ctx context.Context, c Core, p IDParams, f func(context.Context, string) (core.Answered, error)) (core.Answered, error) {
	if err := need("id", p.ID); err != nil {
		return core.Answered{}, err
	}
	if err := fresh(ctx, c); err != nil {
		return core.Answered{}, err
	}
	return f(ctx, p.ID)
}

func block(ctx context.Context, c Core, p WhoParams) (core.Blocking, error) {
	if err := need("who", p.Who); err != nil {
		return core.Blocking{}, err
	}
	return c.Block(ctx, p.Who)
}

func unblock(ctx context.Context, c Core, p WhoParams) (core.Blocking, error) {
	if err := need("who", p.Who); err != nil {
		return core.Blocking{}, err
	}
	return c.Unblock(ctx, p.Who)
}
