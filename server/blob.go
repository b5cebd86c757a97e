package server

import (
	"context"
	"io"
	"log"
	"net/http"
	"time"

	"hearth/blob"
	"hearth/wire"
)

var quietLog = log.New(io.Discard, "", 0)

// blobSpan is what a transfer must move within one deadline, so that a peer that
// trickles holds nothing for long (attacks A66).
const blobSpan = 256 << 10

// blobRequest is what the headers of a request about a blob say.
type blobRequest struct {
	blob   *wire.BlobID
	upload *wire.UploadID
	offset int64
	room   wire.RoomID
	token  wire.Secret
	ttl    time.Duration
	drop   []byte // a hash in an upload, a secret where a blob is dropped
	slot   bool   // blob is a slot, whose secret was shown; drop is its hash
}

// parseBlob reads the headers; pays says that the request shows what pays.
func (s *Server) parseBlob(h http.Header, pays bool) (q blobRequest, err error) {
	bytes := func(name string, n int, need bool) []byte {
		v := h.Get(name)
		if err != nil || v == "" && !need {
			return nil
		}
		b, bad := wire.ParseHeader(v, n)
		if bad != nil {
			err = errInput("the header " + name + " is absent or wrong")
		}
		return b
	}
	if b := bytes(wire.HeaderBlob, 32, false); b != nil {
		id := wire.BlobID(b)
		q.blob = &id
	}
	if b := bytes(wire.HeaderUpload, 16, false); b != nil {
		id := wire.UploadID(b)
		q.upload = &id
	}
	q.drop = bytes(wire.HeaderDrop, 32, false)
	if slot := wire.SecretFrom(bytes(wire.HeaderSlot, 32, false)); slot.Reveal() != nil && q.blob != nil {
		if wire.SlotID(q.blob.Region(), slot) != *q.blob {
			return q, wire.ErrDenied
		}
		hash := slot.Hash()
		q.slot, q.drop = true, hash[:]
	}
	if pays {
		copy(q.room[:], bytes(wire.HeaderRoom, 16, true))
		q.token = wire.SecretFrom(bytes(wire.HeaderToken, 32, true))
	}
	if v := h.Get(wire.HeaderOffset); v != "" && err == nil {
		if q.offset, err = wire.ParseOffset(v); err != nil {
			err = errInput("the header " + wire.HeaderOffset + " is wrong")
		}
	}
	if pays && q.blob != nil && err == nil {
		if q.ttl, err = wire.ParseTTL(h.Get(wire.HeaderTTL)); err != nil {
			err = errInput("the header " + wire.HeaderTTL + " is absent or wrong")
		}
	}
	switch {
	case err != nil:
	case q.blob == nil && q.upload == nil:
		err = errInput("neither a blob nor an upload is named")
	case q.blob != nil && q.blob.Region() != s.cfg.Region && pays:
		err = errInput("the id names another region than this server's")
	case q.upload == nil && q.offset != 0:
		err = errInput("only an upload with a name goes on where it was")
	}
	return q, err
}

// putBlob takes a blob, or a piece of one: with HeaderUpload, from HeaderOffset
// on; with HeaderBlob too, the piece is the last.
func (s *Server) putBlob(w http.ResponseWriter, r *http.Request) {
	s.blobReply(w, r, func(ctx context.Context) error {
		q, err := s.parseBlob(r.Header, true)
		if err != nil {
			return err
		}
		rooms := s.rooms.Load()
		if err := rooms.MayUpload(ctx, q.room, q.token); err != nil {
			return err
		}
		uploading, err := s.blobs.Uploads(ctx)
		if err != nil {
			return err
		}
		house := s.cfg.Limits.BlobBytes - s.blobTotal.Load() - uploading
		day := s.uploaded.left(q.room, s.cfg.Limits.BlobRoomBytes, s.cfg.Now())
		limit, full := house, errHouseFull
		if day < house {
			limit, full = day, errDayFull
		}
		most := wire.MaxBlob - q.offset
		if most < limit {
			limit, full = most, errLarge
		}
		switch {
		case r.ContentLength > most:
			return errLarge
		case limit < 0 || r.ContentLength > limit:
			return full
		}
		whole := q.upload == nil
		if whole {
			id := wire.NewUploadID()
			q.upload = &id
			defer func() { s.blobs.Abandon(context.WithoutCancel(ctx), id) }() // unless it is finished
		}
		length, err := s.blobs.Append(ctx, *q.upload, q.offset, newPaced(w, r, s.cfg.Limits.FrameWithin), limit)
		if length > 0 {
			w.Header().Set(wire.HeaderOffset, wire.FormatOffset(length))
			s.uploaded.take(q.room, max(0, length-q.offset), s.cfg.Now())
		}
		switch {
		case err == blob.ErrLimit: // itself: errors.Is compares codes
			return full
		case err != nil || q.blob == nil:
			return err
		case length == 0:
			return errInput("a blob has no bytes")
		}
		// No sweep may come between the index and the file.
		if err := s.blobGate.Acquire(ctx, 1); err != nil {
			return err
		}
		defer s.blobGate.Release(1)
		finish := s.blobs.Finish
		if q.slot {
			finish = s.blobs.Replace
		}
		err = finish(ctx, *q.upload, *q.blob, func(size int64) error {
			return rooms.PutBlob(ctx, *q.blob, size, q.ttl, dropHash(q.drop))
		})
		if err == nil {
			s.blobTotal.Add(length)
			s.blobWake()
		}
		return err
	})
}

// What is full is said, for what helps differs.
var (
	errLarge     = wire.Errorf(wire.BadInput, "a blob is too large")
	errHouseFull = wire.Errorf(wire.Full, "the house has no room left for this").
			WithNext("try again in some days, when older things there have ended, or ask whoever keeps the house for more room (hearth serve --blobs)")
	errDayFull = wire.Errorf(wire.Full, "as much as may be stored in a day was stored already").
			WithNext("try again tomorrow, or ask whoever keeps the house to allow more (hearth serve --blobs-a-day)")
)

func dropHash(b []byte) (h wire.SecretHash) {
	copy(h[:], b)
	return h
}

// getBlob gives a blob or a stretch of it, or (HEAD) says how far an upload is.
func (s *Server) getBlob(w http.ResponseWriter, r *http.Request) {
	s.blobReply(w, r, func(ctx context.Context) error {
		q, err := s.parseBlob(r.Header, false)
		if err != nil {
			return err
		}
		h := w.Header()
		if q.blob == nil {
			length, err := s.blobs.Length(ctx, *q.upload)
			if err != nil {
				return err
			}
			h.Set(wire.HeaderOffset, wire.FormatOffset(length))
			return nil
		}
		if ok, err := s.rooms.Load().HasBlob(ctx, *q.blob); err != nil || !ok {
			return orDenied(err)
		}
		f, size, err := s.blobs.Open(ctx, *q.blob)
		if err != nil {
			return err
		}
		defer f.Close()
		tag := `"` + wire.FormatHeader(q.blob[:]) + `"`
		h.Set("ETag", tag)
		h.Set("Accept-Ranges", "bytes")
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		from, to, status := int64(0), size, http.StatusOK
		// RFC 9110 §13.1.5: another If-Range asks for the whole.
		if v, given := r.Header.Get("Range"), r.Header.Get("If-Range"); v != "" && (given == "" || given == tag) {
			span, err := wire.ParseRange(v)
			if err != nil {
				return err
			}
			ok := false
			if from, to, ok = span.In(size); !ok {
				h.Set("Content-Range", "bytes */"+wire.FormatOffset(size))
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return nil
			}
			h.Set("Content-Range", "bytes "+wire.FormatOffset(from)+"-"+wire.FormatOffset(to-1)+"/"+wire.FormatOffset(size))
			status = http.StatusPartialContent
		}
		if _, err := f.Seek(from, io.SeekStart); err != nil {
			return err
		}
		h.Set("Content-Length", wire.FormatOffset(to-from))
		w.WriteHeader(status)
		if r.Method == http.MethodHead {
			return nil
		}
		rc := http.NewResponseController(w)
		for left := to - from; left > 0; {
			rc.SetWriteDeadline(time.Now().Add(s.cfg.Limits.WriteWithin))
			// A plain file goes through the kernel alone.
			n, err := io.CopyN(w, f, min(left, blobSpan))
			if left -= n; err != nil {
				return nil // it went, or the blob did: too few bytes tell the client
			}
		}
		return nil
	})
}

// keepBlob lets a blob live longer (POST).
func (s *Server) keepBlob(w http.ResponseWriter, r *http.Request) {
	s.blobReply(w, r, func(ctx context.Context) error {
		q, err := s.parseBlob(r.Header, true)
		if err != nil {
			return err
		}
		if q.blob == nil {
			return errInput("no blob is named")
		}
		rooms := s.rooms.Load()
		if err := rooms.MayUpload(ctx, q.room, q.token); err != nil {
			return err
		}
		if err := s.blobGate.Acquire(ctx, 1); err != nil {
			return err
		}
		defer s.blobGate.Release(1)
		return rooms.ProlongBlob(ctx, *q.blob, q.ttl)
	})
}

// endBlob drops a blob before its time, for who shows the secret that was set
// for that, or gives an upload up.
func (s *Server) endBlob(w http.ResponseWriter, r *http.Request) {
	s.blobReply(w, r, func(ctx context.Context) error {
		q, err := s.parseBlob(r.Header, false)
		switch {
		case err != nil:
			return err
		case q.blob == nil:
			return s.blobs.Abandon(ctx, *q.upload)
		}
		if err := s.rooms.Load().EndBlob(ctx, *q.blob, wire.SecretFrom(q.drop)); err != nil {
			return err
		}
		return s.dropBlobs(ctx)
	})
}

func orDenied(err error) error {
	if err == nil {
		return wire.ErrDenied
	}
	return err
}

// blobReply does one request about blobs, if there are not too many, and answers
// with its error, if any: the CBOR of wire.Error.
func (s *Server) blobReply(w http.ResponseWriter, r *http.Request, do func(context.Context) error) {
	addr, ok := s.addrs.enter(r.RemoteAddr, s.cfg.Limits.ConnsPerAddr)
	if !ok || s.isDraining() || s.transfers.Add(1) > int64(s.cfg.Limits.Transfers) {
		if ok {
			s.addrs.leave(addr)
		}
		http.Error(w, "too many connections", http.StatusServiceUnavailable)
		return
	}
	defer func() { s.addrs.leave(addr); s.transfers.Add(-1) }()
	err := do(r.Context())
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
	case wire.Stale:
		status = http.StatusConflict
	case wire.Full:
		status = http.StatusTooManyRequests
	case wire.DiskFull:
		status = http.StatusInsufficientStorage
	}
	w.Header().Set("Content-Type", "application/cbor")
	w.WriteHeader(status)
	w.Write(wire.Encode(e))
}

// paced is a request's body that must bring blobSpan bytes within each deadline,
// and whose failures are the client's.
type paced struct {
	r      io.Reader
	rc     *http.ResponseController
	within time.Duration
	left   int // until the next deadline
}

func newPaced(w http.ResponseWriter, r *http.Request, within time.Duration) *paced {
	return &paced{r: r.Body, rc: http.NewResponseController(w), within: within}
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	if p.left <= 0 {
		p.rc.SetReadDeadline(time.Now().Add(p.within))
		p.left = blobSpan
	}
	n, err := p.r.Read(b)
	p.left -= n
	if err != nil && err != io.EOF {
		err = wire.Errorf(wire.Unreachable, "the upload broke off").WithNext("go on from where it is")
	}
	return n, err
}
