package core

import (
	"context"

	"hearth/content"
)

// Details answers Client.Details: a message as a history shows it, with everybody
// who got or read it among its receipts, and those who could get it and have not
// said so. Nobody says so in a conversation without receipts.
type Details struct {
	Message Event  `json:"message"`
	Waiting []Mark `json:"waiting,omitempty"`
}

// Details returns what is known of one message. It does not count as reading it.
func (c *Client) Details(ctx context.Context, room, id string) (out Details, err error) {
	conv, err := c.roomByText(ctx, room)
	if err != nil {
		return out, err
	}
	of, err := content.ParseMessageID(id)
	if err != nil {
		return out, err
	}
	err = c.look(ctx, func(s *step) error {
		cv, err := s.conv(conv)
		if err != nil || cv == nil {
			return err
		}
		n, err := s.lineOf(conv, of[:])
		if err != nil {
			return err
		}
		h, err := s.line(conv, n)
		if err != nil {
			return err
		}
		if h == nil || h.Type != EventMessage {
			return errNoMessage
		}
		if out.Message, err = s.event(conv, h); err != nil {
			return err
		}
		to, err := s.audience(cv)
		if err != nil {
			return err
		}
		if err := s.showMarks(&out.Message, h, to); err != nil {
			return err
		}
		for _, k := range h.Seen {
			if k.State != seenNot || !to.here[k.Account] {
				continue
			}
			m, err := s.markOf(k)
			if err != nil {
				return err
			}
			out.Waiting = append(out.Waiting, m)
		}
		return nil
	})
	return out, err
}
