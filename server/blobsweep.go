package server

import (
	"context"
	"sync"
	"time"

	"hearth/wire"
)

// blobWake lets the sweep look at the first end again.
func (s *Server) blobWake() {
	select {
	case s.blobAdded <- struct{}{}:
	default:
	}
}

// sweepBlobs removes blobs and unfinished uploads on time, until ctx ends.
func (s *Server) sweepBlobs(ctx context.Context) {
	for {
		wait := time.Hour // uploads are looked at this often
		if first, err := s.rooms.Load().FirstBlobEnd(ctx); err == nil && first > 0 {
			wait = max(time.Second, min(wait, time.Unix(first, 0).Sub(s.cfg.Now())))
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-s.blobAdded:
			t.Stop()
			continue
		case <-t.C:
		}
		if err := s.dropBlobs(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("expired blobs could not be deleted", "err", err)
		}
	}
}

// blobGateAll is all of Server.blobGate: who finishes a blob takes one, the sweep
// all, so that a blob put again as it ends keeps its file.
const blobGateAll = 1 << 20

func (s *Server) dropBlobs(ctx context.Context) error {
	if err := s.blobGate.Acquire(ctx, blobGateAll); err != nil {
		return err
	}
	defer s.blobGate.Release(blobGateAll)
	rooms := s.rooms.Load()
	for {
		ids, err := rooms.ExpiredBlobs(ctx)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			break
		}
		for _, id := range ids {
			if err := s.blobs.Remove(ctx, id); err != nil {
				return err
			}
		}
		if err := rooms.ForgetBlobs(ctx, ids); err != nil {
			return err
		}
	}
	if _, err := s.blobs.Uploads(ctx); err != nil {
		return err
	}
	total, err := rooms.BlobBytes(ctx)
	if err == nil {
		s.blobTotal.Store(total)
	}
	return err
}

// dayBytes counts bytes by room, in memory only: a restart begins anew.
type dayBytes struct {
	mu   sync.Mutex
	used map[wire.RoomID]int64
	ends time.Time
}

// lock begins a new day if one is over.
func (d *dayBytes) lock(now time.Time) {
	d.mu.Lock()
	if d.used == nil || !now.Before(d.ends) {
		d.used, d.ends = map[wire.RoomID]int64{}, now.Add(24*time.Hour)
	}
}

func (d *dayBytes) left(room wire.RoomID, limit int64, now time.Time) int64 {
	d.lock(now)
	defer d.mu.Unlock()
	return limit - d.used[room]
}

func (d *dayBytes) take(room wire.RoomID, n int64, now time.Time) {
	d.lock(now)
	defer d.mu.Unlock()
	d.used[room] += n
}
