package rpc

import (
	"cmp"
	"context"

	"hearth/core"
)

// Messages that hold something else than a text or a file.

// PollParams are those of poll.
type PollParams struct {
	To       string   `json:"to"` // handle, bare name, account id, link or room
	Question string   `json:"question"`
	Options  []string `json:"options"`
	Multi    bool     `json:"multi,omitempty"`  // one person may choose several
	Expire   string   `json:"expire,omitempty"` // a time span such as 7d
}

func poll(ctx context.Context, c Core, p PollParams) (core.Sent, error) {
	if err := cmp.Or(need("to", p.To), need("question", p.Question)); err != nil {
		return core.Sent{}, err
	}
	expire, err := optionalSpan("expire", p.Expire)
	if err != nil {
		return core.Sent{}, err
	}
	return c.Send(ctx, core.SendOptions{To: p.To, Expire: expire, Poll: &core.NewPoll{Question: p.Question, Options: p.Options, Multi: p.Multi}})
}

// VoteParams are those of vote.
type VoteParams struct {
	Room string `json:"room"`
	ID   string `json:"id"` // the poll's
	// Choices are the numbers of options, from 1; none takes the vote back.
	Choices []int `json:"choices,omitempty"`
	Close   bool  `json:"close,omitempty"` // ends one's own poll instead
}

func vote(ctx context.Context, c Core, p VoteParams) (core.Sent, error) {
	if err := cmp.Or(need("room", p.Room), need("id", p.ID)); err != nil {
		return core.Sent{}, err
	}
	return c.Vote(ctx, core.VoteOptions{Room: p.Room, ID: p.ID, Choices: p.Choices, Close: p.Close})
}

// PlaceParams are those of place.
type PlaceParams struct {
	To       string  `json:"to"`  // handle, bare name, account id, link or room
	Lat      float64 `json:"lat"` // degrees north
	Lon      float64 `json:"lon"` // degrees east
	Accuracy uint32  `json:"accuracy,omitempty"`
	Label    string  `json:"label,omitempty"`
	Expire   string  `json:"expire,omitempty"` // a time span such as 1h
}

func place(ctx context.Context, c Core, p PlaceParams) (core.Sent, error) {
	if err := need("to", p.To); err != nil {
		return core.Sent{}, err
	}
	expire, err := optionalSpan("expire", p.Expire)
	if err != nil {
		return core.Sent{}, err
	}
	return c.Send(ctx, core.SendOptions{To: p.To, Expire: expire, Place: &core.NewPlace{Lat: p.Lat, Lon: p.Lon, Accuracy: p.Accuracy, Label: p.Label}})
}

// ContactShareParams are those of contact.share.
type ContactShareParams struct {
	To   string `json:"to"`             // handle, bare name, account id, link or room
	Who  string `json:"who,omitempty"`  // absent: this account, with a new link
	Link string `json:"link,omitempty"` // an invitation link that who has given for this
	Name string `json:"name,omitempty"` // what they are called; absent: the handle
}

func contactShare(ctx context.Context, c Core, p ContactShareParams) (core.Sent, error) {
	if err := need("to", p.To); err != nil {
		return core.Sent{}, err
	}
	return c.Introduce(ctx, core.IntroduceOptions{SendOptions: core.SendOptions{To: p.To}, Who: p.Who, Link: p.Link, Name: p.Name})
}
