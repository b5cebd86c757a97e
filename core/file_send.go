package core

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"path"
	"time"

	"hearth/content"
	"hearth/core/picture"
	"hearth/core/sealedfile"
	"hearth/core/vault"
	"hearth/wire"
)

// To send a file is to seal it into the home, once: what is sealed twice under one
// key, with other bytes because the file changed, shows both. From there it goes up,
// by itself and as often as it takes, and then its message is posted.

var errFileLarge = wire.Errorf(wire.BadInput, "the file is larger than 2 GiB").WithNext("send it in parts")

// sendFileWait is how long sending waits where its caller does not say.
const sendFileWait = 10 * time.Second

// sendFile sends a file with a text, if there is one.
func (c *Client) sendFile(ctx context.Context, o SendOptions, opts content.Options, marks []content.Mark) (Sent, error) {
	places, err := c.places()
	if err != nil {
		return Sent{}, err
	}
	src, size, err := places.Open(ctx, o.File)
	if err != nil {
		return Sent{}, err
	}
	defer src.Close()
	a := content.Attached{Name: safeName(path.Base(o.File)), Type: typeOf(o.File), Caption: o.Text, FileDetails: content.FileDetails{Once: o.Once, Voice: o.Voice}.Lasting(o.Lasts)}
	out := outgoing{to: o.To, src: io.NewSectionReader(src, 0, size), size: size, says: a, marks: marks, opts: opts, wait: cmp.Or(o.Wait, sendFileWait)}
	if !o.AsIs {
		if err := out.strip(src); err != nil {
			return Sent{}, err
		}
	}
	return c.sendSource(ctx, out)
}

// strip takes out of a picture what is not seen, and looks at it.
func (o *outgoing) strip(src io.ReaderAt) error {
	p, err := picture.Strip(src, o.size)
	if errors.Is(err, picture.ErrForm) || errors.Is(err, picture.ErrForeign) {
		return wire.Errorf(wire.BadInput, "what is hidden in this picture, such as where it was taken, cannot be taken out").
			WithNext("save it as JPEG or PNG and send that, or send it with all that is in it: --as-is")
	}
	if err != nil || p == nil {
		return err
	}
	o.src, o.size, o.says.Type = p.Reader(), p.Size, p.Type
	seen := p.See(content.MaxThumbnail)
	o.says.Width, o.says.Height = uint32(seen.Width), uint32(seen.Height)
	if !o.says.Once { // it is to be seen once
		o.says.Thumbnail = seen.Thumbnail
	}
	return nil
}

// outgoing is a file that is to be sent.
type outgoing struct {
	to    string
	src   io.Reader
	size  int64
	says  content.Attached // all but where it lies, and what opens it
	marks []content.Mark   // of the caption
	opts  content.Options
	// forwarded: somebody else wrote it first, and its bytes are these.
	forwarded *[32]byte
	wait      time.Duration // until it is sent, once it was read
}

// sendSource seals a file into the home and says that it comes.
func (c *Client) sendSource(ctx context.Context, o outgoing) (Sent, error) {
	if o.size > content.MaxFile {
		return Sent{}, errFileLarge
	}
	files, err := c.files()
	if err != nil {
		return Sent{}, err
	}
	soon, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	conv, begin, err := c.target(soon, o.to, nil) // strangers are shown no files
	if err != nil {
		return Sent{}, err
	}
	f := &stored{Whole: true, Drop: wire.NewSecret()}
	region, direct, err := c.fileServer(soon, conv, begin != nil, f)
	if err != nil {
		return Sent{}, err
	}
	upload := wire.NewUploadID()
	f.Upload = &upload
	local, release := c.newLocal()
	defer release()
	f.Local = local
	a := o.says
	a.Key, a.Size, a.Server = wire.NewSecret(), uint64(o.size), f.Server
	if e := o.opts.Expires; direct && (a.Once || e != nil && e.Relative) {
		a.FileDetails.Drop = f.Drop.Reveal() // there is nobody else who may still come for it
	}
	sum := sha256.New()
	a.Hash, err = c.seal(ctx, files, local, a.Key, &o, sum)
	if err != nil {
		return Sent{}, err
	}
	if o.forwarded != nil && *o.forwarded != a.Hash {
		return Sent{}, errFileDamaged
	}
	f.Blob = wire.BlobIDFrom(region, sum)
	a.Blob = f.Blob
	m, err := content.NewFile(a, o.opts)
	if err == nil {
		err = m.Mark(o.marks)
	}
	if err == nil && o.forwarded != nil {
		m, err = content.NewForward(m, o.opts)
	}
	if err != nil {
		return Sent{}, err
	}
	body, err := m.Encode()
	if err != nil {
		return Sent{}, err
	}
	// What took its time was reading the file; from here on it is waited for.
	ctx, cancel = context.WithTimeout(ctx, o.wait)
	defer cancel()
	return c.utterWith(ctx, conv, begin, m, body, o.opts.Sent, f)
}

// fileServer finds the server that a conversation's files go to, the one that its
// room is at, and whether there are just two people in it.
func (c *Client) fileServer(ctx context.Context, id convID, begins bool, f *stored) (region wire.Region, direct bool, err error) {
	found := false
	server := ""
	err = c.look(ctx, func(s *step) error {
		me, err := s.me()
		if err != nil {
			return err
		}
		server, direct = me.Server, true
		cv, err := s.conv(id)
		if err != nil || cv == nil {
			return err
		}
		if direct = cv.Kind == KindDirect; begins {
			return nil
		}
		r, err := s.room(cv.Room)
		if err != nil || r == nil {
			return err
		}
		found, region, server, f.By = true, r.ID.Region(), r.Server, r.ID
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	if f.Server = server; !found {
		region, err = c.region(ctx, server)
	}
	return region, direct, err
}

// seal seals a file into the home. sum gets the sealed bytes; what is returned is
// the hash of the plain ones.
func (c *Client) seal(ctx context.Context, files Files, local string, key wire.Secret, o *outgoing, sum hash.Hash) (plain [32]byte, err error) {
	whole := sha256.New()
	_, err = files.Append(ctx, local, 0, func(w io.Writer) error {
		out, err := sealedfile.NewWriter(io.MultiWriter(w, sum), key, o.size)
		if err != nil {
			return err
		}
		in := &until{ctx: ctx, r: o.src}
		buf := make([]byte, sealedfile.ChunkSize)
		n, err := io.CopyBuffer(io.MultiWriter(out, whole), struct{ io.Reader }{in}, buf)
		if err != nil {
			return err
		}
		if n != o.size {
			return wire.Errorf(wire.BadInput, "the file became shorter while it was read").WithNext("try again when nothing writes to it")
		}
		return out.Close()
	})
	whole.Sum(plain[:0])
	return plain, err
}

// until is a reader that ends with a context.
type until struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (u *until) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}

// holdBack lets a line wait until its file is at the server.
func (s *step) holdBack(id convID, r *room, n uint64, h *happening, f *stored) error {
	if f.By == (wire.RoomID{}) {
		f.By = r.ID
	}
	h.Room = wire.RoomID{} // it is in no outbox
	s.putUntil(lineName(id, n), h, h.Until)
	s.putStored(id, h.ID, f, h.Until)
	s.putUntil(vault.Numbered(uploadsName(r.ID), n), upload{Conv: id, Message: h.ID}, h.Until)
	s.then(func() { s.c.wakeUploads(r.ID) })
	return nil
}

// heldBack reports whether a message of ours was never posted, for its file is not
// at the server yet.
func (s *step) heldBack(id convID, message []byte) (bool, error) {
	n, err := s.lineOf(id, message)
	if err != nil {
		return false, err
	}
	h, err := s.line(id, n)
	if err != nil || h == nil {
		return false, err
	}
	return h.Own && h.State == StateQueued && h.Room == (wire.RoomID{}), nil
}

// wakeUploads starts what brings a room's files to their server, one after another.
func (c *Client) wakeUploads(id wire.RoomID) {
	c.poke(queueID{fileQueue, id}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			return s.scan(uploadsName(id), func(name string, b []byte) (bool, error) {
				var u upload
				err := decodeRecord(b, &u)
				act = func(ctx context.Context) (time.Duration, error) { return c.upload(ctx, name, &u) }
				return false, err
			})
		})
		return act, err
	})
}

// upload brings one file to its server, from where it is, and posts its message.
func (c *Client) upload(ctx context.Context, name string, u *upload) (wait time.Duration, err error) {
	var f *stored
	var h *happening
	var by Payment
	var ttl time.Duration
	paid := false
	err = c.look(ctx, func(s *step) (err error) {
		if f, err = s.stored(u.Conv, u.Message); err != nil || f == nil || f.Upload == nil {
			return err
		}
		n, err := s.lineOf(u.Conv, u.Message)
		if err != nil {
			return err
		}
		if h, err = s.line(u.Conv, n); err != nil || h == nil {
			return err
		}
		if by, paid, err = s.payment(f.By, u.Conv, f.Server); err != nil || !paid {
			return err
		}
		ttl, err = s.fileLasts(u.Conv, h)
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case f == nil || f.Upload == nil || h == nil:
		return 0, c.step(ctx, func(s *step) error { s.del(name); return nil })
	case !paid:
		return 0, c.step(ctx, func(s *step) error { return s.notUploaded(name, u) })
	}
	moved, err := c.bring(ctx, f, by, ttl)
	switch {
	case code(err) == wire.NotFound:
		return 0, c.step(ctx, func(s *step) error { return s.notUploaded(name, u) })
	case err != nil && moved:
		c.debug("an upload broke off", err)
		return retryFirst, nil // it comes on: the wait does not grow
	case err != nil:
		return 0, err
	}
	return 0, c.step(ctx, func(s *step) error { return s.uploaded(name, u, f) })
}

// bring moves what the server lacks of a file, and reports whether it has more of it
// than before.
func (c *Client) bring(ctx context.Context, f *stored, by Payment, ttl time.Duration) (moved bool, err error) {
	src, size, err := c.cfg.Files.Open(ctx, f.Local)
	if err != nil {
		return false, err
	}
	defer src.Close()
	// It may be there whole, and the answer was lost.
	if err := c.cfg.Blobs.Prolong(ctx, f.Server, by, f.Blob, ttl); code(err) != wire.Denied {
		return false, err
	}
	have, err := c.cfg.Blobs.Uploaded(ctx, f.Server, *f.Upload)
	if code(err) == wire.Denied {
		have, err = 0, nil // it knows nothing of it
	}
	if err != nil {
		return false, err
	}
	if have > size {
		return false, errors.New("the server has more of a file than there is")
	}
	last := f.Blob
	progress := c.progress(f.Local)
	defer progress.end()
	progress.at(have)
	in := &counted{p: progress, n: have, r: &until{ctx: ctx, r: io.NewSectionReader(src, have, size-have)}}
	length, err := c.cfg.Blobs.Upload(ctx, f.Server, Upload{ID: *f.Upload, Offset: have, By: by, Last: &last, TTL: ttl, Drop: f.Drop.Hash()}, in)
	return length > have, err
}

// fileLasts is how long a blob has to stay for those who may still come for it.
func (s *step) fileLasts(id convID, h *happening) (time.Duration, error) {
	m, err := content.Parse(h.Body)
	if err != nil {
		return 0, err
	}
	cv, err := s.conv(id)
	if err != nil || cv == nil {
		return 0, err
	}
	r, err := s.room(cv.Room)
	if err != nil || r == nil {
		return 0, err
	}
	stays, err := s.stays(id, r, m, h)
	if err != nil || stays == 0 {
		return wire.MaxBlobTTL, err
	}
	return min(max(end(stays).Sub(s.c.now()), time.Second), wire.MaxBlobTTL), nil
}

// uploaded posts the message of a file that is at the server.
func (s *step) uploaded(name string, u *upload, was *stored) error {
	s.del(name)
	f, err := s.stored(u.Conv, u.Message)
	if err != nil {
		return err
	}
	n, err := s.lineOf(u.Conv, u.Message)
	if err != nil {
		return err
	}
	h, err := s.line(u.Conv, n)
	if err != nil {
		return err
	}
	if f == nil || h == nil || h.Deleted {
		// It was deleted, or has ended, meanwhile.
		s.takeOff(dropped{Server: was.Server, Blob: was.Blob, Secret: was.Drop})
		return nil
	}
	f.Upload = nil
	s.putStored(u.Conv, u.Message, f, h.Until)
	cv, err := s.conv(u.Conv)
	if err != nil {
		return err
	}
	r, err := s.room(cv.Room)
	if err != nil {
		return err
	}
	m, err := content.Parse(h.Body)
	if err != nil {
		return err
	}
	h.Room = r.ID
	s.putUntil(lineName(u.Conv, n), h, h.Until)
	return s.postLine(u.Conv, r, m, h)
}

// notUploaded gives a file up that cannot get to its server any more: it is gone
// from the home, or the conversation is at another server.
func (s *step) notUploaded(name string, u *upload) error {
	s.del(name)
	if err := s.dropFile(u.Conv, u.Message); err != nil {
		return err
	}
	n, err := s.lineOf(u.Conv, u.Message)
	if err != nil {
		return err
	}
	s.del(lineName(u.Conv, n))
	s.del(idName(u.Conv, u.Message))
	cv, err := s.conv(u.Conv)
	if err != nil || cv == nil {
		return err
	}
	return s.notice(cv, NoticeUndelivered, "A file could not be sent and is not on its way any more. Send it again.")
}

// progress tells how far a file is on its way.
type progress struct {
	c    *Client
	name string
}

func (c *Client) progress(local string) progress { return progress{c, local} }

func (p progress) at(n int64) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.c.moving[p.name] = n
}

func (p progress) end() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	delete(p.c.moving, p.name)
}

// counted tells what is read of it.
type counted struct {
	p progress
	n int64
	r io.Reader
}

// Read implements io.Reader.
func (r *counted) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.n += int64(n)
	r.p.at(r.n)
	return n, err
}
