package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth/core"
	"hearth/wire"
)

// CatchUp is a device that was away and comes back.
type CatchUp struct {
	Line
	Messages int `json:"messages"` // that waited for it
	// UsableS is until the rooms and the last messages are shown, the first of
	// those that waited is there, and a message to somebody else is sent.
	UsableS float64 `json:"usable_s"`
	// CaughtUpS is until all that waited is kept; SentS, until a message to the
	// conversation in which it waited is sent.
	CaughtUpS   float64 `json:"caught_up_s"`
	SentS       float64 `json:"sent_s"`
	PerS        float64 `json:"per_s"`
	TimesLive   float64 `json:"times_live"` // as fast as receiving the same live
	TimesDisk   float64 `json:"times_disk"` // as fast as a durable commit for each
	PeakHeapMiB float64 `json:"peak_heap_mib"`
	// HeldMiB is what the heap holds afterwards, more than before the home was
	// opened.
	HeldMiB float64 `json:"held_mib"`
	Lost    int     `json:"lost"`
}

// Start is how long a home takes to open.
type Start struct {
	Line
	Rooms    int `json:"rooms"`
	Messages int `json:"messages"` // in its histories
	// ShownS is until the rooms are listed; LiveS, until every seat is read to
	// its end.
	ShownS  float64 `json:"shown_s"`
	LiveS   float64 `json:"live_s"`
	HeldMiB float64 `json:"held_mib"` // by the heap, more than before
}

// starts is how often a home is opened for one line: the median counts.
const starts = 5

func (r *run) catchUp(ctx context.Context) (res result, err error) {
	alice, bob, room, err := r.pair(ctx)
	if err != nil {
		return res, err
	}
	// Somebody else to write to.
	carol, err := r.person(ctx, "carol")
	if err != nil {
		return res, err
	}
	if _, err := bob.Send(ctx, core.SendOptions{To: "carol", Text: "Hello."}); err != nil {
		return res, err
	}
	if err := carol.stop(); err != nil {
		return res, err
	}
	small, err := bob.messages(ctx, room)
	if err != nil {
		return res, err
	}
	if err := bob.stop(); err != nil {
		return res, err
	}
	few, err := r.start(ctx, "bob", 2, small+1)
	if err != nil {
		return res, err
	}
	// As many are received live first, so that both begin alike.
	if bob, err = r.device(ctx, "bob"); err != nil {
		return res, err
	}
	was, err := r.live(ctx, alice, bob, room, r.Messages)
	if err != nil {
		return res, err
	}
	written, err := r.disk(ctx, bob.disk, r.Messages)
	if err != nil {
		return res, err
	}
	had, err := bob.messages(ctx, room)
	if err != nil {
		return res, err
	}
	if err := bob.stop(); err != nil {
		return res, err
	}
	if err := alice.say(ctx, room, r.Messages); err != nil {
		return res, err
	}
	if err := alice.stop(); err != nil {
		return res, err
	}
	back, err := r.comeBack(ctx, room, had)
	if err != nil {
		return res, err
	}
	back.TimesLive, back.TimesDisk = per(was.Seconds, back.CaughtUpS), per(written.Seconds, back.CaughtUpS)
	many, err := r.start(ctx, "bob", 2, had+r.Messages+1)
	if err != nil {
		return res, err
	}
	lines := Lines{was, written, few, many}
	for _, rooms := range []int{max(1, r.Rooms/10), r.Rooms} {
		s, err := r.startRooms(ctx, rooms)
		if err != nil {
			return res, err
		}
		lines = append(lines, s)
	}
	return result{append(lines, back), back.CaughtUpS}, nil
}

// comeBack opens a home for which messages wait.
func (r *run) comeBack(ctx context.Context, room string, had int) (*CatchUp, error) {
	c := &CatchUp{Messages: r.Messages}
	before := held()
	peak := watchHeap()
	at := r.clock()
	bob, err := r.device(ctx, "bob")
	if err != nil {
		return nil, err
	}
	others := make(chan error, 2)
	go func() { // to the conversation itself
		err := bob.sayOne(ctx, room, 1)
		c.SentS = at.seconds()
		others <- err
	}()
	go func() {
		if _, err := bob.Rooms(ctx); err != nil {
			others <- err
			return
		}
		if _, err := bob.History(ctx, room, 50); err != nil {
			others <- err
			return
		}
		s, err := bob.Send(ctx, core.SendOptions{To: "carol", Text: "I am back."})
		if err == nil && s.State != core.StateSent {
			err = errors.New("a message was not sent")
		}
		if err == nil {
			err = bob.heard(ctx, room, 1)
		}
		c.UsableS = at.seconds()
		others <- err
	}()
	if err := bob.CatchUp(ctx); err != nil {
		return nil, err
	}
	c.CaughtUpS = at.seconds()
	if err := errors.Join(<-others, <-others); err != nil {
		return nil, err
	}
	c.Line, c.PeakHeapMiB = at.line("catchup"), peak()
	c.HeldMiB = held() - before
	c.PerS = per(float64(c.Messages), c.CaughtUpS)
	has, err := bob.messages(ctx, room)
	c.Lost = max(0, had+r.Messages+1-has)
	return c, errors.Join(err, bob.stop())
}

// startRooms opens a home with so many rooms; it is made, or added to.
func (r *run) startRooms(ctx context.Context, rooms int) (*Start, error) {
	d, err := r.device(ctx, "dora")
	if err != nil {
		return nil, err
	}
	if _, err := d.Whoami(); isNotThere(err) {
		_, err = d.Register(ctx, core.RegisterOptions{Name: "dora", Server: r.server.URL})
		if err != nil {
			return nil, err
		}
	}
	list, err := d.Rooms(ctx)
	if err != nil {
		return nil, err
	}
	for i := len(list); i < rooms; i++ {
		if _, err := d.GroupNew(ctx, fmt.Sprint("group ", i), nil); err != nil {
			return nil, err
		}
	}
	if err := d.stop(); err != nil {
		return nil, err
	}
	return r.start(ctx, "dora", rooms, 0)
}

// start opens a home several times.
func (r *run) start(ctx context.Context, name string, rooms, messages int) (*Start, error) {
	s := &Start{Rooms: rooms, Messages: messages}
	at := r.clock()
	var shown, live []time.Duration
	for range starts {
		before := held()
		begun := time.Now()
		d, err := r.device(ctx, name)
		if err != nil {
			return nil, err
		}
		if _, err := d.Rooms(ctx); err != nil {
			return nil, err
		}
		shown = append(shown, time.Since(begun))
		if err := d.CatchUp(ctx); err != nil {
			return nil, err
		}
		live = append(live, time.Since(begun))
		s.HeldMiB = held() - before
		if err := d.stop(); err != nil {
			return nil, err
		}
	}
	s.Line = at.line("start") // of all of them
	s.ShownS, s.LiveS = quantile(shown, 0.5)/1000, quantile(live, 0.5)/1000
	return s, nil
}

// isNotThere reports whether a home has no account.
func isNotThere(err error) bool { return errors.Is(err, &wire.Error{Code: wire.NotFound}) }
