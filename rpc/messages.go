package rpc

import (
	"context"

	"hearth/core"
)

// SendParams are those of send.
type SendParams struct {
	To     string `json:"to"` // handle, bare name, account id, link or room
	Text   string `json:"text"`
	Expire string `json:"expire,omitempty"` // a time span such as 30s
	Reply  string `json:"reply,omitempty"`  // the id of the message that this one answers
	Wait   string `json:"wait,omitempty"`   // how long to wait until it is sent; absent: SendWait
}

func send(ctx context.Context, c Core, p SendParams) (core.Sent, error) {
	if err := need("to", p.To); err != nil {
		return core.Sent{}, err
	}
	if err := need("text", p.Text); err != nil {
		return core.Sent{}, err
	}
	expire, err := optionalSpan("expire", p.Expire)
	if err != nil {
		return core.Sent{}, err
	}
	wait := SendWait
	if p.Wait != "" {
		if wait, err = optionalSpan("wait", p.Wait); err != nil {
			return core.Sent{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return c.Send(ctx, core.SendOptions{To: p.To, Text: p.Text, Expire: expire, Reply: p.Reply})
}

func catchUp(ctx context.Context, c Core, _ None) (None, error) { return None{}, fresh(ctx, c) }

// HistoryParams are those of history.
type HistoryParams struct {
	Room  string `json:"room"`
	Limit int    `json:"limit,omitempty"` // 0: all
}

func history(ctx context.Context, c Core, p HistoryParams) (List[core.Event], error) {
	if err := need("room", p.Room); err != nil {
		return List[core.Event]{}, err
	}
	if p.Limit < 0 {
		return List[core.Event]{}, invalidParams("limit can't be less than 0")
	}
	return list(ctx, c, func(ctx context.Context) ([]core.Event, error) { return c.History(ctx, p.Room, p.Limit) })
}
