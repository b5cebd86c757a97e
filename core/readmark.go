package core

import (
	"context"
	"encoding/base64"
	"math/rand/v2"
	"time"

	"hearth/core/vault"
)

// What was read on one device counts as read on the others. Marks reach the self
// room in batches, at a random moment, so that its server is not told when
// somebody reads (protocol §3).

// readMark says that a conversation was read through a message.
type readMark struct {
	_       struct{} `cbor:",toarray"`
	Conv    convID
	Message []byte
}

// Marks wait for others to go with them.
const (
	readsWait = 20 * time.Second
	readsMost = 40 * time.Second
)

func readName(id convID) string { return vault.Name("read", b64(id[:])) }

// marked notes that a message was read, to be told to this account's other
// devices.
func (s *step) marked(id convID, message string) error {
	me, err := s.account()
	if err != nil || me == nil || len(me.Chain) == 1 || me.Stage != stageDone {
		return err
	}
	b, err := base64.RawURLEncoding.DecodeString(message)
	if err != nil || len(b) == 0 {
		return nil
	}
	s.put(readName(id), readMark{Conv: id, Message: b})
	s.then(s.c.wakeReads)
	return nil
}

// markedAll is marked for the newest message of a conversation.
func (s *step) markedAll(cv *conversation) error {
	looked := 0
	var newest []byte
	err := s.linesBack(cv, cv.Lines, func(_ uint64, h *happening) bool {
		looked++
		if h.Type == EventMessage {
			newest = h.ID
		}
		return newest == nil && looked < scanPage
	})
	if err != nil || newest == nil {
		return err
	}
	return s.marked(cv.ID, b64(newest))
}

// wakeReads starts what posts the marks, and drafts (draft.go).
func (c *Client) wakeReads() {
	c.poke(queueID{what: readQueue}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			waits, err := s.any("read")
			if err == nil && !waits {
				waits, err = s.any("unshared")
			}
			if err != nil || !waits {
				delete(c.noticed, noticedKey{})
				return err
			}
			left := c.noticedFor(noticedKey{}, readsWait+rand.N(readsMost))
			act = func(ctx context.Context) (time.Duration, error) {
				if left > 0 {
					return left, nil
				}
				return 0, c.shareReads(ctx)
			}
			return nil
		})
		return act, err
	})
}

func (c *Client) shareReads(ctx context.Context) error {
	return c.step(ctx, func(s *step) error {
		delete(c.noticed, noticedKey{})
		var items []syncItem
		var names []string
		err := s.scan("read", func(name string, b []byte) (bool, error) {
			var m readMark
			err := decodeRecord(b, &m)
			items, names = append(items, item(syncRead, m)), append(names, name)
			return len(items) < maxSyncItems, err
		})
		if err != nil {
			return err
		}
		for _, name := range names {
			s.del(name)
		}
		if err := s.share(items...); err != nil {
			return err
		}
		return s.shareUnshared()
	})
}

// readThrough takes in that another device has read up to a message: what came
// later stays unread. A mark never makes anything unread again.
func (s *step) readThrough(m readMark) error {
	cv, err := s.conv(m.Conv)
	if err != nil || cv == nil {
		return err
	}
	n, err := s.lineOf(cv.ID, m.Message)
	if err != nil || n == 0 {
		return err
	}
	if err := s.light(cv.ID, 1, n); err != nil || cv.Unread == 0 {
		return err
	}
	later := uint64(0)
	for after := lineName(cv.ID, n); later < cv.Unread; {
		items, err := s.c.vault.Scan(s.ctx, historyName(cv.ID), after, scanPage)
		if err != nil {
			return err
		}
		for _, it := range items {
			h := new(happening)
			if err := decodeRecord(it.Value, h); err != nil {
				return err
			}
			if h.Type == EventMessage && !h.Own && len(h.Device) == 0 {
				later++
			}
		}
		if len(items) < scanPage {
			break
		}
		after = items[len(items)-1].Name
	}
	cv.Unread = min(cv.Unread, later)
	s.putConv(cv)
	return nil
}
