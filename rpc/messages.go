package rpc

import (
	"cmp"
	"context"
	"time"

	"hearth/core"
)

// SendParams are those of send.
type SendParams struct {
	To     string `json:"to"` // handle, bare name, account id, link or room
	Text   string `json:"text"`
	Expire string `json:"expire,omitempty"` // a time span such as 30s
	// FromReading lets expire begin when somebody reads the message.
	FromReading bool   `json:"from_reading,omitempty"`
	Reply       string `json:"reply,omitempty"` // the id of the message that this one answers
	// Format reads *bold*, _italic_, ~struck out~, `code`, > quotes and @mentions.
	Format bool   `json:"format,omitempty"`
	Wait   string `json:"wait,omitempty"` // how long to wait until it is sent; absent: SendWait
	// File is the name of a file, in full, that goes along; then text may be absent,
	// and wait begins when the file was read.
	File string `json:"file,omitempty"`
	// Once: the file is gone when it was opened. Seconds is how long a recording is,
	// Voice that it was spoken for this message.
	Once    bool    `json:"once,omitempty"`
	AsIs    bool    `json:"as_is,omitempty"` // a picture goes with all that is hidden in it
	Seconds float64 `json:"seconds,omitempty"`
	Voice   bool    `json:"voice,omitempty"`
}

func send(ctx context.Context, c Core, p SendParams) (core.Sent, error) {
	if err := need("to", p.To); err != nil {
		return core.Sent{}, err
	}
	if err := need("text", p.Text); err != nil && p.File == "" {
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
	o := core.SendOptions{To: p.To, Text: p.Text, Expire: expire, FromReading: p.FromReading, Reply: p.Reply, Format: p.Format}
	if p.File != "" {
		o.File, o.Wait = p.File, wait
		o.Once, o.Voice, o.AsIs, o.Lasts = p.Once, p.Voice, p.AsIs, time.Duration(p.Seconds*float64(time.Second))
	} else {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	return c.Send(ctx, o)
}

// EditParams are those of edit: a text that takes the place of an own message's.
type EditParams struct {
	Room string `json:"room"`
	ID   string `json:"id"` // the message's
	Text string `json:"text"`
	// Format is as in send.
	Format bool `json:"format,omitempty"`
}

func edit(ctx context.Context, c Core, p EditParams) (core.Sent, error) {
	if err := cmp.Or(need("room", p.Room), need("id", p.ID), need("text", p.Text)); err != nil {
		return core.Sent{}, err
	}
	return c.Amend(ctx, core.AmendOptions{Room: p.Room, ID: p.ID, Text: p.Text, Format: p.Format})
}

// DeleteParams are those of delete: an own message goes, everywhere.
type DeleteParams struct {
	Room string `json:"room"`
	ID   string `json:"id"` // the message's
}

func remove(ctx context.Context, c Core, p DeleteParams) (core.Sent, error) {
	if err := cmp.Or(need("room", p.Room), need("id", p.ID)); err != nil {
		return core.Sent{}, err
	}
	return c.Amend(ctx, core.AmendOptions{Room: p.Room, ID: p.ID, Delete: true})
}

// ReactParams are those of react.
type ReactParams struct {
	Room     string `json:"room"`
	ID       string `json:"id"`       // the message's
	Reaction string `json:"reaction"` // one emoji, or a short word
	Remove   bool   `json:"remove,omitempty"`
}

func react(ctx context.Context, c Core, p ReactParams) (core.Sent, error) {
	if err := cmp.Or(need("room", p.Room), need("id", p.ID), need("reaction", p.Reaction)); err != nil {
		return core.Sent{}, err
	}
	return c.Amend(ctx, core.AmendOptions{Room: p.Room, ID: p.ID, React: p.Reaction, TakeBack: p.Remove})
}

// ForwardParams are those of forward.
type ForwardParams struct {
	Room string `json:"room"`
	ID   string `json:"id"` // the message's
	To   string `json:"to"` // handle, bare name, account id, link or room
}

func forward(ctx context.Context, c Core, p ForwardParams) (core.Sent, error) {
	if err := cmp.Or(need("room", p.Room), need("id", p.ID), need("to", p.To)); err != nil {
		return core.Sent{}, err
	}
	return c.Forward(ctx, core.ForwardOptions{Room: p.Room, ID: p.ID, To: p.To})
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

// TypingParams are those of typing: the person is writing something, or has
// stopped. To be said again every few seconds while it is so.
type TypingParams struct {
	Room    string `json:"room"`
	Stopped bool   `json:"stopped,omitempty"`
}

// typingWait is how long a home may take to be up to date: what is said later is not
// true any more.
const typingWait = 2 * time.Second

func typing(ctx context.Context, c Core, p TypingParams) (core.Told, error) {
	if err := need("room", p.Room); err != nil {
		return core.Told{}, err
	}
	soon, cancel := context.WithTimeout(ctx, typingWait)
	defer cancel()
	fresh(soon, c) // who has just opened the home is not there yet
	return c.Typing(ctx, p.Room, p.Stopped)
}

// DetailsParams are those of details: what is known of one message.
type DetailsParams struct {
	Room string `json:"room"`
	ID   string `json:"id"` // the message's
}

func details(ctx context.Context, c Core, p DetailsParams) (core.Details, error) {
	if err := cmp.Or(need("room", p.Room), need("id", p.ID)); err != nil {
		return core.Details{}, err
	}
	fresh(ctx, c) // if it can be
	return c.Details(ctx, p.Room, p.ID)
}

// SearchParams are those of search.
type SearchParams struct {
	Words string `json:"words"`
	Room  string `json:"room,omitempty"`  // absent: everywhere
	Limit int    `json:"limit,omitempty"` // 0: 50
}

func search(ctx context.Context, c Core, p SearchParams) (List[core.Event], error) {
	if err := need("words", p.Words); err != nil {
		return List[core.Event]{}, err
	}
	if p.Limit < 0 {
		return List[core.Event]{}, invalidParams("limit can't be less than 0")
	}
	return list(ctx, c, func(ctx context.Context) ([]core.Event, error) {
		return c.Search(ctx, core.SearchOptions{Words: p.Words, Room: p.Room, Limit: p.Limit})
	})
}
