package core

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"time"

	"hearth/content"
	"hearth/core/vault"
	"hearth/wire"
)

// A file lies sealed (core/sealedfile) in two places: at the server, as a blob, and
// in the homes of those who have sent or fetched it. Its key is in its message and
// nowhere else, so that both are noise from the moment that the message ends, and
// are taken away then. Nothing else is derived from a file: its thumbnail is a part
// of the message.

// Files is where a home keeps sealed files, under names that core chooses.
type Files interface {
	// Append puts what fill writes behind the first at bytes of a file, which it makes
	// if at is 0; what lay there is gone. It returns how long the file is then, also
	// beside an error, and so much is on disk.
	Append(ctx context.Context, name string, at int64, fill func(io.Writer) error) (length int64, err error)
	// Open opens a file of size bytes; not_found if there is none.
	Open(ctx context.Context, name string) (f SealedFile, size int64, err error)
	// Remove takes a file away; it is no error if there is none.
	Remove(ctx context.Context, name string) error
	// Names lists all files.
	Names(ctx context.Context) ([]string, error)
}

// SealedFile is an open file of Files.
type SealedFile = interface {
	io.ReaderAt
	io.Closer
}

// files returns where sealed files lie, if this client has such a place.
func (c *Client) files() (Files, error) {
	if c.cfg.Files == nil {
		return nil, wire.Errorf(wire.Unsupported, "this client keeps no files")
	}
	return c.cfg.Files, nil
}

// stored is what this device has of a message's file.
type stored struct {
	_ struct{} `cbor:",toarray"`
	// Local is the name of the sealed bytes in the home; Whole: all of them came.
	Local string
	Whole bool
	// Blob lies at Server, unless Upload says that it is on its way there, paid by a
	// room. Drop takes it off the server before its time; only the device that has
	// sent it has one.
	Server string
	Blob   wire.BlobID
	Drop   wire.Secret
	Upload *wire.UploadID
	By     wire.RoomID
	// Early: the message ends before the blob does, which is to be dropped then.
	Early bool
}

func storedName(id convID, message []byte) string {
	return vault.Name("file", b64(id[:]), b64(message))
}

// keptName says of a sealed file of the home that a message needs it.
func keptName(local string) string { return vault.Name("kept", local) }

// uploadsName lists what a room has to wait for: a message follows its file.
func uploadsName(id wire.RoomID) string { return vault.Name("upload", b64(id[:])) }

// upload is a file on its way to the server.
type upload struct {
	_       struct{} `cbor:",toarray"`
	Conv    convID
	Message []byte
}

// dropped is a blob that is to be taken off its server.
type dropped struct {
	_      struct{} `cbor:",toarray"`
	Server string
	Blob   wire.BlobID
	Secret wire.Secret
	Upload *wire.UploadID // it may not be whole yet
}

func dropName(id wire.BlobID) string { return vault.Name("drop", b64(id[:])) }

// stored returns what this device has of a message's file; nil for nothing.
func (s *step) stored(id convID, message []byte) (*stored, error) {
	f := new(stored)
	ok, err := s.get(storedName(id, message), f)
	if err != nil || !ok {
		return nil, err
	}
	return f, nil
}

// putStored keeps what this device has of a file as long as its message.
func (s *step) putStored(id convID, message []byte, f *stored, until int64) {
	s.putUntil(storedName(id, message), f, until)
	if f.Local != "" {
		s.putUntil(keptName(f.Local), true, until)
	}
}

// fileEndsSooner brings the end of what there is of a message's file forward.
func (s *step) fileEndsSooner(id convID, h *happening) error {
	f, err := s.stored(id, h.ID)
	if err != nil || f == nil {
		return err
	}
	s.putStored(id, h.ID, f, h.Until)
	return nil
}

// fileEnded deals with the end of what there was of a file: its message has ended.
func (s *step) fileEnded(due vault.Item) error {
	f := new(stored)
	if err := decodeRecord(due.Value, f); err != nil {
		return nil // damaged, and gone anyway
	}
	if f.Early || f.Upload != nil {
		s.takeOff(dropped{Server: f.Server, Blob: f.Blob, Secret: f.Drop, Upload: f.Upload})
	}
	if f.Local != "" {
		s.then(s.c.wakeTidy)
	}
	return nil
}

// fileEndsEarly notes that a message ends before its file does at the server.
func (s *step) fileEndsEarly(id convID, h *happening) error {
	f, err := s.stored(id, h.ID)
	if err != nil || f == nil || len(f.Drop.Reveal()) == 0 {
		return err
	}
	f.Early = true
	s.putStored(id, h.ID, f, h.Until)
	return nil
}

// dropFile takes away what there is of a file, here and at the server: its message
// was deleted.
func (s *step) dropFile(id convID, message []byte) error {
	f, err := s.stored(id, message)
	if err != nil || f == nil {
		return err
	}
	s.forgetFile(id, message, f)
	if len(f.Drop.Reveal()) > 0 {
		s.takeOff(dropped{Server: f.Server, Blob: f.Blob, Secret: f.Drop, Upload: f.Upload})
	}
	return nil
}

// forgetFile takes away what this device has of a file.
func (s *step) forgetFile(id convID, message []byte, f *stored) {
	s.del(storedName(id, message))
	if f.Local != "" {
		s.del(keptName(f.Local))
		s.then(s.c.wakeTidy)
	}
}

// takeOff has a blob dropped.
func (s *step) takeOff(d dropped) {
	s.putUntil(dropName(d.Blob), d, s.c.now().Add(wire.MaxTTL).Unix())
	s.then(s.c.wakeDrops)
}

// readOff has a blob dropped whose message ended with its reading, where its sender
// lets the reader do that.
func (s *step) readOff(h *happening) error {
	m, err := content.Parse(h.Body)
	if err != nil || m.Expires == nil || !m.Expires.Relative || h.Fuse != 0 {
		return nil
	}
	return s.opened(h, m)
}

// opened has a blob dropped that nobody needs any more, for the only one who was to
// read it did.
func (s *step) opened(h *happening, m *content.Message) error {
	a, ok := m.Attached()
	if !ok || len(a.Drop) == 0 {
		return nil
	}
	if mine, err := s.isMe(h.Account); err != nil || mine {
		return err // on its author's devices it ends sooner
	}
	if known, err := s.ownServer(a.Server); err != nil || !known {
		return err
	}
	s.takeOff(dropped{Server: a.Server, Blob: a.Blob, Secret: wire.SecretFrom(a.Drop)})
	return nil
}

// wakeDrops starts what takes blobs off servers.
func (c *Client) wakeDrops() {
	c.poke(queueID{what: dropQueue}, func(ctx context.Context) (act action, err error) {
		var all []dropped
		err = c.look(ctx, func(s *step) error {
			return s.scan("drop", func(_ string, b []byte) (bool, error) {
				var d dropped
				err := decodeRecord(b, &d)
				all = append(all, d)
				return true, err
			})
		})
		if err != nil || len(all) == 0 {
			return nil, err
		}
		return func(ctx context.Context) (time.Duration, error) {
			var failed error
			for _, d := range all {
				if err := c.drop(ctx, d); err != nil {
					failed = err // the others may lie elsewhere
				}
			}
			return 0, failed
		}, nil
	})
}

func (c *Client) drop(ctx context.Context, d dropped) error {
	err := c.cfg.Blobs.Drop(ctx, d.Server, d.Blob, d.Secret)
	if code(err) == wire.Denied && d.Upload != nil {
		err = c.cfg.Blobs.Abandon(ctx, d.Server, *d.Upload)
	}
	if err != nil && code(err) != wire.Denied {
		return err
	}
	return c.step(ctx, func(s *step) error { s.del(dropName(d.Blob)); return nil })
}

func newLocalName() string {
	id := wire.NewUploadID()
	return hex.EncodeToString(id[:])
}

// newLocal names a sealed file of the home, which is kept from being tidied away
// until release.
func (c *Client) newLocal() (name string, release func()) {
	name = newLocalName()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.staged[name] = true
	return name, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.staged, name)
		c.wakeTidy()
	}
}

// wakeTidy starts what removes sealed files that no message needs: one has ended,
// or a process died before there was one.
func (c *Client) wakeTidy() {
	if c.cfg.Files == nil {
		return
	}
	c.poke(queueID{what: tidyQueue}, func(ctx context.Context) (act action, err error) {
		names, err := c.cfg.Files.Names(ctx)
		if err != nil {
			return nil, err
		}
		err = c.look(ctx, func(s *step) error {
			var failed error
			names = slices.DeleteFunc(names, func(name string) bool {
				kept, err := s.has(keptName(name))
				if err != nil {
					failed = err
				}
				return kept || c.staged[name]
			})
			return failed
		})
		if err != nil || len(names) == 0 {
			return nil, err
		}
		return func(ctx context.Context) (time.Duration, error) {
			for _, name := range names {
				if err := c.cfg.Files.Remove(ctx, name); err != nil {
					return 0, err
				}
			}
			return 0, nil
		}, nil
	})
}

// removeFiles leaves no sealed file in the home.
func (c *Client) removeFiles(ctx context.Context) error {
	if c.cfg.Files == nil {
		return nil
	}
	names, err := c.cfg.Files.Names(ctx)
	for _, name := range names {
		err = errors.Join(err, c.cfg.Files.Remove(ctx, name))
	}
	return err
}

// startFiles goes on with what a process before has left.
func (c *Client) startFiles(s *step) error {
	c.wakeTidy()
	if waits, err := s.any("drop"); err != nil {
		return err
	} else if waits {
		c.wakeDrops()
	}
	return s.scan("room", func(_ string, b []byte) (bool, error) {
		r := new(room)
		if err := decodeRecord(b, r); err != nil {
			return false, err
		}
		waits, err := s.any(uploadsName(r.ID))
		if waits {
			c.wakeUploads(r.ID)
		}
		return true, err
	})
}

// ownServer reports whether this device has to do with a server anyway: from no
// other one is anything fetched, for whoever names a server in a message would
// learn who reads it, and where from.
func (s *step) ownServer(url string) (yes bool, err error) {
	me, err := s.me()
	if err != nil || me.Server == url {
		return err == nil, err
	}
	err = s.scan("room", func(_ string, b []byte) (bool, error) {
		r := new(room)
		err := decodeRecord(b, r)
		yes = yes || r.Server == url
		return !yes, err
	})
	return yes, err
}

// payment is what pays for an upload to a server: the room that it is for, the one
// that carries the conversation now, or a door of one's own.
func (s *step) payment(by wire.RoomID, id convID, server string) (Payment, bool, error) {
	cv, err := s.conv(id)
	if err != nil || cv == nil {
		return Payment{}, false, err
	}
	for _, id := range []wire.RoomID{by, cv.Room} {
		r, err := s.room(id)
		if err != nil {
			return Payment{}, false, err
		}
		if r == nil || r.Server != server {
			continue
		}
		g, err := s.group(id)
		if err != nil {
			return Payment{}, false, err
		}
		if g != nil {
			token, err := postToken(g, id)
			return Payment{Room: id, Token: token}, err == nil, err
		}
	}
	_, d, err := s.doors()
	if err != nil || d == nil || d.Server != server {
		return Payment{}, false, err
	}
	return d.payment(), true, nil
}
