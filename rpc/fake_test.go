package rpc

import (
	"context"
	"errors"
	"sync"
	"time"

	"hearth/core"
	"hearth/wire"
)

// fake is a Core whose answers are simple and whose calls are counted.
type fake struct {
	Core // what a test doesn't say panics

	mu       sync.Mutex
	saveAs   core.SaveOptions
	sent     []core.SendOptions
	groupAs  core.GroupSettings
	restored []core.RestoreOptions
	invites  []time.Duration

	settling time.Duration // how long what was done takes to be sent

	offline bool          // CatchUp fails
	hold    chan struct{} // Send waits for it, if not nil

	history []core.Event
	events  []core.Event // what Receive gives out
	given   int          // how many were given out for good
	live    chan core.Event
}

func (f *fake) History(context.Context, string, int) ([]core.Event, error) { return f.history, nil }

func (f *fake) Whoami() (core.Identity, error) {
	return core.Identity{Account: "acc", Device: "dev", Server: "http://x"}, nil
}

func (f *fake) CatchUp(ctx context.Context) error {
	if f.offline {
		return wire.Errorf(wire.Unreachable, "no connection")
	}
	return ctx.Err()
}

// Begin: to settle takes as long as f.settling says.
func (f *fake) Begin() func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(f.settling):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fake) Send(ctx context.Context, o core.SendOptions) (core.Sent, error) {
	f.mu.Lock()
	f.sent = append(f.sent, o)
	f.mu.Unlock()
	if o.Text == "boom" {
		return core.Sent{}, errors.New("something odd")
	}
	if o.To == "nobody" {
		return core.Sent{}, wire.Errorf(wire.NotFound, "nobody is called that").WithNext("check the name")
	}
	state := core.StateSent
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			state = core.StateQueued
		}
	}
	return core.Sent{Room: "room", ID: "id-" + o.Text, State: state}, nil
}

func (f *fake) Thumbnail(context.Context, string, string) (core.Thumbnail, error) {
	return core.Thumbnail{}, nil
}

func (f *fake) SaveFile(_ context.Context, o core.SaveOptions) (core.Saved, error) {
	f.saveAs = o
	return core.Saved{}, nil
}

func (f *fake) Search(context.Context, core.SearchOptions) ([]core.Event, error) { return nil, nil }

func (f *fake) Forward(context.Context, core.ForwardOptions) (core.Sent, error) {
	return core.Sent{}, nil
}

func (f *fake) Amend(_ context.Context, o core.AmendOptions) (core.Sent, error) {
	return core.Sent{Room: o.Room, ID: "amend-" + o.ID, State: core.StateSent}, nil
}

func (f *fake) Requests(context.Context) ([]core.Request, error) { return nil, nil }

func (f *fake) Invite(_ context.Context, uses int, expire time.Duration) (core.Invitation, error) {
	f.invites = append(f.invites, expire)
	return core.Invitation{Link: "l", Uses: uses}, nil
}

func (f *fake) GroupSet(_ context.Context, room string, s core.GroupSettings) (core.Settings, error) {
	f.groupAs = s
	return core.Settings{Room: room}, nil
}

func (f *fake) BackupCreate(_ context.Context, o core.BackupOptions) (core.Backup, error) {
	return core.Backup{To: o.To}, nil
}

func (f *fake) BackupVerify(_ context.Context, o core.RestoreOptions) (core.Restored, error) {
	f.restored = append(f.restored, o)
	return core.Restored{}, nil
}

func (f *fake) BackupRestore(_ context.Context, o core.RestoreOptions) (core.Restored, error) {
	f.restored = append(f.restored, o)
	return core.Restored{}, nil
}

func (f *fake) Export(_ context.Context, folder string) (core.Exported, error) {
	return core.Exported{To: folder}, nil
}

func (f *fake) AccountDelete(context.Context, string) (core.Deleted, error) {
	return core.Deleted{}, nil
}

// Receive gives out what was not given out, then what comes on live.
func (f *fake) Receive(ctx context.Context, fn func(core.Event) error) error {
	for {
		f.mu.Lock()
		more := f.given < len(f.events)
		var e core.Event
		if more {
			e = f.events[f.given]
		}
		f.mu.Unlock()
		if !more {
			select {
			case e := <-f.live:
				f.mu.Lock()
				f.events = append(f.events, e)
				f.mu.Unlock()
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err := fn(e); err != nil {
			return err
		}
		f.mu.Lock()
		f.given++
		f.mu.Unlock()
	}
}
