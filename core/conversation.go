package core

import (
	"context"
	"encoding/base64"

	"hearth/core/vault"
	"hearth/wire"
)

// conversation is what people see: it has a history and points to the room that
// carries it now.
type conversation struct {
	_    struct{} `cbor:",toarray"`
	ID   convID
	Kind string // KindDirect, KindGroup, KindSelf
	Room wire.RoomID
	// Peer is the other account of a direct conversation.
	Peer wire.AccountID
	// Lines is the number of the newest line of the history.
	Lines  uint64
	Unread uint64
	// Gaps are the parts of the history that are left for what other devices hand
	// over, in order (missed.go). On a linked device the first lies before all of
	// its own lines.
	Gaps []gap
	// Given: the count of unread messages was handed over.
	Given bool
}

var errNoRoom = &wire.Error{Code: wire.NotFound, Message: "there is no such conversation",
	Next: "list them with: hearth rooms"}

func convName(id convID) string { return vault.Name("conversation", b64(id[:])) }

// conv returns a conversation; nil if there is none.
func (s *step) conv(id convID) (*conversation, error) {
	if cv := s.convs[id]; cv != nil {
		return cv, nil
	}
	cv := new(conversation)
	ok, err := s.get(convName(id), cv)
	if err != nil || !ok {
		return nil, err
	}
	s.keepConv(cv)
	return cv, nil
}

func (s *step) keepConv(cv *conversation) {
	if s.convs == nil {
		s.convs = make(map[convID]*conversation)
	}
	s.convs[cv.ID] = cv
}

func (s *step) putConv(cv *conversation) {
	s.keepConv(cv)
	s.put(convName(cv.ID), cv)
}

// parseConv reads a conversation's id as people type it.
func parseConv(text string) (id convID, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, false
	}
	return convID(b), true
}

// roomByText finds the conversation that a person named.
func (c *Client) roomByText(ctx context.Context, text string) (convID, error) {
	id, ok := parseConv(text)
	if !ok {
		return id, errNoRoom
	}
	known, err := c.knows(ctx, id)
	if err == nil && !known {
		err = errNoRoom
	}
	return id, err
}

// knows reports whether there is a conversation. One that this device may have
// been let into, by a link that it followed or by a sibling, is fetched first.
func (c *Client) knows(ctx context.Context, id convID) (known bool, err error) {
	due := false
	err = c.look(ctx, func(s *step) error {
		cv, err := s.conv(id)
		if err != nil || cv != nil {
			known = cv != nil
			return err
		}
		due, err = s.mayBeLetIn()
		return err
	})
	if err != nil || known || !due {
		return known, err
	}
	soon, cancel := context.WithTimeout(ctx, joinGrace)
	defer cancel()
	if c.CatchUp(soon) != nil {
		return false, nil // what can't be reached can't be waited for
	}
	err = c.wait(soon, func(s *step) (bool, error) {
		cv, err := s.conv(id)
		if err != nil {
			return false, err
		}
		if cv != nil {
			r, err := s.room(cv.Room)
			known = err == nil && r != nil
			return known, err
		}
		busy, err := s.anyAccepted()
		return !busy, err
	})
	if soon.Err() != nil {
		err = nil
	}
	return known, err
}

// mayBeLetIn reports whether an invitation may wait at a door that needs nobody's
// word.
func (s *step) mayBeLetIn() (bool, error) {
	me, err := s.account()
	if err != nil || me == nil {
		return false, err
	}
	if asked, err := s.any("asked"); err != nil || asked || len(me.Chain) > 1 {
		return true, err
	}
	return s.anyAccepted()
}

// anyAccepted reports whether an invitation was accepted that is not carried out
// yet.
func (s *step) anyAccepted() (found bool, err error) {
	err = s.scan("request", func(_ string, b []byte) (bool, error) {
		rq := new(request)
		err := decodeRecord(b, rq)
		found = err == nil && rq.Decided && !rq.over(s.c.now())
		return !found, err
	})
	return found, err
}
