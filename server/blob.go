package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"hearth/wire"
)

// Headers of /v1/blob. Ids and capabilities stand here and never in the URL,
// which proxies log. Values are unpadded base64url but for the ttl.
const (
	// HeaderBlob is the blob's id, in both directions.
	HeaderBlob = "Hearth-Blob"
	// HeaderRoom and HeaderToken are a room and its current post token, which
	// pay for an upload; neither is kept with it (protocol §10).
	HeaderRoom  = "Hearth-Room"
	HeaderToken = "Hearth-Token"
	// HeaderTTL is how many seconds the blob is to be kept, at most MaxTTL.
	HeaderTTL = "Hearth-TTL"
)

var quietLog = log.New(io.Discard, "", 0)

// blobDir is a folder of blobs, named by the hash that the server made of their
// bytes.
type blobDir struct{ dir string }

func openBlobDir(dir string) (*blobDir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of blobs: %w", err)
	}
	// What an upload left behind when the server was killed.
	left, _ := filepath.Glob(filepath.Join(dir, "*.part"))
	for _, name := range left {
		os.Remove(name)
	}
	return &blobDir{dir}, nil
}

func (d *blobDir) path(id wire.BlobID) string {
	name := hex.EncodeToString(id[:])
	return filepath.Join(d.dir, name[:4], name)
}

// put streams at most MaxBlob bytes to disk and returns their size and id once
// they are durable. They are there under the id only if want is that id.
func (d *blobDir) put(r io.Reader, region wire.Region, want wire.BlobID) (int64, error) {
	var tmp [8]byte
	rand.Read(tmp[:])
	part := filepath.Join(d.dir, hex.EncodeToString(tmp[:])+".part")
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer os.Remove(part)
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(r, wire.MaxBlob+1))
	switch {
	case err != nil:
		return 0, err
	case n > wire.MaxBlob:
		return 0, errInput("a blob is too large")
	case n == 0 || blobID(region, h) != want:
		return 0, errInput("a blob's bytes are not those of its id")
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	path := d.path(want)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, err
	}
	if err := os.Rename(part, path); err != nil {
		return 0, err
	}
	for _, dir := range []string{filepath.Dir(path), d.dir} {
		if err := fsyncDir(dir); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func fsyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func blobID(region wire.Region, h hash.Hash) wire.BlobID {
	id := wire.BlobID{byte(region)}
	copy(id[1:], h.Sum(nil))
	return id
}

func (d *blobDir) remove(id wire.BlobID) error {
	err := os.Remove(d.path(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// header reads one header of n bytes in base64url.
func header(r *http.Request, name string, n int) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(r.Header.Get(name))
	if err != nil || len(b) != n {
		return nil, errInput("the header " + name + " is absent or wrong")
	}
	return b, nil
}

func (s *Server) putBlob(w http.ResponseWriter, r *http.Request) {
	s.blobReply(w, func() error {
		rc := http.NewResponseController(w)
		rc.SetReadDeadline(time.Now().Add(10 * s.cfg.Limits.FrameWithin))
		id, err := header(r, HeaderBlob, 32)
		if err != nil {
			return err
		}
		room, err := header(r, HeaderRoom, 16)
		if err != nil {
			return err
		}
		token, err := header(r, HeaderToken, 32)
		if err != nil {
			return err
		}
		ttl, err := strconv.ParseUint(r.Header.Get(HeaderTTL), 10, 32)
		if err != nil || ttl == 0 || time.Duration(ttl)*time.Second > wire.MaxTTL {
			return errInput("the header " + HeaderTTL + " is absent or wrong")
		}
		if wire.Region(id[0]) != s.cfg.Region {
			return errInput("the id names another region than this server's")
		}
		if r.ContentLength > wire.MaxBlob {
			return errInput("a blob is too large")
		}
		return s.keepBlob(r.Context(), wire.BlobID(id), wire.RoomID(room), wire.SecretFrom(token), time.Duration(ttl)*time.Second, r.Body)
	})
}

func (s *Server) keepBlob(ctx context.Context, id wire.BlobID, room wire.RoomID, token wire.Secret, ttl time.Duration, body io.Reader) error {
	rooms := s.rooms.Load()
	if err := rooms.MayUpload(ctx, room, token); err != nil {
		return err
	}
	total, _, err := rooms.BlobBytes(ctx)
	if err != nil {
		return err
	}
	if total+wire.MaxBlob > s.cfg.Limits.BlobBytes {
		return wire.ErrFull
	}
	n, err := s.blobs.put(body, s.cfg.Region, id)
	if err != nil {
		return err
	}
	if err := rooms.PutBlob(ctx, id, n, s.cfg.Now().Add(ttl).Unix()); err != nil {
		return err
	}
	s.blobWake()
	return nil
}

func (s *Server) getBlob(w http.ResponseWriter, r *http.Request) {
	s.blobReply(w, func() error {
		raw, err := header(r, HeaderBlob, 32)
		if err != nil {
			return err
		}
		id := wire.BlobID(raw)
		ok, err := s.rooms.Load().HasBlob(r.Context(), id)
		if err != nil {
			return err
		}
		if !ok {
			return wire.ErrDenied
		}
		f, err := os.Open(s.blobs.path(id))
		if errors.Is(err, os.ErrNotExist) {
			return wire.ErrDenied
		}
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Length", strconv.FormatInt(st.Size(), 10))
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * s.cfg.Limits.WriteWithin))
		io.Copy(w, f)
		return nil
	})
}

// blobReply answers with do's error, if any: the CBOR of wire.Error.
func (s *Server) blobReply(w http.ResponseWriter, do func() error) {
	err := do()
	if err == nil {
		return
	}
	e := s.public(err)
	status := http.StatusInternalServerError
	switch e.Code {
	case wire.BadInput:
		status = http.StatusBadRequest
	case wire.Denied, wire.Gone:
		status = http.StatusForbidden
	case wire.Full:
		status = http.StatusTooManyRequests
	case wire.DiskFull:
		status = http.StatusInsufficientStorage
	}
	w.Header().Set("Content-Type", "application/cbor")
	w.WriteHeader(status)
	w.Write(wire.Encode(e))
}

// blobWake lets the sweep look at the first expiry again.
func (s *Server) blobWake() {
	select {
	case s.blobAdded <- struct{}{}:
	default:
	}
}

// sweepBlobs deletes blobs on time, until ctx ends.
func (s *Server) sweepBlobs(ctx context.Context) {
	for {
		wait := 6 * time.Hour
		if _, first, err := s.rooms.Load().BlobBytes(ctx); err == nil && first > 0 {
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

func (s *Server) dropBlobs(ctx context.Context) error {
	for {
		rooms := s.rooms.Load()
		ids, err := rooms.ExpiredBlobs(ctx)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := s.blobs.remove(id); err != nil {
				return err
			}
		}
		if err := rooms.ForgetBlobs(ctx, ids); err != nil {
			return err
		}
	}
}
