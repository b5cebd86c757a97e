package core

import (
	"context"

	"hearth/content"
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
		m, err = content.NewForward(said, opts)
		return err
	})
	if err != nil {
		return Sent{}, err
	}
	return c.tellTo(ctx, o.To, m, opts.Sent)
}

// ForwardOptions are the parameters of Forward.
type ForwardOptions struct {
	Room, ID string // the message
	To       string // handle, bare name, account id, link or room
}
