package core

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"hearth/wire"
)

// memoryBlobs stands in for the blob store, which has tests of its own: one
// place for all servers, with ends.
type memoryBlobs struct {
	mu      sync.Mutex
	m       map[wire.BlobID]memoryBlob
	uploads map[wire.UploadID][]byte
	// slow, if not nil, says how long a Put for a room takes.
	slow func(wire.RoomID) time.Duration
	// fail, if not nil, is what every upload and download answers.
	fail   error
	opened int // how often a blob was asked for
	// cut, if not 0, is after how many bytes every transfer breaks off; moved counts
	// them.
	cut, moved int64
	most       int // if not 0, how many transfers are let through
}

type memoryBlob struct {
	b    []byte
	end  time.Time
	drop wire.SecretHash
}

func (b *memoryBlobs) Put(_ context.Context, _ string, room wire.RoomID, _ wire.Secret, ttl time.Duration, v []byte) (wire.BlobID, error) {
	if b.slow != nil {
		time.Sleep(b.slow(room))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	id := wire.BlobIDOf(room.Region(), v)
	b.m[id] = memoryBlob{b: bytes.Clone(v), end: time.Now().Add(ttl)}
	return id, nil
}

func (b *memoryBlobs) failing() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fail
}

func (b *memoryBlobs) cutting(r io.Reader) io.Reader {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cuttingLocked(r)
}

func (b *memoryBlobs) cuttingLocked(r io.Reader) io.Reader {
	left := b.cut
	if left == 0 {
		left = 1 << 40
	}
	if b.most == 1 {
		left = 0
	} else if b.most > 1 {
		b.most--
	}
	return &cutReader{b: b, r: r, left: left}
}

// cutReader breaks off.
type cutReader struct {
	b    *memoryBlobs
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (r *cutReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, wire.Errorf(wire.Unreachable, "it broke off")
	}
	n, err := r.r.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	atomic.AddInt64(&r.b.moved, int64(n))
	return n, err
}

func (b *memoryBlobs) live(id wire.BlobID) (memoryBlob, error) {
	v, ok := b.m[id]
	if !ok || !time.Now().Before(v.end) {
		return v, wire.ErrDenied
	}
	return v, nil
}

func (b *memoryBlobs) Get(_ context.Context, _ string, id wire.BlobID) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := b.live(id)
	return v.b, err
}

func (b *memoryBlobs) Upload(_ context.Context, _ string, u Upload, r io.Reader) (int64, error) {
	if err := b.failing(); err != nil {
		return 0, err
	}
	piece, err := io.ReadAll(b.cutting(r))
	b.mu.Lock()
	defer b.mu.Unlock()
	have := b.uploads[u.ID]
	if int64(len(have)) != u.Offset {
		return int64(len(have)), wire.ErrStale
	}
	have = append(have, piece...)
	if b.uploads == nil {
		b.uploads = map[wire.UploadID][]byte{}
	}
	b.uploads[u.ID] = have
	if u.Last != nil && err == nil {
		delete(b.uploads, u.ID)
		if wire.BlobIDOf(u.Last.Region(), have) != *u.Last {
			return 0, wire.Errorf(wire.BadInput, "other bytes")
		}
		b.m[*u.Last] = memoryBlob{b: have, end: time.Now().Add(u.TTL), drop: u.Drop}
	}
	return int64(len(have)), err
}

func (b *memoryBlobs) Uploaded(_ context.Context, _ string, id wire.UploadID) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	have, ok := b.uploads[id]
	if !ok {
		return 0, wire.ErrDenied
	}
	return int64(len(have)), nil
}

func (b *memoryBlobs) Abandon(_ context.Context, _ string, id wire.UploadID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.uploads, id)
	return nil
}

func (b *memoryBlobs) Open(_ context.Context, _ string, id wire.BlobID, from int64) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened++
	if b.fail != nil {
		return nil, b.fail
	}
	v, err := b.live(id)
	if err != nil || from >= int64(len(v.b)) {
		return nil, wire.ErrDenied
	}
	return io.NopCloser(b.cuttingLocked(bytes.NewReader(v.b[from:]))), nil
}

func (b *memoryBlobs) Prolong(_ context.Context, _ string, _ Payment, id wire.BlobID, ttl time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := b.live(id)
	if end := time.Now().Add(ttl); err == nil && end.After(v.end) {
		v.end = end
		b.m[id] = v
	}
	return err
}

func (b *memoryBlobs) Drop(_ context.Context, _ string, id wire.BlobID, secret wire.Secret) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := b.live(id)
	if err != nil || !secret.Opens(v.drop) {
		return wire.ErrDenied
	}
	delete(b.m, id)
	return nil
}

func (b *memoryBlobs) PutSlot(_ context.Context, _ string, by Payment, slot wire.Secret, ttl time.Duration, v []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.m[wire.SlotID(by.Room.Region(), slot)] = memoryBlob{b: bytes.Clone(v), end: time.Now().Add(ttl), drop: slot.Hash()}
	return nil
}
