package rpc

import (
	"context"

	"hearth/core"
)

func rooms(ctx context.Context, c Core, _ None) (List[core.Room], error) {
	return list(ctx, c, c.Rooms)
}

// GroupNewParams are those of group.new.
type GroupNewParams struct {
	Name string   `json:"name"`
	Who  []string `json:"who"`
}

func groupNew(ctx context.Context, c Core, p GroupNewParams) (core.Group, error) {
	if err := need("name", p.Name); err != nil {
		return core.Group{}, err
	}
	if err := fresh(ctx, c); err != nil {
		return core.Group{}, err
	}
	return c.GroupNew(ctx, p.Name, p.Who)
}

// GroupChangeParams are those of group.add and group.remove.
type GroupChangeParams struct {
	Room string   `json:"room"`
	Who  []string `json:"who"`
}

func groupAdd(ctx context.Context, c Core, p GroupChangeParams) (core.Changed, error) {
	return change(ctx, c, p, c.GroupAdd)
}

func groupRemove(ctx context.Context, c Core, p GroupChangeParams) (core.Changed, error) {
	return change(ctx, c, p, c.GroupRemove)
}

func change(ctx context.Context, c Core, p GroupChangeParams, f func(context.Context, string, []string) (core.Changed, error)) (core.Changed, error) {
	if err := need("room", p.Room); err != nil {
		return core.Changed{}, err
	}
	if len(p.Who) == 0 {
		return core.Changed{}, invalidParams("who is missing")
	}
	if err := fresh(ctx, c); err != nil {
		return core.Changed{}, err
	}
	return f(ctx, p.Room, p.Who)
}

// RoomParams are those of a method about one room.
type RoomParams struct {
	Room string `json:"room"`
}

func groupLeave(ctx context.Context, c Core, p RoomParams) (core.Left, error) {
	if err := need("room", p.Room); err != nil {
		return core.Left{}, err
	}
	if err := fresh(ctx, c); err != nil {
		return core.Left{}, err
	}
	return c.GroupLeave(ctx, p.Room)
}

// GroupSetParams are those of group.set; what is absent stays.
type GroupSetParams struct {
	Room      string  `json:"room"`
	Retention *string `json:"retention,omitempty"` // 1d, 7d, 30d, 1y or keep
	Limit     *int    `json:"limit,omitempty"`     // the most members
	Name      *string `json:"name,omitempty"`
	Traced    *bool   `json:"traced,omitempty"` // posts show where they come from
}

func groupSet(ctx context.Context, c Core, p GroupSetParams) (core.Settings, error) {
	if err := need("room", p.Room); err != nil {
		return core.Settings{}, err
	}
	if p.Retention == nil && p.Limit == nil && p.Name == nil && p.Traced == nil {
		return core.Settings{}, invalidParams("nothing to change: give retention, limit, name or traced")
	}
	if err := fresh(ctx, c); err != nil {
		return core.Settings{}, err
	}
	return c.GroupSet(ctx, p.Room, core.GroupSettings{Retention: p.Retention, Limit: p.Limit, Name: p.Name, Traced: p.Traced})
}
