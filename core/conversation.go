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
	// Base is where this device's own lines begin, and Past the newest of those
	// that another device handed over: they lie below (handover.go).
	Base, Past uint64
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
	err := c.look(ctx, func(s *step) error {
		cv, err := s.conv(id)
		if err == nil && cv == nil {
			err = errNoRoom
		}
		return err
	})
	return id, err
}
