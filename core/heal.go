package core

import (
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/wire"
)

// Out of step heals itself (protocol §5).

func stepNoticeName(id wire.RoomID) string { return vault.Name("step", b64(id[:])) }

// hearOutOfStep notes that a member cannot enter the room's epoch.
func (s *step) hearOutOfStep(r *room, _ *conversation, _ *roster.Roster, n heard) error {
	s.put(stepNoticeName(r.ID), n.number)
	return nil
}

// outOfStepAfter reports whether a notice out of step was heard behind a number
// of the log: what makes a plain member's founding valid (protocol §5).
func (s *step) outOfStepAfter(id wire.RoomID, commit wire.Number) (bool, error) {
	var n wire.Number
	_, err := s.get(stepNoticeName(id), &n)
	return n > commit, err
}
