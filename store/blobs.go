package store

import (
	"context"
	"fmt"
	"time"

	"hearth/wire"
)

// The index of blobs says until when each lies in its file, and who may drop it
// sooner. It names no room, no account and no uploader.

// PutBlob notes a blob before it can be read; one that is there already lives
// for the longer of both times, and whoever could drop it still can.
func (r *Rooms) PutBlob(ctx context.Context, id wire.BlobID, size int64, ttl time.Duration, drop wire.SecretHash) error {
	return r.outside(ctx, "note a blob", `INSERT INTO blobs (blob, size, expires, hash) VALUES ($1, $2, $3, $4)
		ON CONFLICT (blob) DO UPDATE SET size = excluded.size, expires = max(expires, excluded.expires), hash = CASE WHEN expires > $5 THEN hash ELSE excluded.hash END`,
		id[:], size, r.expiry(ttl), drop[:], r.cfg.Now().Unix())
}

// ProlongBlob lets a blob live for ttl from now, at least; denied if it is not
// there.
func (r *Rooms) ProlongBlob(ctx context.Context, id wire.BlobID, ttl time.Duration) error {
	if ok, err := r.HasBlob(ctx, id); err != nil || !ok {
		return orDenied(err)
	}
	return r.outside(ctx, "prolong a blob", `UPDATE blobs SET expires = max(expires, $1) WHERE blob = $2`, r.expiry(ttl), id[:])
}

// EndBlob makes now a blob's end; denied if it is not there or the secret is not
// the one that drops it.
func (r *Rooms) EndBlob(ctx context.Context, id wire.BlobID, drop wire.Secret) error {
	hash := drop.Hash()
	var n int
	now := r.cfg.Now().Unix()
	err := r.db.QueryRowContext(ctx, `SELECT count(*) FROM blobs WHERE blob = $1 AND hash = $2 AND expires > $3`, id[:], hash[:], now).Scan(&n)
	if err != nil || n == 0 || hash == (wire.SecretHash{}) {
		return orDenied(asWire(err))
	}
	return r.outside(ctx, "end a blob", `UPDATE blobs SET expires = $1 WHERE blob = $2 AND hash = $3`, now, id[:], hash[:])
}

func orDenied(err error) error {
	if err == nil {
		return wire.ErrDenied
	}
	return err
}

// outside makes one change beside the rooms, in a transaction of its own. The
// next checkpoint cuts SQLite's log, in which what it replaced may still stand.
func (r *Rooms) outside(ctx context.Context, what, statement string, args ...any) error {
	r.write.Lock()
	defer r.write.Unlock()
	defer func() {
		r.beside.Store(true)
		signal(r.wake)
	}()
	return asWire(r.cfg.Step(what, func() error {
		if _, err := r.db.ExecContext(ctx, statement, args...); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}))
}

// HasBlob reports whether the blob is there and has not expired.
func (r *Rooms) HasBlob(ctx context.Context, id wire.BlobID) (bool, error) {
	var n int
	err := r.queryRow(ctx, `SELECT count(*) FROM blobs WHERE blob = $1 AND expires > $2`, id[:], r.cfg.Now().Unix()).Scan(&n)
	return n > 0, asWire(err)
}

// BlobBytes is what all blobs take.
func (r *Rooms) BlobBytes(ctx context.Context) (bytes int64, err error) {
	err = r.db.QueryRowContext(ctx, `SELECT coalesce(sum(size), 0) FROM blobs`).Scan(&bytes)
	return bytes, asWire(err)
}

// FirstBlobEnd is when the first blob ends, Unix seconds; 0 if there is none.
func (r *Rooms) FirstBlobEnd(ctx context.Context) (first int64, err error) {
	err = r.queryRow(ctx, `SELECT coalesce(min(expires), 0) FROM blobs`).Scan(&first)
	return first, asWire(err)
}

// ExpiredBlobs returns some blobs whose time is over. Delete the files, then
// ForgetBlobs: a crash between the two leaves only rows.
func (r *Rooms) ExpiredBlobs(ctx context.Context) ([]wire.BlobID, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT blob FROM blobs WHERE expires <= $1 LIMIT 1000`, r.cfg.Now().Unix())
	if err != nil {
		return nil, asWire(fmt.Errorf("find expired blobs: %w", err))
	}
	defer rows.Close()
	var out []wire.BlobID
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, asWire(fmt.Errorf("find expired blobs: %w", err))
		}
		out = append(out, wire.BlobID(id))
	}
	return out, asWire(rows.Err())
}

// ForgetBlobs removes blobs from the index if their time is still over.
func (r *Rooms) ForgetBlobs(ctx context.Context, ids []wire.BlobID) error {
	r.write.Lock()
	defer r.write.Unlock()
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return asWire(err)
	}
	defer tx.Rollback()
	for _, id := range ids {
		if _, err := tx.ExecContext(ctx, `DELETE FROM blobs WHERE blob = $1 AND expires <= $2`, id[:], r.cfg.Now().Unix()); err != nil {
			return asWire(fmt.Errorf("forget a blob: %w", err))
		}
	}
	r.beside.Store(true)
	signal(r.wake)
	return asWire(r.cfg.Step("blob index", tx.Commit))
}
