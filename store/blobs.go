package store

import (
	"context"
	"fmt"

	"hearth/wire"
)

// The index of blobs says until when each lies in its file. It names no room,
// no account and no uploader.

// PutBlob notes a blob; one that is there already lives for the longer of both
// times.
func (r *Rooms) PutBlob(ctx context.Context, id wire.BlobID, size int64, expires int64) error {
	r.write.Lock()
	defer r.write.Unlock()
	return asWire(r.cfg.Step("blob index", func() error {
		_, err := r.db.ExecContext(ctx, `INSERT INTO blobs (blob, size, expires) VALUES ($1, $2, $3)
			ON CONFLICT (blob) DO UPDATE SET expires = max(expires, excluded.expires)`, id[:], size, expires)
		if err != nil {
			return fmt.Errorf("note a blob: %w", err)
		}
		return nil
	}))
}

// HasBlob reports whether the blob is there and has not expired.
func (r *Rooms) HasBlob(ctx context.Context, id wire.BlobID) (bool, error) {
	var n int
	err := r.db.QueryRowContext(ctx, `SELECT count(*) FROM blobs WHERE blob = $1 AND expires > $2`, id[:], r.cfg.Now().Unix()).Scan(&n)
	return n > 0, asWire(err)
}

// BlobBytes is what all blobs take, and when the first of them expires (Unix
// seconds, 0 if there is none).
func (r *Rooms) BlobBytes(ctx context.Context) (bytes, first int64, err error) {
	err = r.db.QueryRowContext(ctx, `SELECT coalesce(sum(size), 0), coalesce(min(expires), 0) FROM blobs`).Scan(&bytes, &first)
	return bytes, first, asWire(err)
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
	return asWire(r.cfg.Step("blob index", tx.Commit))
}
