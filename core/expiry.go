package core

import (
	"context"
	"strings"
	"time"

	"hearth/core/vault"
)

// Everything with an end is destroyed by the vault's sweep: before anything is
// shown after a start, and then on time.

// sweepAtLeast is how often the vault's time is moved on when nothing is due.
const sweepAtLeast = 6 * time.Hour

// sweep destroys what is due.
func (c *Client) sweep(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &step{c: c, ctx: ctx, over: make(map[string]change), groups: nil}
	ended := 0
	err := c.vault.Sweep(ctx, c.now(), func(b *vault.Batch, due vault.Item) error {
		if s.batch != b {
			// A new batch: what the step put into the one before is kept.
			s.batch, s.over, s.seen = b, make(map[string]change), nil
		}
		ended++
		if c.texts != nil {
			c.texts.take(due.Name, nil)
		}
		return s.ended(due)
	})
	for _, f := range s.after {
		f()
	}
	if ended > 0 {
		c.notify()
	}
	return err
}

// ended deals with one record that is due.
func (s *step) ended(due vault.Item) error {
	kind, _, _ := strings.Cut(due.Name, "/")
	switch kind {
	case "file":
		return s.fileEnded(due)
	case "history":
		return s.lineEnded(due)
	case "outbox":
		return s.rowEnded(due)
	}
	return nil
}

// lineEnded tells that a message has ended, if it had been given out.
func (s *step) lineEnded(due vault.Item) error {
	h := new(happening)
	if err := decodeRecord(due.Value, h); err != nil {
		return nil // damaged, and gone anyway
	}
	if h.Type != EventMessage || h.Deleted {
		return nil
	}
	if err := s.readOff(h); err != nil {
		return err
	}
	id, ok := convOfLine(due.Name)
	if !ok {
		return nil
	}
	cv, err := s.conv(id)
	if err != nil || cv == nil {
		return err
	}
	var q queue
	if _, err := s.get(queueName, &q); err != nil {
		return err
	}
	if !h.Own && h.Event > q.Mark {
		if cv.Unread > 0 && len(h.Device) == 0 {
			cv.Unread--
			s.putConv(cv)
		}
		return nil // nobody has seen it: nothing to take back
	}
	_, err = s.record(cv, happening{Type: EventExpired, At: due.Expires.UnixMilli(), ID: h.ID,
		Until: s.c.now().Add(noticeKept).Unix()})
	return err
}

// convOfLine returns the conversation that a history line's name belongs to.
func convOfLine(name string) (id convID, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return id, false
	}
	return parseConv(parts[1])
}

// sweeper sweeps on time.
func (c *Client) sweeper(ctx context.Context) {
	for {
		changed := c.changes()
		wait := sweepAtLeast
		if next := c.vault.Next(); !next.IsZero() {
			wait = min(wait, next.Sub(c.now()))
		}
		if wait <= 0 {
			if err := c.sweep(ctx); err != nil {
				c.debug("sweeping failed", err)
				select {
				case <-time.After(time.Minute):
				case <-ctx.Done():
					return
				}
			}
			continue
		}
		select {
		case <-time.After(wait):
			if err := c.sweep(ctx); err != nil {
				c.debug("sweeping failed", err)
			}
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
