package core

import (
	"context"
	"errors"
	"io"

	"hearth/content"
	"hearth/core/sealedfile"
	"hearth/wire"
)

// Forward sends what a message says on to somebody else. The copy ends when the
// original does, or sooner; one whose time begins with the reading is not for
// others.
func (c *Client) Forward(ctx context.Context, o ForwardOptions) (Sent, error) {
	from, err := c.roomByText(ctx, o.Room)
	if err != nil {
		return Sent{}, err
	}
	of, err := content.ParseMessageID(o.ID)
	if err != nil {
		return Sent{}, err
	}
	opts := content.Options{Sent: c.now()}
	var m *content.Message
	var brings *content.Attached
	err = c.look(ctx, func(s *step) error {
		n, err := s.lineOf(from, of[:])
		if err != nil {
			return err
		}
		h, err := s.line(from, n)
		if err != nil {
			return err
		}
		if h == nil || h.Deleted || h.Type != EventMessage {
			return errNoMessage
		}
		said, err := s.saidNow(from, h)
		if err != nil {
			return err
		}
		if said.Expires != nil && said.Expires.Relative {
			return wire.Errorf(wire.Denied, "who sent that message wants it gone once it is read").WithNext("ask them to send it on")
		}
		if h.Until != 0 {
			opts.Expires = content.EndsAt(end(h.Until))
		}
		if a, ok := said.Attached(); ok {
			brings, m = &a, said
			return nil
		}
		m, err = content.NewForward(said, opts)
		return err
	})
	if err != nil {
		return Sent{}, err
	}
	if brings != nil {
		return c.forwardFile(ctx, from, of[:], o.To, m, brings, opts)
	}
	return c.tellTo(ctx, o.To, m, opts.Sent)
}

// forwardFile sends a file on: sealed anew, under a key of its own, so that the
// original's deletion, and whoever had its key, have nothing to do with the copy.
func (c *Client) forwardFile(ctx context.Context, from convID, of []byte, to string, said *content.Message, a *content.Attached, opts content.Options) (out Sent, err error) {
	if a.Once {
		return Sent{}, wire.Errorf(wire.Denied, "who sent that file wants it gone once it was opened").WithNext("ask them to send it on")
	}
	err = c.withFile(ctx, from, of, func(_ content.Attached, sealed io.Reader) error {
		plain, err := sealedfile.NewReader(sealed, a.Key, int64(a.Size))
		if err == nil {
			out, err = c.sendSource(ctx, outgoing{to: to, src: plain, size: int64(a.Size), says: *a, marks: said.Marks(), opts: opts,
				forwarded: &a.Hash, wait: sendFileWait})
		}
		if errors.Is(err, sealedfile.ErrDamaged) {
			err = errFileDamaged
		}
		return err
	})
	return out, err
}

// ForwardOptions are the parameters of Forward.
type ForwardOptions struct {
	Room, ID string // the message
	To       string // handle, bare name, account id, link or room
}
