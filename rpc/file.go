package rpc

import (
	"cmp"
	"context"

	"hearth/core"
)

// SaveParams are those of save: the file that a message brings is written to a
// place, or under a name of its own into a folder; both in full.
type SaveParams struct {
	Room   string `json:"room"`
	ID     string `json:"id"` // the message's
	To     string `json:"to,omitempty"`
	Folder string `json:"folder,omitempty"`
}

// ThumbnailParams are those of thumbnail.
type ThumbnailParams struct {
	Room string `json:"room"`
	ID   string `json:"id"` // the message's
}

func thumbnail(ctx context.Context, c Core, p ThumbnailParams) (core.Thumbnail, error) {
	if err := cmp.Or(need("room", p.Room), need("id", p.ID)); err != nil {
		return core.Thumbnail{}, err
	}
	return c.Thumbnail(ctx, p.Room, p.ID)
}

func save(ctx context.Context, c Core, p SaveParams) (core.Saved, error) {
	if err := cmp.Or(need("room", p.Room), need("id", p.ID)); err != nil {
		return core.Saved{}, err
	}
	if (p.To == "") == (p.Folder == "") {
		return core.Saved{}, invalidParams("either to or folder is given")
	}
	return c.SaveFile(ctx, core.SaveOptions{Room: p.Room, ID: p.ID, To: p.To, Folder: p.Folder})
}
