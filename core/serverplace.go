package core

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"io"

	"hearth/core/archive"
	"hearth/core/backup"
	"hearth/wire"
)

// A backup may lie at the home server, as blobs: what is written in one piece is
// one blob, so that what has not changed is not uploaded again, and a sealed list
// of them is in a slot for each set of words, which only the words find. The
// server can tie these blobs to the connection that brings them, as it can any;
// nothing that it keeps says whose they are.

// ServerPlace is where a backup goes that lies at the home server.
const ServerPlace = "server"

// serverPlace is a place at a server.
type serverPlace struct {
	c      *Client
	server string
	region wire.Region
	by     Payment
	// slots are found by one set of words each.
	slots []wire.Secret
}

// piece is a blob of a file at a server.
type piece struct {
	_    struct{} `cbor:",toarray"`
	ID   wire.BlobID
	Size uint32
}

// slotOf derives a slot's secret from what words open backups with.
func slotOf(root wire.Secret) wire.Secret { return expand(root, "hearth backup slot v1") }

func expand(key wire.Secret, info string) wire.Secret {
	b, err := hkdf.Expand(sha256.New, key.Reveal(), info, 32)
	if err != nil {
		panic(err) // a constant length within bounds
	}
	return wire.SecretFrom(b)
}

// maxPieces bounds a file at a server.
const maxPieces = backup.MaxChunks + 8

const indexPurpose = "hearth backup index"

// index reads the list of pieces that a slot holds; nil if it holds none.
func (p *serverPlace) index(ctx context.Context, slot wire.Secret) ([]piece, error) {
	r, err := p.c.cfg.Blobs.Open(ctx, p.server, wire.SlotID(p.region, slot), 0)
	if code(err) == wire.Denied {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, archive.MaxChunk+1))
	if err != nil {
		return nil, err
	}
	entries, last, err := archive.Open(expand(slot, "index"), wire.AccountID{}, indexPurpose, 0, b)
	if err != nil || !last || len(entries) != 1 {
		return nil, backup.ErrDamaged
	}
	var list []piece
	if wire.Decode(entries[0].Value, &list) != nil || len(list) > maxPieces {
		return nil, backup.ErrDamaged
	}
	for _, x := range list {
		if x.Size == 0 || x.Size > wire.MaxWhole {
			return nil, backup.ErrDamaged
		}
	}
	return list, nil
}

// Open implements Places.
func (p *serverPlace) Open(ctx context.Context, _ string) (PlaceFile, int64, error) {
	list, err := p.index(ctx, p.slots[0])
	if err != nil {
		return nil, 0, err
	}
	if list == nil {
		return nil, 0, wire.Errorf(wire.NotFound, "the server holds no backup that these words find").WithNext("check the words, and which server it is")
	}
	f := &serverFile{p: p, ctx: ctx, list: list}
	size := int64(0)
	for _, x := range list {
		size += int64(x.Size)
	}
	return f, size, nil
}

// serverFile reads a file piece by piece; the last one read stays.
type serverFile struct {
	p    *serverPlace
	ctx  context.Context // of whoever opened it: io.ReaderAt has none
	list []piece
	at   int
	have []byte
}

// ReadAt implements io.ReaderAt.
func (f *serverFile) ReadAt(b []byte, off int64) (n int, err error) {
	start := int64(0)
	for i, x := range f.list {
		end := start + int64(x.Size)
		if off+int64(n) < end && n < len(b) {
			if f.have == nil || f.at != i {
				got, err := f.p.c.cfg.Blobs.Get(f.ctx, f.p.server, x.ID)
				if err != nil {
					return n, err
				}
				if len(got) != int(x.Size) {
					return n, backup.ErrDamaged
				}
				f.at, f.have = i, got
			}
			n += copy(b[n:], f.have[off+int64(n)-start:])
		}
		start = end
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Close implements io.Closer.
func (f *serverFile) Close() error { return nil }

// Write implements Places. Each Write of fill is a piece.
func (p *serverPlace) Write(ctx context.Context, _ string, fill func(io.Writer) error) error {
	old, err := p.index(ctx, p.slots[0])
	if err != nil && !errors.Is(err, backup.ErrDamaged) {
		return err
	}
	w := &serverWriter{p: p, ctx: ctx, old: map[wire.BlobID]bool{}, fresh: map[wire.BlobID]bool{}}
	for _, x := range old {
		w.old[x.ID] = true
	}
	if err := fill(w); err != nil {
		return err
	}
	for _, slot := range p.slots {
		var sealed []byte
		a := archive.NewWriter(expand(slot, "index"), wire.AccountID{}, indexPurpose, func(b []byte) error { sealed = b; return nil })
		if err := errors.Join(a.Add(archive.Entry{Kind: "index", Value: wire.Encode(w.list)}), a.Close()); err != nil {
			return err
		}
		if err := p.c.cfg.Blobs.PutSlot(ctx, p.server, p.by, slot, wire.MaxBlobTTL, sealed); err != nil {
			return err
		}
	}
	for id := range w.old {
		if !w.fresh[id] {
			if err := p.c.cfg.Blobs.Drop(ctx, p.server, id, p.dropOf(id)); err != nil {
				p.c.debug("a piece of the last backup could not be dropped", err)
			}
		}
	}
	return nil
}

// drop takes a file away, as far as this lineage can: what is left ends by
// itself.
func (p *serverPlace) drop(ctx context.Context) {
	for i, slot := range p.slots {
		if i == 0 {
			list, err := p.index(ctx, slot)
			for _, x := range list {
				err = errors.Join(err, p.c.cfg.Blobs.Drop(ctx, p.server, x.ID, p.dropOf(x.ID)))
			}
			if err != nil {
				p.c.debug("a backup at the server could not be dropped whole", err)
			}
		}
		if err := p.c.cfg.Blobs.Drop(ctx, p.server, wire.SlotID(p.region, slot), slot); err != nil && code(err) != wire.Denied {
			p.c.debug("a backup at the server could not be dropped", err)
		}
	}
}

func (p *serverPlace) dropOf(id wire.BlobID) wire.Secret {
	return expand(p.slots[0], "drop "+string(id[:]))
}

type serverWriter struct {
	p     *serverPlace
	ctx   context.Context
	list  []piece
	old   map[wire.BlobID]bool
	fresh map[wire.BlobID]bool
}

// Write implements io.Writer.
func (w *serverWriter) Write(b []byte) (int, error) {
	if len(w.list) == maxPieces || len(b) > wire.MaxWhole {
		return 0, wire.Errorf(wire.Full, "the backup is too large for a server").WithNext("write it to a file")
	}
	id := wire.BlobIDOf(w.p.region, b)
	there := w.old[id]
	if there {
		err := w.p.c.cfg.Blobs.Prolong(w.ctx, w.p.server, w.p.by, id, wire.MaxBlobTTL)
		if err != nil && code(err) != wire.Denied {
			return 0, err
		}
		there = err == nil
	}
	if !there {
		drop := w.p.dropOf(id)
		u := Upload{ID: wire.NewUploadID(), By: w.p.by, Last: &id, TTL: wire.MaxBlobTTL, Drop: drop.Hash()}
		if _, err := w.p.c.cfg.Blobs.Upload(w.ctx, w.p.server, u, bytes.NewReader(b)); err != nil {
			return 0, err
		}
	}
	w.list, w.fresh[id] = append(w.list, piece{ID: id, Size: uint32(len(b))}), true
	return len(b), nil
}
