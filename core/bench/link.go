package bench

import (
	"context"
	"errors"

	"hearth/core"
)

// Link is how long a person waits for a new device.
type Link struct {
	Line
	Messages int `json:"messages"`
	// UsableS is from the code on until a message that was said on the new device
	// is sent; WholeS, until all of the history is there.
	UsableS     float64 `json:"usable_s"`
	WholeS      float64 `json:"whole_s"`
	PerS        float64 `json:"per_s"`
	TimesLive   float64 `json:"times_live"`    // as fast as receiving the same live
	TimesDisk   float64 `json:"times_disk"`    // as fast as a durable commit for each message
	PeakHeapMiB float64 `json:"peak_heap_mib"` // of both devices together
	Lost        int     `json:"lost"`
}

// link links a device to one with a history.
func (r *run) link(ctx context.Context) (res result, err error) {
	alice, bob, room, err := r.pair(ctx)
	if err != nil {
		return res, err
	}
	was, err := r.live(ctx, alice, bob, room, r.Messages)
	if err != nil {
		return res, err
	}
	if err := alice.stop(); err != nil {
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
	phone, err := r.device(ctx, "phone")
	if err != nil {
		return res, err
	}
	l := &Link{Messages: r.Messages}
	held()
	peak := watchHeap()
	at := r.clock()
	if err := linkTo(ctx, bob, phone); err != nil {
		return res, err
	}
	used := make(chan error, 1)
	go func() {
		err := phone.use(ctx, room)
		l.UsableS = at.seconds()
		used <- err
	}()
	var s core.LinkStatus
	for s.State != core.LinkReady && err == nil {
		if s, err = phone.LinkProgress(ctx, s); err == nil {
			err = ctx.Err()
		}
	}
	l.WholeS = at.seconds()
	if err := errors.Join(err, <-used); err != nil {
		return res, err
	}
	l.Line, l.PeakHeapMiB = at.line("link"), peak()
	l.PerS = per(float64(l.Messages), l.WholeS)
	l.TimesLive, l.TimesDisk = per(was.Seconds, l.WholeS), per(written.Seconds, l.WholeS)
	has, err := phone.messages(ctx, room)
	l.Lost = max(0, had+1-has)
	return result{Lines{was, written, l}, l.WholeS}, err
}

// linkTo makes phone a device of old's account; the person says yes at once.
func linkTo(ctx context.Context, old, phone *device) error {
	code, err := old.LinkDevice(ctx)
	if err != nil {
		return err
	}
	if _, err := phone.LinkJoin(ctx, code.Code, "phone"); err != nil {
		return err
	}
	asked, err := old.LinkAsked(ctx)
	if err == nil {
		_, err = old.LinkConfirm(ctx, asked.ID)
	}
	return err
}

// use says something in a room as soon as it is there, and waits until it is
// sent.
func (d *device) use(ctx context.Context, room string) error {
	err := until(ctx, func() (bool, error) {
		r, err := d.room(ctx, room)
		if isNotThere(err) {
			return false, nil // not an account's device yet
		}
		return r.State == core.RoomOK, err
	})
	if err != nil {
		return err
	}
	return d.sayOne(ctx, room, 0)
}
