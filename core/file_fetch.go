package core

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"hearth/content"
	"hearth/core/picture"
	"hearth/core/sealedfile"
	"hearth/wire"
)

// A file is fetched when somebody wants it, sealed as it is, into the home; from
// there it is opened as often as it is wanted until its message ends.

// The states of a file.
const (
	FileUploading = "uploading" // on its way to the server; then its message goes
	FileThere     = "there"     // at the server
	FilePartly    = "partly"    // some of it is here
	FileHere      = "here"      // in this home
)

// FileInfo is the file of a message, in its event.
type FileInfo struct {
	// Name and Type are what the sender says, made harmless.
	Name string `json:"name"`
	Type string `json:"type"`
	Size uint64 `json:"size"`
	// State is uploading, there, partly or here; Done is how many of its bytes have
	// moved, while it moves.
	State string `json:"state"`
	Done  uint64 `json:"done,omitempty"`
	// Thumbnail: there is one; ask for it by itself.
	Thumbnail bool    `json:"thumbnail,omitempty"`
	Width     uint32  `json:"width,omitempty"`
	Height    uint32  `json:"height,omitempty"`
	Seconds   float64 `json:"seconds,omitempty"` // of a recording
	Voice     bool    `json:"voice,omitempty"`
	Once      bool    `json:"once,omitempty"` // it is gone when it was opened
}

// SaveOptions say which file goes where.
type SaveOptions struct {
	Room, ID string // the message
	// To is the place where it is written, or Folder one in which it gets a name of
	// its own.
	To, Folder string
}

// Saved answers SaveFile.
type Saved struct {
	Room string `json:"room"`
	ID   string `json:"id"`
	To   string `json:"to"`
	Size uint64 `json:"size"`
}

var (
	errNoFile   = wire.Errorf(wire.NotFound, "that message brings no file").WithNext("look with: hearth history")
	errFileGone = wire.Errorf(wire.NotFound, "the file is no longer at the server").WithNext("it has ended, or was taken back; ask who sent it to send it again")
	errFileFar  = wire.Errorf(wire.Denied, "the file lies at a server that this device has nothing to do with").
			WithNext("it is not fetched from there: who keeps that server would learn where you are; ask for it to be sent again")
	errFileDamaged = wire.Errorf(wire.Damaged, "the file that came is not the one that was sent").
			WithNext("try again; if it happens again, ask who sent it to send it again")
	errOtherFile = wire.Errorf(wire.Unsupported, "that file is of a kind that this version cannot fetch").WithNext("update this client")
)

// attachedTo returns the file that a message brings, and its line.
func (s *step) attachedTo(id convID, message []byte) (*happening, content.Attached, error) {
	var a content.Attached
	n, err := s.lineOf(id, message)
	if err != nil {
		return nil, a, err
	}
	h, err := s.line(id, n)
	if err != nil {
		return nil, a, err
	}
	if h == nil || h.Deleted || h.Type != EventMessage {
		return nil, a, errNoMessage
	}
	m, err := content.Parse(h.Body)
	if err != nil {
		return nil, a, errNoFile
	}
	a, ok := m.Attached()
	if !ok && m.Kind() == content.File {
		return nil, a, errOtherFile
	}
	if !ok {
		return nil, a, errNoFile
	}
	return h, a, nil
}

// fileInfo writes what a message's event says of its file.
func (s *step) fileInfo(id convID, h *happening, m *content.Message) (*FileInfo, error) {
	f, ok := m.File()
	if !ok {
		return nil, nil
	}
	info := &FileInfo{Name: safeName(f.FileName), Type: safeType(f.ContentType), Size: f.Size, State: FileThere}
	if a, ok := m.Attached(); ok {
		info.Thumbnail = len(a.Thumbnail) > 0
		info.Width, info.Height, info.Seconds, info.Voice, info.Once = a.Width, a.Height, a.Duration().Seconds(), a.Voice, a.Once
	}
	st, err := s.stored(id, h.ID)
	if err != nil || st == nil {
		return info, err
	}
	switch {
	case st.Upload != nil:
		info.State = FileUploading
	case st.Whole:
		info.State = FileHere
	default:
		info.State = FilePartly
	}
	// The sealed bytes are a little more than the file's own.
	info.Done = min(uint64(s.c.moving[st.Local]), f.Size)
	return info, nil
}

// SaveFile writes the file that a message brings to a place of the person's own; it
// is fetched first if it is not here. What is there already of a file whose fetching
// was cut short is not fetched again.
func (c *Client) SaveFile(ctx context.Context, o SaveOptions) (Saved, error) {
	places, err := c.places()
	if err != nil {
		return Saved{}, err
	}
	id, err := c.roomByText(ctx, o.Room)
	if err != nil {
		return Saved{}, err
	}
	of, err := content.ParseMessageID(o.ID)
	if err != nil {
		return Saved{}, err
	}
	out := Saved{Room: o.Room, ID: o.ID, To: o.To}
	err = c.withFile(ctx, id, of[:], func(a content.Attached, sealed io.Reader) error {
		if out.To == "" {
			if out.To, err = freePlace(ctx, places, o.Folder, safeName(a.Name)); err != nil {
				return err
			}
		}
		out.Size = a.Size
		return places.Write(ctx, out.To, func(w io.Writer) error { return unseal(ctx, w, sealed, a) })
	})
	if err != nil {
		return out, err
	}
	return out, c.step(ctx, func(s *step) error { return s.openedOnce(id, of[:]) })
}

// openedOnce ends a message whose file was to be opened once, and was.
func (s *step) openedOnce(id convID, message []byte) error {
	n, err := s.lineOf(id, message)
	if err != nil {
		return err
	}
	h, err := s.line(id, n)
	if err != nil || h == nil || h.Deleted {
		return err
	}
	m, err := content.Parse(h.Body)
	if err != nil {
		return nil
	}
	a, _ := m.Attached()
	if mine, err := s.isMe(h.Account); err != nil || mine || !a.Once {
		return err
	}
	if err := s.opened(h, m); err != nil {
		return err
	}
	return s.endSooner(id, n, h, s.c.now().Unix())
}

// freePlace returns a place in a folder at which nothing lies.
func freePlace(ctx context.Context, places Places, folder, name string) (string, error) {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	for n := 2; n < 1000; n++ {
		place := path.Join(folder, name)
		f, _, err := places.Open(ctx, place)
		if code(err) == wire.NotFound {
			return place, nil
		}
		if err == nil {
			f.Close()
		}
		name = fmt.Sprintf("%s (%d)%s", stem, n, ext)
	}
	return "", wire.Errorf(wire.Full, "there are too many files of that name").WithNext("name another place with --to")
}

// withFile gives a message's file, sealed, to f, after it was fetched.
func (c *Client) withFile(ctx context.Context, id convID, message []byte, f func(a content.Attached, sealed io.Reader) error) error {
	files, err := c.files()
	if err != nil {
		return err
	}
	a, local, err := c.fetch(ctx, files, id, message)
	if err != nil {
		return err
	}
	src, size, err := files.Open(ctx, local)
	if err != nil {
		return err
	}
	defer src.Close()
	err = f(a, io.NewSectionReader(src, 0, size))
	if errors.Is(err, errFileDamaged) {
		// What is here is of no use: the next time it is fetched anew.
		err = errors.Join(err, c.step(ctx, func(s *step) error {
			st, err := s.stored(id, message)
			if err != nil || st == nil || st.Local != local {
				return err
			}
			s.forgetFile(id, message, st)
			return nil
		}))
	}
	return err
}

// unseal opens a file as it is written.
func unseal(ctx context.Context, w io.Writer, sealed io.Reader, a content.Attached) error {
	r, err := sealedfile.NewReader(&until{ctx: ctx, r: sealed}, a.Key, int64(a.Size))
	if err == nil {
		sum := sha256.New()
		if _, err = io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(w, sum)}, r, make([]byte, sealedfile.ChunkSize)); err == nil && !bytes.Equal(sum.Sum(nil), a.Hash[:]) {
			err = sealedfile.ErrDamaged
		}
	}
	if errors.Is(err, sealedfile.ErrDamaged) {
		return errFileDamaged
	}
	return err
}

// fetch brings a message's file into the home, from where it is, and returns what it
// is called there.
func (c *Client) fetch(ctx context.Context, files Files, id convID, message []byte) (a content.Attached, local string, err error) {
	turn := storedName(id, message)
	if err := c.takeTurn(ctx, turn); err != nil {
		return a, "", err
	}
	defer c.endTurn(turn)
	var st *stored
	var ends int64
	err = c.step(ctx, func(s *step) error {
		h, found, err := s.attachedTo(id, message)
		if err != nil {
			return err
		}
		a, ends = found, h.Until
		if st, err = s.stored(id, message); err != nil || st != nil && st.Local != "" {
			return err
		}
		if known, err := s.ownServer(a.Server); err != nil || !known {
			return errors.Join(err, errFileFar)
		}
		if st == nil {
			st = &stored{Server: a.Server, Blob: a.Blob}
		}
		st.Local = newLocalName()
		s.putStored(id, message, st, ends)
		return nil
	})
	if err != nil {
		return a, "", err
	}
	if st.Whole {
		f, _, err := files.Open(ctx, st.Local)
		if err == nil {
			return a, st.Local, f.Close()
		}
		if code(err) != wire.NotFound || st.Upload != nil {
			return a, "", err
		}
	}
	if ends != 0 {
		// Nothing is fetched beyond its end.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, end(ends).Sub(c.now()))
		defer cancel()
	}
	if err := c.download(ctx, files, st, sealedfile.SealedSize(int64(a.Size))); err != nil {
		return a, "", err
	}
	return a, st.Local, c.step(ctx, func(s *step) error {
		h, _, err := s.attachedTo(id, message)
		if err != nil {
			return err
		}
		now, err := s.stored(id, message)
		if err != nil || now == nil {
			return errors.Join(err, errNoMessage)
		}
		now.Whole = true
		s.putStored(id, message, now, h.Until)
		return nil
	})
}

// fetchTries is how often fetching goes on after it broke off, without having got
// anything in between.
const fetchTries = 4

// download brings what lacks of a file.
func (c *Client) download(ctx context.Context, files Files, st *stored, size int64) error {
	have := int64(0)
	if f, n, err := files.Open(ctx, st.Local); err == nil {
		have = n
		f.Close()
	} else if code(err) != wire.NotFound {
		return err
	}
	if have > size {
		have = 0
	}
	p := c.progress(st.Local)
	defer p.end()
	for tries, wait := 0, retryFirst; have < size; {
		n, err := c.downloadFrom(ctx, files, st, p, have, size)
		switch {
		case code(err) == wire.Denied:
			return errFileGone
		case err == nil:
		case code(err) != wire.Unreachable, ctx.Err() != nil, tries == fetchTries:
			return err
		}
		if n > have {
			have, tries, wait = n, 0, retryFirst
			continue
		}
		if err == nil {
			return errFileDamaged // the server has less than it should
		}
		tries++
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (c *Client) downloadFrom(ctx context.Context, files Files, st *stored, p progress, have, size int64) (int64, error) {
	r, err := c.cfg.Blobs.Open(ctx, st.Server, st.Blob, have)
	if err != nil {
		return have, err
	}
	defer r.Close()
	return files.Append(ctx, st.Local, have, func(w io.Writer) error {
		in := &counted{p: p, n: have, r: &until{ctx: ctx, r: io.LimitReader(r, size-have)}}
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, in, make([]byte, sealedfile.ChunkSize))
		return err
	})
}

// Thumbnail is a small picture of a message's file.
type Thumbnail struct {
	Type string `json:"type"`
	Data []byte `json:"data"` // base64 in JSON
}

// Thumbnail returns the small picture that came with a message's file. Its sender made
// it; it is written anew here, so that nothing but a picture is shown.
func (c *Client) Thumbnail(ctx context.Context, room, id string) (out Thumbnail, err error) {
	conv, err := c.roomByText(ctx, room)
	if err != nil {
		return out, err
	}
	of, err := content.ParseMessageID(id)
	if err != nil {
		return out, err
	}
	var a content.Attached
	err = c.look(ctx, func(s *step) error {
		_, a, err = s.attachedTo(conv, of[:])
		return err
	})
	if err != nil {
		return out, err
	}
	if out.Data, err = picture.Recode(a.Thumbnail); err != nil {
		return Thumbnail{}, wire.Errorf(wire.NotFound, "there is no small picture of that file").WithNext("save the file itself")
	}
	out.Type = content.ThumbnailType
	return out, nil
}

// takeTurn waits until nobody else fetches the same file.
func (c *Client) takeTurn(ctx context.Context, name string) error {
	for {
		c.mu.Lock()
		other := c.fetching[name]
		if other == nil {
			c.fetching[name] = make(chan struct{})
			c.mu.Unlock()
			return nil
		}
		c.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Client) endTurn(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.fetching[name])
	delete(c.fetching, name)
}
